// The event writer against a real broker: complete, in order, where other producers would put it, and loud when refused.
import { randomBytes, randomUUID } from 'node:crypto';

import { Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';

import { partitionOf } from '../../kafka/choose-partition.ts';
import { openEventWriter } from '../../kafka/event-writer.ts';
import type { EventToWrite, EventWriter } from '../../kafka/event-writer.ts';
import { KafkaRefusedError, KafkaUnreachableError, TopicMissingError } from '../../kafka/failures.ts';
import { partitionOffsets } from '../../kafka/topics.ts';
import { freshTopic, readUpTo, withReader } from './fresh-topic.ts';
import type { FreshTopic } from './fresh-topic.ts';

async function withWriter<Result>(fresh: FreshTopic, use: (writer: EventWriter) => Promise<Result>): Promise<Result> {
  const writer = await openEventWriter(fresh);
  try {
    return await use(writer);
  } finally {
    await writer.close();
  }
}

async function readAll(fresh: FreshTopic) {
  const ends = await partitionOffsets(fresh);
  return Promise.all(
    ends.map(({ partition, endOffset }) => withReader(fresh, { partition }, (reader) => readUpTo(reader, endOffset))),
  );
}

test('every message of many writes at once is in its partition once and in order', async () => {
  const fresh = await freshTopic({ partitions: 3 });
  await withWriter(fresh, (writer) =>
    Promise.all(
      Array.from({ length: 10 }, (_unused, write) =>
        writer.write(
          Array.from({ length: 700 }, (_, index) => ({
            key: `user-${index % 50}`,
            value: Buffer.from(`${write * 700 + index}`),
          })),
        ),
      ),
    ),
  );
  const partitions = await readAll(fresh);
  expect(partitions.flat()).toHaveLength(7_000);
  for (const [partition, messages] of partitions.entries()) {
    const numbers = messages.map(({ value }) => Number(value?.toString()));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(messages.every(({ key }) => key !== null && partitionOf(key, 3) === partition)).toBe(true);
  }
});

test('a key goes where the default partitioner of Kafka puts it', () => {
  const choose = Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: 12 }, (_, partitionId) => ({
    partitionId,
    partitionErrorCode: 0,
    leader: 1,
    replicas: [1],
    isr: [1],
  }));
  const keys = Array.from({ length: 2_000 }, (_, index) => (index % 2 ? randomBytes(index % 40) : randomUUID()));
  for (const key of ['', 'a', 'user-1', 'Zoë', ...keys].filter((each) => each.length > 0)) {
    const theirs = choose({ topic: 'any', partitionMetadata, message: { key, value: null } });
    expect(partitionOf(Buffer.from(key), 12)).toBe(theirs);
  }
});

test('key, value, headers, time and a chosen partition arrive as they were given', async () => {
  const fresh = await freshTopic({ partitions: 2 });
  const headers = [
    { name: 'trace', value: Buffer.from([0, 255]) },
    { name: 'trace', value: null },
    { name: 'reason', value: Buffer.from('not_json') },
  ];
  const messages: EventToWrite[] = [
    { key: 'user-1', value: Buffer.from('a'), timestampMs: 1_700_000_000_000, headers, partition: 1 },
    { key: null, value: null, timestampMs: 1_600_000_000_000, partition: 1 },
  ];
  await withWriter(fresh, (writer) => writer.write(messages));
  const [empty, full] = await readAll(fresh);
  expect(empty).toEqual([]);
  expect(full).toEqual([
    { offset: 0, timestampMs: 1_700_000_000_000, key: Buffer.from('user-1'), value: Buffer.from('a'), headers },
    { offset: 1, timestampMs: 1_600_000_000_000, key: null, value: null, headers: [] },
  ]);
});

test('messages without key and partition take turns', async () => {
  const fresh = await freshTopic({ partitions: 2 });
  const nobody = { key: null, value: Buffer.from('x') };
  await withWriter(fresh, (writer) => writer.write([nobody, nobody, nobody, nobody]));
  expect((await readAll(fresh)).map((messages) => messages.length)).toEqual([2, 2]);
});

test('a message too large for the topic is refused with its name; the writer goes on', async () => {
  const fresh = await freshTopic({ settings: { 'max.message.bytes': '20000' } });
  await withWriter(fresh, async (writer) => {
    const large = writer.write([{ key: 'k', value: Buffer.alloc(30_000) }]);
    await expect(large).rejects.toBeInstanceOf(KafkaRefusedError);
    await expect(large).rejects.toThrow(/MESSAGE_TOO_LARGE/);
    await writer.write([{ key: 'k', value: Buffer.from('small') }]);
  });
  expect((await readAll(fresh)).flat().map(({ value }) => value?.toString())).toEqual(['small']);
});

test('a batch too large for the topic is made smaller', async () => {
  const fresh = await freshTopic({ settings: { 'max.message.bytes': '20000' } });
  const messages = Array.from({ length: 300 }, (_, index) => ({ key: 'k', value: Buffer.alloc(900, String(index)) }));
  await withWriter(fresh, (writer) => writer.write(messages));
  const read = (await readAll(fresh)).flat();
  expect(read.map(({ value }) => value)).toEqual(messages.map(({ value }) => value));
});

test('a partition that is not there is refused before anything is sent', async () => {
  const fresh = await freshTopic();
  await withWriter(fresh, async (writer) => {
    await expect(writer.write([{ key: null, value: null, partition: 7 }])).rejects.toThrow(/has no partition 7/);
  });
  expect((await readAll(fresh)).flat()).toEqual([]);
});

test('a missing topic and a missing broker are one sentence each', async () => {
  const fresh = await freshTopic();
  await expect(openEventWriter({ ...fresh, topic: `${fresh.topic}-not` })).rejects.toBeInstanceOf(TopicMissingError);
  const nowhere = openEventWriter({ ...fresh, brokers: ['127.0.0.1:1'] });
  await expect(nowhere).rejects.toBeInstanceOf(KafkaUnreachableError);
  await expect(nowhere).rejects.toThrow(/No Kafka broker answers at 127\.0\.0\.1:1 .*set WEIR_KAFKA_BROKERS/);
});

test('a write that is aborted or closed rejects with the reason', async () => {
  const fresh = await freshTopic();
  const stop = new AbortController();
  const aborted = await openEventWriter({ ...fresh, signal: stop.signal });
  const waiting = aborted.write([{ key: 'k', value: null }]);
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await expect(aborted.write([{ key: 'k', value: null }])).rejects.toThrow('enough');
  const closed = await openEventWriter(fresh);
  await closed.close();
  await expect(closed.write([{ key: 'k', value: null }])).rejects.toThrow(/writer of topic .* is closed/);
});
