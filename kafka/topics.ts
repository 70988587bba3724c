// Topics as Weir needs them: made when missing, described, and watched for their partitions and offsets.
import { messageOf } from '../pipeline/ensure.ts';
import { parseOffset } from '../pipeline/offset.ts';
import type { RewindTarget } from '../pipeline/rewind-target.ts';
import { BrokerLink } from './broker-link.ts';
import { connectKafka } from './client.ts';
import { KafkaRefusedError, TopicMissingError } from './failures.ts';
import type { OffsetsAtTime, PartitionOffsets } from './offset-lookup.ts';
import { persevere } from './persevere.ts';
import { describe, readTopic } from './topic-description.ts';
import type { TopicDescription } from './topic-description.ts';
import { Observer } from './topic-observer.ts';
import type { TopicObserver } from './topic-observer.ts';
import { PassingError, troubleOf } from './trouble.ts';

export type { OffsetsAtTime, PartitionOffsets, TopicDescription, TopicObserver };

type TopicOptions = { readonly brokers: readonly string[]; readonly topic: string };

type WantedTopic = TopicOptions & {
  readonly partitions: number;
  readonly settings?: Readonly<Record<string, string>>;
};

/** `partitions` is what the topic has; it differs from what was asked for when the topic was there before. */
export type EnsuredTopic = { readonly topic: string; readonly created: boolean; readonly partitions: number };

/** As Kafka's own guide has it; fewer where the cluster is smaller. */
const REPLICAS = 3;
const IN_SYNC_REPLICAS = 2;

async function withLink<Result>(
  brokers: readonly string[],
  use: (link: BrokerLink) => Promise<Result>,
): Promise<Result> {
  const link = new BrokerLink({ brokers });
  try {
    return await persevere(link, () => use(link));
  } finally {
    link.close('The look at Kafka is over.');
  }
}

/** Partitions and replicas of a topic. Throws TopicMissingError, KafkaUnreachableError or KafkaRefusedError. */
export function describeTopic({ brokers, topic }: TopicOptions): Promise<TopicDescription> {
  return withLink(brokers, async (link) => describe(await readTopic(link, topic), link));
}

/**
 * Makes the topic with `partitions` partitions when it is missing (3 replicas, or as many as there are brokers) and waits
 * until each has a leader. A topic that exists is left as it is: compare the returned `partitions`. `settings`: Kafka's own,
 * by their names.
 */
export async function ensureTopic(options: WantedTopic): Promise<EnsuredTopic> {
  const { brokers, topic } = options;
  let created = false;
  const ready = await withLink(brokers, async (link) => {
    try {
      const description = describe(await readTopic(link, topic), link);
      const leaderless = description.partitions.find(({ leader }) => leader === null);
      if (created && leaderless) throw new PassingError('NO_LEADER', `Topic ${topic} was made and has no leaders yet.`);
      return description;
    } catch (thrown) {
      if (!(thrown instanceof TopicMissingError)) throw thrown;
      if (!created) created = await createTopic(options, link.nodeCount);
      throw new PassingError('NOT_YET_KNOWN', `Topic ${topic} was made and is not known to all brokers yet.`);
    }
  });
  return { topic, created, partitions: ready.partitions.length };
}

async function createTopic(
  { brokers, topic, partitions, settings }: WantedTopic,
  brokerCount: number,
): Promise<boolean> {
  const admin = connectKafka({ brokers }).kafka.admin();
  const replicationFactor = Math.max(1, Math.min(REPLICAS, brokerCount));
  const inSync = replicationFactor < REPLICAS ? {} : { 'min.insync.replicas': String(IN_SYNC_REPLICAS) };
  const configEntries = Object.entries({ ...inSync, ...settings }).map(([name, value]) => ({ name, value }));
  try {
    await admin.connect();
    // Returns false when somebody else made it meanwhile.
    return await admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic, numPartitions: partitions, replicationFactor, configEntries }],
    });
  } catch (thrown) {
    if (troubleOf(thrown) !== null) throw thrown;
    const cause = refusalOf(thrown);
    throw new KafkaRefusedError(
      'type' in cause ? String(cause.type) : cause.name,
      `Kafka did not make topic ${topic} (${messageOf(cause)}): make it with Kafka's own tools, or check the rights of this client.`,
      { cause: thrown },
    );
  } finally {
    await admin.disconnect();
  }
}

/** kafkajs wraps what Kafka said about each topic into an aggregate. */
function refusalOf(thrown: unknown): Error {
  if (thrown instanceof Error && 'errors' in thrown && Array.isArray(thrown.errors)) {
    const first: unknown = thrown.errors[0];
    if (first instanceof Error) return first;
  }
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** Start and end of every partition's log now, by ascending partition. */
export async function partitionOffsets(options: TopicOptions): Promise<PartitionOffsets[]> {
  const observer = await openTopicObserver(options);
  try {
    return await observer.offsets();
  } finally {
    await observer.close();
  }
}

/** The same, and where the target lies in each log: an offset as it is, a time where Kafka finds it. */
export async function partitionOffsetsAt(options: TopicOptions, target: RewindTarget): Promise<OffsetsAtTime[]> {
  const observer = await openTopicObserver(options);
  try {
    if ('timeMs' in target) return await observer.offsetsAt(target.timeMs);
    const atOffset = parseOffset(target.offset);
    const logs = await observer.offsets();
    return logs.map(({ partition, logStartOffset, endOffset }) => ({ partition, logStartOffset, endOffset, atOffset }));
  } finally {
    await observer.close();
  }
}

/** Opens an observer of a topic that exists; it keeps its connection until closed and renews it when it breaks. */
export async function openTopicObserver(options: TopicOptions): Promise<TopicObserver> {
  const observer = new Observer(options);
  try {
    await observer.partitions();
  } catch (thrown) {
    await observer.close();
    throw thrown;
  }
  return observer;
}
