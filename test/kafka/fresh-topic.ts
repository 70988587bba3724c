// A topic of its own for every Kafka test, on the broker that the run shares.
import { randomUUID } from 'node:crypto';

import { CompressionTypes } from 'kafkajs';
import type { Admin, ITopicConfig } from 'kafkajs';
import { inject } from 'vitest';

import { connectKafka } from '../../kafka/client.ts';
import type { KafkaClient } from '../../kafka/client.ts';
import { openPartitionReader } from '../../kafka/partition-reader.ts';
import type { PartitionReader, PartitionReaderOptions } from '../../kafka/partition-reader.ts';
import { describeTopic } from '../../kafka/topics.ts';
import type { Message } from '../../pipeline/message.ts';
import { eventually } from '../support/eventually.ts';

export type FreshTopic = { readonly brokers: string[]; readonly topic: string; readonly client: KafkaClient };

export async function withAdmin<Result>(client: KafkaClient, use: (admin: Admin) => Promise<Result>): Promise<Result> {
  const admin = client.kafka.admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Makes a topic and waits until it is led. kafkajs's own wait for leaders fails when the broker is slow to learn of the topic. */
export async function makeTopic(client: KafkaClient, config: ITopicConfig): Promise<void> {
  await withAdmin(client, (admin) => admin.createTopics({ waitForLeaders: false, topics: [config] }));
  const isLed = async () => {
    const { partitions } = await describeTopic({ brokers: client.brokers, topic: config.topic });
    return partitions.every(({ leader }) => leader !== null);
  };
  await eventually(isLed, { deadlineMs: 30_000, what: `topic ${config.topic} has leaders` });
}

/** Makes an empty topic with a random name. */
export async function freshTopic(
  options: { readonly partitions?: number; readonly settings?: Readonly<Record<string, string>> } = {},
): Promise<FreshTopic> {
  const brokers = inject('servers').kafkaBrokers;
  const topic = `test-${randomUUID()}`;
  const client = connectKafka({ brokers });
  const configEntries = Object.entries(options.settings ?? {}).map(([name, value]) => ({ name, value }));
  await makeTopic(client, { topic, numPartitions: options.partitions ?? 1, configEntries });
  return { brokers, topic, client };
}

/** Opens a reader of partition 0 from offset 0 (unless changed), hands it over, and closes it. */
export async function withReader<Result>(
  fresh: FreshTopic,
  changes: Partial<PartitionReaderOptions>,
  use: (reader: PartitionReader) => Promise<Result>,
): Promise<Result> {
  const { brokers, topic } = fresh;
  const reader = await openPartitionReader({ brokers, topic, partition: 0, fromOffset: 0, ...changes });
  try {
    return await use(reader);
  } finally {
    await reader.close();
  }
}

/** Reads on until the reader stands at `offset`. */
export async function readUpTo(reader: PartitionReader, offset: number): Promise<Message[]> {
  const messages: Message[] = [];
  for (;;) {
    const fetched = await reader.next();
    messages.push(...fetched.messages);
    if (fetched.nextOffset >= offset) return messages;
  }
}

/** Sends with kafkajs's own producer, which the code under test has no part in. */
export async function produceWithKafkajs(
  fresh: FreshTopic,
  batches: readonly {
    key?: Buffer | string | null;
    value: Buffer | string | null;
    headers?: Record<string, string | Buffer | (string | Buffer)[]>;
  }[][],
  compression = CompressionTypes.None,
): Promise<void> {
  const producer = fresh.client.kafka.producer({ createPartitioner: () => () => 0 });
  await producer.connect();
  try {
    for (const messages of batches) await producer.send({ topic: fresh.topic, messages, compression });
  } finally {
    await producer.disconnect();
  }
}
