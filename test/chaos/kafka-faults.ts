// Faults of the Kafka broker and of the topic: killed, frozen, grown.
import { setTimeout as wait } from 'node:timers/promises';

import { connectKafka } from '../../kafka/client.ts';
import { isMoving } from './fault.ts';
import type { Fault } from './fault.ts';

const GROWN_TO = 9;

export const KAFKA_FAULTS: readonly Fault[] = [
  {
    name: 'Kafka SIGKILL',
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
    inject: async (world) => {
      const hit = isMoving(world);
      world.stack.signal('kafka', 'SIGSTOP');
      await wait(20_000);
      world.stack.signal('kafka', 'SIGCONT');
      return { hit, endedAtMs: Date.now(), detail: '20 s' };
    },
  },
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
