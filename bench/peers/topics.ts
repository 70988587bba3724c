// What the peers leave in Kafka, removed again.
import { connectKafka } from '../../kafka/client.ts';

/** Forgets a consumer group; one that is not there, or not empty yet, is left alone: it holds nothing but offsets. */
export async function deleteGroup(brokers: readonly string[], group: string): Promise<void> {
  await withAdmin(brokers, async (admin) => await admin.deleteGroups([group]));
}

/** Deletes a topic that may be there. */
export async function deleteTopic(brokers: readonly string[], topic: string): Promise<void> {
  await withAdmin(brokers, async (admin) => await admin.deleteTopics({ topics: [topic] }));
}

/** Deletes a topic and all whose names begin with its name. */
export async function deleteTopicsOf(brokers: readonly string[], topic: string): Promise<void> {
  await withAdmin(brokers, async (admin) => {
    const topics = (await admin.listTopics()).filter((name) => name.startsWith(topic));
    if (topics.length > 0) await admin.deleteTopics({ topics });
  });
}

type Admin = ReturnType<ReturnType<typeof connectKafka>['kafka']['admin']>;

async function withAdmin(brokers: readonly string[], work: (admin: Admin) => Promise<unknown>): Promise<void> {
  const admin = connectKafka({ brokers }).kafka.admin();
  await admin.connect();
  try {
    await work(admin);
  } catch {
    // It is gone already, or is the broker's to clear up.
  } finally {
    await admin.disconnect();
  }
}
