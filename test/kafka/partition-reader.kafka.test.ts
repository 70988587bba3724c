// The partition reader against a real broker: every message once, in order, and nothing skipped in silence.
import { randomUUID } from 'node:crypto';

import { expect, test } from 'vitest';

import { LongTroubleError, LostRangeError, OffsetBeyondEndError } from '../../kafka/failures.ts';
import { freshTopic, makeTopic, produceWithKafkajs, readUpTo, withAdmin, withReader } from './fresh-topic.ts';

const numbered = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({ key: `k${from + index}`, value: `v${from + index}` }));

test('every message from an offset on comes exactly once, in order', async () => {
  const fresh = await freshTopic();
  await produceWithKafkajs(fresh, [numbered(0, 500), numbered(500, 500), numbered(1000, 7)]);
  const messages = await withReader(fresh, { fromOffset: 3, maxBytes: 2_000 }, (reader) => readUpTo(reader, 1007));
  expect(messages.map(({ offset }) => offset)).toEqual(Array.from({ length: 1004 }, (_, index) => index + 3));
  expect(messages.every(({ offset, value }) => value?.toString() === `v${offset}`)).toBe(true);
});

test('a seek goes back and forth, and what was fetched ahead is thrown away', async () => {
  const fresh = await freshTopic();
  await produceWithKafkajs(fresh, [numbered(0, 100), numbered(100, 100), numbered(200, 100)]);
  await withReader(fresh, { maxBytes: 100 }, async (reader) => {
    const first = await reader.next();
    expect(first).toMatchObject({ fromOffset: 0, nextOffset: 100 });
    reader.seek(42);
    const again = await reader.next();
    expect([again.fromOffset, again.messages[0]?.offset, again.nextOffset]).toEqual([42, 42, 100]);
    const waiting = reader.next();
    reader.seek(250);
    expect((await waiting).messages.map(({ offset }) => offset)).toEqual(Array.from({ length: 50 }, (_, i) => i + 250));
  });
});

test('an empty topic answers after the longest wait, without messages', async () => {
  const fresh = await freshTopic();
  await withReader(fresh, { maxWaitMs: 150 }, async (reader) => {
    await reader.next();
    const before = performance.now();
    const fetched = await reader.next();
    expect(performance.now() - before).toBeLessThan(1_000);
    expect(fetched).toEqual({ messages: [], fromOffset: 0, nextOffset: 0, endOffset: 0, logStartOffset: 0 });
    expect(reader.endOffset()).toBe(0);
    expect(reader.waitingFor()).toBeNull();
  });
});

test('a message that arrives while the reader waits comes at once', async () => {
  const fresh = await freshTopic();
  await withReader(fresh, { maxWaitMs: 5_000 }, async (reader) => {
    const waiting = reader.next();
    await produceWithKafkajs(fresh, [numbered(0, 1)]);
    const before = performance.now();
    expect((await waiting).messages).toHaveLength(1);
    expect(performance.now() - before).toBeLessThan(1_000);
  });
});

test('aborted transactions and control records are not messages, but move the position', async () => {
  const fresh = await freshTopic();
  const producer = fresh.client.kafka.producer({
    transactionalId: randomUUID(),
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  for (const [index, ends] of (['commit', 'abort', 'commit', 'abort'] as const).entries()) {
    const transaction = await producer.transaction();
    await transaction.send({ topic: fresh.topic, messages: numbered(index * 3, 3) });
    await transaction.send({ topic: fresh.topic, messages: numbered(100 + index, 1) });
    await transaction[ends]();
  }
  await producer.disconnect();
  await produceWithKafkajs(fresh, [numbered(12, 1)]);
  // 4 x (4 records + 1 marker) + 1
  const { messages, last } = await withReader(fresh, {}, async (reader) => {
    const read = await readUpTo(reader, 21);
    return { messages: read, last: await reader.next() };
  });
  expect(messages.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 10, 11, 12, 13, 20]);
  expect(last).toMatchObject({ messages: [], nextOffset: 21, endOffset: 21 });
  const fromMiddle = await withReader(fresh, { fromOffset: 7, maxBytes: 1 }, (reader) => readUpTo(reader, 21));
  expect(fromMiddle.map(({ offset }) => offset)).toEqual([10, 11, 12, 13, 20]);
});

test('an open transaction ends the log: its end offset is the last stable one', async () => {
  const fresh = await freshTopic();
  await produceWithKafkajs(fresh, [numbered(0, 2)]);
  const producer = fresh.client.kafka.producer({
    transactionalId: randomUUID(),
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic: fresh.topic, messages: numbered(2, 2) });
  await withReader(fresh, {}, async (reader) => {
    expect((await readUpTo(reader, 2)).map(({ offset }) => offset)).toEqual([0, 1]);
    expect(await reader.next()).toMatchObject({ messages: [], nextOffset: 2, endOffset: 2 });
    await transaction.commit();
    expect((await readUpTo(reader, 5)).map(({ offset }) => offset)).toEqual([2, 3]);
  });
  await producer.disconnect();
});

test('deleted messages below the position are no loss; deleted messages that were never read stop the reader', async () => {
  const fresh = await freshTopic();
  await produceWithKafkajs(fresh, [numbered(0, 10), numbered(10, 10)]);
  const partitions = [{ partition: 0, offset: '12' }];
  await withAdmin(fresh.client, async (admin) => {
    await admin.fetchTopicOffsets(fresh.topic); // makes kafkajs look up the leader that deleteTopicRecords needs
    await admin.deleteTopicRecords({ topic: fresh.topic, partitions });
  });
  const kept = await withReader(fresh, { fromOffset: 12 }, (reader) => reader.next());
  expect(kept).toMatchObject({ logStartOffset: 12, nextOffset: 20 });
  expect(kept.messages.map(({ offset }) => offset)).toEqual([12, 13, 14, 15, 16, 17, 18, 19]);
  await withReader(fresh, { fromOffset: 5 }, async (reader) => {
    const failure = await reader.next().catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(LostRangeError);
    expect(failure).toMatchObject({ topic: fresh.topic, partition: 0, wanted: 5, logStart: 12 });
    expect(String(failure)).toMatch(/Offsets 5 to 11 of partition 0 .* are gone.*weir partition accept-gap 0/);
    reader.seek(12);
    expect((await reader.next()).messages[0]?.offset).toBe(12);
  });
});

test('a position behind the end of the log is an error of its own', async () => {
  const fresh = await freshTopic();
  await produceWithKafkajs(fresh, [numbered(0, 10)]);
  await withReader(fresh, { fromOffset: 11 }, async (reader) => {
    await expect(reader.next()).rejects.toBeInstanceOf(OffsetBeyondEndError);
    await expect(reader.next()).rejects.toMatchObject({ wanted: 11, logEnd: 10 });
  });
});

test('a message larger than the fetch comes whole', async () => {
  const fresh = await freshTopic({ settings: { 'max.message.bytes': '3000000' } });
  const value = Buffer.alloc(1024 * 1024, 'x');
  await produceWithKafkajs(fresh, [numbered(0, 1), [{ key: 'large', value }], numbered(2, 1)]);
  const messages = await withReader(fresh, { maxBytes: 10_000 }, (reader) => readUpTo(reader, 3));
  expect(messages.map(({ offset }) => offset)).toEqual([0, 1, 2]);
  expect(messages[1]?.value?.equals(value)).toBe(true);
});

test('the bytes of a message stay as they were while later fetches come in', async () => {
  const fresh = await freshTopic();
  await produceWithKafkajs(fresh, [numbered(0, 300), numbered(300, 300), numbered(600, 300), numbered(900, 300)]);
  await withReader(fresh, { maxBytes: 1 }, async (reader) => {
    const { messages } = await reader.next();
    const before = messages.map(({ key, value }) => `${key?.toString()} ${value?.toString()}`);
    await readUpTo(reader, 1200);
    expect(messages.map(({ key, value }) => `${key?.toString()} ${value?.toString()}`)).toEqual(before);
  });
});

test('a fetch that holds nothing but a control record moves the position', async () => {
  const fresh = await freshTopic();
  const producer = fresh.client.kafka.producer({
    transactionalId: randomUUID(),
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic: fresh.topic, messages: numbered(0, 1) });
  await transaction.commit();
  await producer.disconnect();
  const fetched = await withReader(fresh, { fromOffset: 1 }, (reader) => reader.next());
  expect(fetched).toMatchObject({ messages: [], fromOffset: 1, nextOffset: 2, endOffset: 2 });
});

test('an abort ends a wait promptly with its reason', async () => {
  const fresh = await freshTopic();
  const stop = new AbortController();
  await withReader(fresh, { maxWaitMs: 30_000, signal: stop.signal }, async (reader) => {
    const waiting = reader.next();
    const before = performance.now();
    setImmediate(() => stop.abort(new Error('enough')));
    await expect(waiting).rejects.toThrow('enough');
    expect(performance.now() - before).toBeLessThan(1_000);
    await expect(reader.next()).rejects.toThrow('enough');
  });
});

test('without a broker the reader waits, says why, and stops when told', async () => {
  const stop = new AbortController();
  const fresh = { ...(await freshTopic()), brokers: ['127.0.0.1:1'] };
  await withReader(fresh, { signal: stop.signal }, async (reader) => {
    const waiting = reader.next();
    await expect
      .poll(() => reader.waitingFor())
      .toMatch(/No Kafka broker answers at 127\.0\.0\.1:1 .*WEIR_KAFKA_BROKERS/);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});

test('a reader that gets no answer for longer than its patience fails and says why, and can be asked again', async () => {
  const fresh = { ...(await freshTopic()), brokers: ['127.0.0.1:1'] };
  await withReader(fresh, { patienceMs: 300 }, async (reader) => {
    const sentence = /Nothing could be read from partition 0 of topic \S+ for \d+ s: No Kafka broker answers at 127/;
    await expect(reader.next()).rejects.toThrow(sentence);
    await expect(reader.next()).rejects.toThrow(LongTroubleError);
  });
});

test('a topic that does not exist yet is waited for', async () => {
  const fresh = await freshTopic();
  const later = { ...fresh, topic: `${fresh.topic}-later` };
  await withReader(later, {}, async (reader) => {
    const waiting = reader.next();
    await expect.poll(() => reader.waitingFor()).toMatch(/can't be read/);
    await makeTopic(fresh.client, { topic: later.topic, numPartitions: 1 });
    expect(await waiting).toMatchObject({ fromOffset: 0, messages: [] });
    expect(reader.waitingFor()).toBeNull();
  });
});
