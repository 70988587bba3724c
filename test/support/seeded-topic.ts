// A topic filled with a generator's messages, without waiting for their times: the history that a test ingests.
import { randomUUID } from 'node:crypto';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import type { GeneratorSpec } from '../../generator/generator-spec.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import type { ProducedMessage } from '../../generator/produced-message.ts';
import { connectKafka } from '../../kafka/client.ts';
import { openEventWriter } from '../../kafka/event-writer.ts';
import { ensureTopic } from '../../kafka/topics.ts';
import type { Header } from '../../pipeline/message.ts';

/** What Kafka's protocol calls a topic among the things that have a configuration. */
const TOPIC_RESOURCE = 2;
const MESSAGES_PER_WRITE = 6000;

export type SeededTopic = {
  readonly topic: string;
  readonly spec: GeneratorSpec;
  /** All messages of the spec, in their order. */
  messages(): ProducedMessage[];
  /** Sends the messages `[from, to)`. */
  send(from: number, to: number): Promise<void>;
  /** Sends other messages as they are; an absent partition is chosen by the key. */
  sendRaw(messages: readonly RawMessage[]): Promise<void>;
  remove(): Promise<void>;
};

export type RawMessage = {
  readonly key?: string;
  readonly value: Buffer | string | null;
  readonly partition?: number;
  readonly timestampMs?: number;
  readonly headers?: readonly Header[];
};

/** Makes an empty topic with a random name and a spec of `count` messages that begin at `startTimeMs`. */
export async function seededTopic(
  brokers: readonly string[],
  given: { partitions: number; count: number; startTimeMs: number } & Partial<GeneratorSpec>,
): Promise<SeededTopic> {
  const topic = `t-${randomUUID()}`;
  const { partitions, ...shape } = given;
  const spec = createGeneratorSpec({ ...shape, topic });
  await ensureTopic({ brokers, topic, partitions });
  await keepForEver(brokers, topic);
  const writer = await openEventWriter({ brokers, topic });
  const maker = createMessageMaker(spec);
  const segment = { fromIndex: 0, startMs: given.startTimeMs, rate: spec.rate };
  return {
    topic,
    spec,
    messages: () => maker.messages(segment, 0, given.count),
    send: async (from, to) => {
      for (let at = from; at < to; at += MESSAGES_PER_WRITE) {
        await writer.write(maker.messages(segment, at, Math.min(to, at + MESSAGES_PER_WRITE)));
      }
    },
    sendRaw: async (messages) => {
      await writer.write(
        messages.map(({ key, value, partition, timestampMs, headers }) => ({
          key: key ?? null,
          value: typeof value === 'string' ? Buffer.from(value) : value,
          timestampMs: timestampMs ?? given.startTimeMs,
          partition,
          headers,
        })),
      );
    },
    remove: async () => {
      await writer.close();
      const admin = connectKafka({ brokers, clientId: 'weir-test' }).kafka.admin();
      await admin.connect();
      await admin.deleteTopics({ topics: [topic] });
      await admin.disconnect();
    },
  };
}

/** Kafka deletes by the messages' own timestamps: a history that is older than a week would be gone within minutes. */
async function keepForEver(brokers: readonly string[], topic: string): Promise<void> {
  const admin = connectKafka({ brokers, clientId: 'weir-test' }).kafka.admin();
  await admin.connect();
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: TOPIC_RESOURCE, name: topic, configEntries: [{ name: 'retention.ms', value: '-1' }] }],
  });
  await admin.disconnect();
}
