// What a log holds besides plain messages: markers, aborted records, holes, other codecs, batches that unpack to a flood.
import { randomUUID } from 'node:crypto';

import { CompressionTypes } from 'kafkajs';
import { describe, expect, inject, test } from 'vitest';

import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import { UnreadableRecordsError } from '../../kafka/failures.ts';
import { must } from '../../pipeline/ensure.ts';
import { NO_COUNTS } from '../../pipeline/micro-batch.ts';
import { readCheckpoints } from '../../postgres/checkpoints.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { freshTopic, produceWithKafkajs, readUpTo, withReader } from '../kafka/fresh-topic.ts';
import type { FreshTopic } from '../kafka/fresh-topic.ts';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { handDrivenPipeline } from '../support/hand-driven-pipeline.ts';
import { pageView } from '../support/messages.ts';

const MIB = 1_048_576;
/** The broker stamps what it gets with its clock: no event may lie far ahead of that. */
const event = (timestampMs = Date.now()): string =>
  JSON.stringify(pageView({ timestamp: new Date(timestampMs).toISOString() }));
const events = (count: number) => Array.from({ length: count }, () => ({ key: 'user-1', value: event() }));

/** A pipeline of the topic in a schema of its own; `counts` are what its checkpoint says. */
async function pipelineOf({ brokers, topic }: FreshTopic) {
  const database = await freshDatabase();
  const pipeline = await handDrivenPipeline(database, { brokers, topic });
  const tables = quoteSchema(database.schema);
  return {
    ingest: async () => await pipeline.ingest(),
    checkpoint: async () => must((await readCheckpoints(database.pool, pipeline.spec))[0], 'the checkpoint'),
    rows: async (sql: string) =>
      (await database.pool.query<Record<string, unknown>>(sql.replaceAll('@', `${tables}.`))).rows,
    verify: async () =>
      await verifyPipeline({ brokers, postgresUrl: inject('servers').postgresUrl, spec: pipeline.spec }),
  };
}

async function expectClean(pipeline: Awaited<ReturnType<typeof pipelineOf>>): Promise<void> {
  const { checks, clean } = await pipeline.verify();
  expect(checks.flatMap(({ examples }) => examples)).toEqual([]);
  expect(clean).toBe(true);
}

test('markers and aborted records of a transactional producer are skipped, counted, and verified', async () => {
  const fresh = await freshTopic();
  const producer = fresh.client.kafka.producer({
    transactionalId: randomUUID(),
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  for (const ends of ['abort', 'commit', 'abort', 'commit', 'abort'] as const) {
    const transaction = await producer.transaction();
    await transaction.send({ topic: fresh.topic, messages: [...events(3), { key: 'k', value: 'not json' }] });
    await transaction[ends]();
  }
  await producer.disconnect();
  const pipeline = await pipelineOf(fresh);
  await pipeline.ingest();
  const { counts, nextOffset } = await pipeline.checkpoint();
  // 5 x (4 records + 1 marker); of those, the records of two are messages.
  expect(nextOffset).toBe(25);
  expect(counts).toEqual({ ...NO_COUNTS, recorded: 6, rejected: 2, skipped: 17 });
  await expectClean(pipeline);
});

test('holes that compaction left are skipped, counted, and verified', async () => {
  const fresh = await freshTopic({
    settings: {
      'cleanup.policy': 'compact',
      'segment.ms': '100',
      'min.cleanable.dirty.ratio': '0.001',
      'max.compaction.lag.ms': '100',
    },
  });
  for (let batch = 0; batch < 3; batch += 1)
    await produceWithKafkajs(fresh, [events(40), [{ key: `k${batch}`, value: 'not json' }]]);
  let end = 123;
  const left = await eventually(
    async () => {
      // Only what a newer segment follows is compacted.
      await produceWithKafkajs(fresh, [[{ key: 'last', value: event() }]]);
      end += 1;
      const messages = await withReader(fresh, {}, (reader) => readUpTo(reader, end));
      return messages.length < 60 && messages.length;
    },
    { deadlineMs: 120_000, what: 'the broker compacts the topic' },
  );
  const pipeline = await pipelineOf(fresh);
  await pipeline.ingest();
  const { counts, nextOffset } = await pipeline.checkpoint();
  expect(nextOffset).toBe(end);
  expect(counts.rejected).toBe(3);
  expect(counts.recorded).toBeLessThanOrEqual(left - 3);
  expect(counts.skipped).toBeGreaterThan(60);
  expect(counts.recorded + counts.rejected + counts.skipped).toBe(end);
  await expectClean(pipeline);
}, 180_000);

test('where the broker stamps the time of appending, that time judges the future and stands in the rows', async () => {
  const fresh = await freshTopic({ settings: { 'message.timestamp.type': 'LogAppendTime' } });
  const beforeMs = Date.now();
  await produceWithKafkajs(fresh, [[{ value: event(beforeMs) }, { value: event(beforeMs + 600_000) }]]);
  const pipeline = await pipelineOf(fresh);
  await pipeline.ingest();
  expect((await pipeline.checkpoint()).counts).toEqual({ ...NO_COUNTS, recorded: 1, rejected: 1 });
  const [letter] = await pipeline.rows('select reason from @dead_letters');
  expect(letter).toEqual({ reason: 'too_far_in_future' });
  const [row] = await pipeline.rows('select (extract(epoch from kafka_timestamp) * 1000)::float8 as ms from @events');
  expect(Number(row?.['ms'])).toBeGreaterThanOrEqual(beforeMs);
  await expectClean(pipeline);
});

describe('batches that the broker has compressed', () => {
  test('with gzip are read', async () => {
    const fresh = await freshTopic({ settings: { 'compression.type': 'gzip' } });
    await produceWithKafkajs(fresh, [[...events(50), { key: 'k', value: 'not json' }], [{ key: 'k', value: null }]]);
    const pipeline = await pipelineOf(fresh);
    await pipeline.ingest();
    expect((await pipeline.checkpoint()).counts).toEqual({ ...NO_COUNTS, recorded: 50, rejected: 2 });
    await expectClean(pipeline);
  });

  test.each(['snappy', 'lz4', 'zstd'])(
    'with %s stop the partition before the first of them, and say so',
    async (codec) => {
      const fresh = await freshTopic({ settings: { 'compression.type': codec } });
      await produceWithKafkajs(fresh, [events(20)]);
      const pipeline = await pipelineOf(fresh);
      const failure = await pipeline.ingest().catch((thrown: unknown) => thrown);
      expect(failure).toBeInstanceOf(UnreadableRecordsError);
      const sentence = `The batch at offset 0 of partition 0 of topic ${fresh.topic} is compressed with ${codec}, which`;
      expect(String(failure)).toContain(sentence);
      const { nextOffset, counts } = await pipeline.checkpoint();
      expect({ nextOffset, counts }).toEqual({ nextOffset: 0, counts: NO_COUNTS });
    },
  );
});

test('a compressed batch of 48 values of 1 MiB becomes events and letters, each with all its bytes', async () => {
  const fresh = await freshTopic();
  const messages = Array.from({ length: 48 }, (_, at) => ({
    key: `k${at}`,
    value: at % 2 === 0 ? event().padEnd(MIB, ' ') : Buffer.alloc(MIB, at),
  }));
  await produceWithKafkajs(fresh, [messages], CompressionTypes.GZIP);
  const pipeline = await pipelineOf(fresh);
  await pipeline.ingest();
  expect((await pipeline.checkpoint()).counts).toEqual({ ...NO_COUNTS, recorded: 24, rejected: 24 });
  const letters = await pipeline.rows(
    `select count(*)::int as letters, min(length(value)) as least, count(distinct md5(value))::int as different from @dead_letters`,
  );
  expect(letters).toEqual([{ letters: 24, least: MIB, different: 24 }]);
  await expectClean(pipeline);
});

test('a compressed batch of 48 keys of 1 MiB with nothing behind them is committed in small steps', async () => {
  const fresh = await freshTopic();
  const messages = Array.from({ length: 48 }, (_, at) => ({ key: Buffer.alloc(MIB, at), value: null }));
  await produceWithKafkajs(fresh, [messages], CompressionTypes.GZIP);
  const pipeline = await pipelineOf(fresh);
  await pipeline.ingest();
  expect((await pipeline.checkpoint()).counts).toEqual({ ...NO_COUNTS, rejected: 48 });
  const [row] = await pipeline.rows(
    'select count(distinct created_at)::int as transactions, min(length(key)) as least from @dead_letters',
  );
  expect(row).toEqual({ transactions: 12, least: MIB });
  await expectClean(pipeline);
});
