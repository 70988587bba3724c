// Faults of the Kafka broker and of the topic: killed, frozen, forbidden, grown.
import { setTimeout as wait } from 'node:timers/promises';

import { connectKafka } from '../../kafka/client.ts';
import { partitionId } from '../../pipeline/ids.ts';
import { partitionStateQuery } from '../../workflows/commands.ts';
import { allowTopic, forbidTopic } from '../support/topic-access.ts';
import type { ChaosWorld } from './chaos-world.ts';
import { isMoving } from './fault.ts';
import type { Fault, Injection } from './fault.ts';

const GROWN_TO = 9;
const FORBIDDEN_MS = 20_000;
/** Until the rule is known and the batches in hand are committed. */
const FORBIDDEN_FROM_MS = 5_000;

/** Everybody who reads or writes is refused; that nothing commits and every partition says why is part of the hit. */
async function forbid(world: ChaosWorld): Promise<Injection> {
  const { stack, spec, watch } = world;
  const place = { brokers: stack.addresses.kafka.brokers, topic: spec.topic };
  const moved = isMoving(world);
  await forbidTopic(place);
  try {
    await wait(FORBIDDEN_FROM_MS);
    const fromMs = Date.now();
    await wait(FORBIDDEN_MS - FORBIDDEN_FROM_MS);
    const commits = watch.count(fromMs);
    const partitions = Array.from({ length: world.partitions }, (_, partition) => partition);
    const sentences = await Promise.all(partitions.map(async (partition) => await complaint(world, partition)));
    const refused = sentences.filter((sentence) => sentence.includes('TOPIC_AUTHORIZATION_FAILED')).length;
    await allowTopic(place);
    return {
      hit: moved && commits === 0 && refused === partitions.length,
      endedAtMs: Date.now(),
      detail: `${refused} of ${partitions.length} partitions say why, ${commits} commits meanwhile`,
    };
  } finally {
    await allowTopic(place);
  }
}

async function complaint({ client, spec }: ChaosWorld, partition: number): Promise<string> {
  const handle = client.workflow.getHandle(partitionId(spec.topic, partition));
  return (await handle.query(partitionStateQuery)).failures.message ?? '';
}

export const KAFKA_FAULTS: readonly Fault[] = [
  {
    name: 'Kafka SIGKILL',
    probes: { ready: 'lost' },
    inject: async (world) => {
      const hit = isMoving(world);
      world.stack.signal('kafka', 'SIGKILL');
      await world.stack.ended('kafka');
      await world.stack.startAgain();
      return { hit, endedAtMs: Date.now(), detail: 'restarted' };
    },
  },
  {
    name: 'Kafka SIGSTOP 20 s',
    probes: { ready: 'lost' },
    inject: async (world) => {
      const hit = isMoving(world);
      world.stack.signal('kafka', 'SIGSTOP');
      await wait(20_000);
      world.stack.signal('kafka', 'SIGCONT');
      return { hit, endedAtMs: Date.now(), detail: '20 s' };
    },
  },
  { name: 'topic unavailable', inject: forbid },
  {
    name: 'partitions 6 to 9',
    once: true,
    inject: async (world) => {
      const hit = isMoving(world);
      const { brokers } = world.stack.addresses.kafka;
      const admin = connectKafka({ brokers, clientId: 'weir-chaos' }).kafka.admin();
      await admin.connect();
      await admin.createPartitions({ topicPartitions: [{ topic: world.spec.topic, count: GROWN_TO }] });
      await admin.disconnect();
      world.partitions = GROWN_TO;
      return { hit, endedAtMs: Date.now(), detail: `${GROWN_TO} partitions` };
    },
  },
];
