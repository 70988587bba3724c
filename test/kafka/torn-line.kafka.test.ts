// Lines to the broker that break in the middle of an answer: nothing torn is taken for data, nothing is read or written twice.
import { inject, onTestFinished, expect, test } from 'vitest';

import { openEventWriter } from '../../kafka/event-writer.ts';
import { UnreadableRecordsError } from '../../kafka/failures.ts';
import { openPartitionReader } from '../../kafka/partition-reader.ts';
import { openTopicObserver, partitionOffsets } from '../../kafka/topics.ts';
import { must } from '../../pipeline/ensure.ts';
import { beforeConfirmation, middleOfFetch, midFetch } from '../chaos/kafka-answers.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { freshTopic, produceWithKafkajs, readUpTo } from './fresh-topic.ts';

const numbered = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({
    key: `k${from + index}`,
    value: `${from + index}`.padStart(300, '.'),
  }));

async function proxied(): Promise<TcpProxy> {
  const target = must(inject('servers').kafkaBrokers[0], 'the address of the broker');
  const proxy = await openTcpProxy({ target, namesItself: true });
  onTestFinished(async () => await proxy.close());
  return proxy;
}

test('a reader whose answers are cut in the middle again and again reads every message once, in order', async () => {
  const fresh = await freshTopic();
  await produceWithKafkajs(
    fresh,
    [0, 500, 1000, 1500].map((from) => numbered(from, 500)),
  );
  const proxy = await proxied();
  let cuts = 0;
  const cutNext = (): void => proxy.cutAt(midFetch(fresh.topic, () => (cuts += 1)));
  const reader = await openPartitionReader({
    brokers: [proxy.address],
    topic: fresh.topic,
    partition: 0,
    fromOffset: 0,
    maxBytes: 1_000,
  });
  const read: string[] = [];
  cutNext();
  for (let turn = 0; read.length < 2_000; turn += 1) {
    const { messages } = await reader.next();
    read.push(...messages.map(({ value }) => value?.toString() ?? ''));
    if (turn < 3) cutNext();
  }
  await reader.close();
  expect(cuts).toBeGreaterThan(2);
  expect(read).toEqual(numbered(0, 2_000).map(({ value }) => value));
});

test('a bit that flips on the way is noticed, and reading again gives what was written', async () => {
  const fresh = await freshTopic();
  await produceWithKafkajs(fresh, [numbered(0, 500)]);
  const proxy = await proxied();
  let flips = 0;
  // The broker may send the head of an answer in a chunk of its own, so that the records stand in a later one.
  let bytesUntilFlip: number | null = null;
  proxy.cutAt((chunk, from) => {
    if (from !== 'server') return null;
    bytesUntilFlip ??= flips === 0 ? middleOfFetch(fresh.topic, chunk) : null;
    if (bytesUntilFlip === null) return null;
    if (bytesUntilFlip < chunk.length) {
      chunk[bytesUntilFlip] = (chunk[bytesUntilFlip] ?? 0) ^ 4;
      flips += 1;
      bytesUntilFlip = null;
    } else bytesUntilFlip -= chunk.length;
    return null;
  });
  const brokers = [proxy.address];
  const reader = await openPartitionReader({ brokers, topic: fresh.topic, partition: 0, fromOffset: 0 });
  await expect(reader.next()).rejects.toThrow(UnreadableRecordsError);
  expect(flips).toBe(1);
  const { messages } = await reader.next();
  await reader.close();
  expect(messages.map(({ value }) => value?.toString())).toEqual(numbered(0, 500).map(({ value }) => value));
});

test('a reader on a link too slow for its fetches asks for smaller ones until they come in time', async () => {
  const fresh = await freshTopic();
  await produceWithKafkajs(
    fresh,
    Array.from({ length: 20 }, (_, index) => numbered(index * 100, 100)),
  );
  const proxy = await proxied();
  const reader = await openPartitionReader({
    brokers: [proxy.address],
    topic: fresh.topic,
    partition: 0,
    fromOffset: 0,
    requestTimeoutMs: 2_000,
  });
  // All of it takes five seconds.
  proxy.delay({ ms: 10, bytesPerSecond: 130_000 });
  const messages = await readUpTo(reader, 2_000);
  await reader.close();
  expect(messages.map(({ value }) => value?.toString())).toEqual(numbered(0, 2_000).map(({ value }) => value));
}, 60_000);

test('an observer that gets no answer says so before its lease counts as lost, and works again when the line does', async () => {
  const fresh = await freshTopic();
  const proxy = await proxied();
  const observer = await openTopicObserver({ brokers: [proxy.address], topic: fresh.topic });
  await observer.offsets();
  proxy.blackhole();
  const startedMs = performance.now();
  const sentence = /^KafkaUnreachableError: No Kafka broker answers at 127\.0\.0\.1:\d+ \(.+\): start it, or set/;
  expect(String(await observer.offsets().catch((thrown: unknown) => thrown))).toMatch(sentence);
  // One that has to connect first, too.
  expect(String(await observer.partitions().catch((thrown: unknown) => thrown))).toMatch(sentence);
  expect(performance.now() - startedMs).toBeLessThan(19_000);
  await proxy.heal();
  expect(await observer.offsets()).toHaveLength(1);
  await observer.close();
}, 40_000);

test('a writer whose confirmations are cut off again and again has written every message once', async () => {
  const fresh = await freshTopic();
  const proxy = await proxied();
  const writer = await openEventWriter({ brokers: [proxy.address], topic: fresh.topic });
  let cuts = 0;
  const cutNext = (): void => {
    proxy.cutAt(
      beforeConfirmation(fresh.topic, () => {
        cuts += 1;
        // The repetition is not confirmed either.
        if (cuts % 3 !== 0) setImmediate(cutNext);
      }),
    );
  };
  for (const from of [0, 100, 200]) {
    cutNext();
    await writer.write(numbered(from, 100).map(({ key, value }) => ({ key, value: Buffer.from(value) })));
  }
  await writer.close();
  expect(cuts).toBe(9);
  expect(await partitionOffsets({ brokers: fresh.brokers, topic: fresh.topic })).toMatchObject([{ endOffset: 300 }]);
});
