// A chain of commits that is cut off again and again: what was read ahead is forgotten, and nothing is lost or doubled.
import { Client } from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { CommitChain } from '../../activities/commit-chain.ts';
import { openPartitionReader } from '../../kafka/partition-reader.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { unaccountedOffsets } from '../../pipeline/checkpoint.ts';
import type { Checkpoint } from '../../pipeline/checkpoint.ts';
import { must } from '../../pipeline/ensure.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { ensureCheckpoint, readCheckpoint, takeLease } from '../../postgres/checkpoints.ts';
import { clientConfig } from '../../postgres/pool.ts';
import { freshDatabase } from '../support/database.ts';
import { pageView } from '../support/messages.ts';
import type { TestDatabase } from '../support/database.ts';
import { seededTopic } from '../support/seeded-topic.ts';
import type { SeededTopic } from '../support/seeded-topic.ts';

const MESSAGES = 20_000;
let topic: SeededTopic;
let database: TestDatabase;
let spec: PipelineSpec;

beforeAll(async () => {
  const shape = { seed: 11, duplicates: 0.01, malformed: 0.01, disorder: 0.05, startTimeMs: Date.parse('2026-11-01') };
  topic = await seededTopic(inject('servers').kafkaBrokers, { partitions: 1, count: MESSAGES, ...shape });
  await topic.send(0, MESSAGES);
  database = await freshDatabase();
  spec = {
    topic: topic.topic,
    schema: database.schema,
    latenessMs: 10_000,
    idleAfterMs: 1_000,
    maxFutureMs: 300_000,
    amendHorizonMs: 86_400_000,
    amendIntervalMs: 1_000,
    retentionMs: null,
  };
  await ensureCheckpoint(database.pool, spec, { partition: 0, firstOffset: 0 });
});

afterAll(() => topic.remove());

/** Ingests until the end, or until `cutAfter` turns: then the session in PostgreSQL is killed under the chain. */
async function ingest(
  checkpoint: Checkpoint,
  given: { spec: PipelineSpec; until: number; cutAfter: number | null },
): Promise<void> {
  const client = new Client(clientConfig({ url: database.url }));
  client.on('error', () => {});
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  // Small fetches: many commits, so that a cut hits one with the next batch already judged.
  const reader = await openPartitionReader({
    brokers: inject('servers').kafkaBrokers,
    topic: given.spec.topic,
    partition: 0,
    fromOffset: checkpoint.nextOffset,
    maxBytes: 60_000,
  });
  try {
    const chain = new CommitChain({ spec: given.spec, checkpoint, reader, client, metrics: openMetrics().ingest });
    let turns = 0;
    await chain.run(
      () => chain.progress().nextOffset < given.until,
      () => {
        if (++turns === given.cutAfter) void database.pool.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      },
    );
  } finally {
    await reader.close();
    await client.end();
  }
}

test('a session killed in the middle of a commit, again and again, loses and doubles nothing', async () => {
  let cuts = 0;
  let checkpoint = await takeLease(database.pool, spec, 0);
  while (checkpoint.nextOffset < MESSAGES) {
    try {
      await ingest(checkpoint, { spec, until: MESSAGES, cutAfter: 3 + (cuts % 5) });
    } catch {
      cuts++;
    }
    checkpoint = must(await readCheckpoint(database.pool, spec, 0), 'the checkpoint');
  }
  expect(cuts).toBeGreaterThan(3);
  expect(unaccountedOffsets(checkpoint)).toBe(0);

  const sent = topic.messages().map(({ value }) => {
    try {
      return { id: String(JSON.parse(value.toString()).event_id), text: value.toString() };
    } catch {
      return { id: null, text: '' };
    }
  });
  const { rows } = await database.pool.query<{ event_id: string }>(`select event_id from ${spec.schema}.events`);
  const recorded = new Set(rows.map(({ event_id }) => event_id));
  expect(recorded.size).toBe(rows.length);
  const { rows: letters } = await database.pool.query<{ kafka_offset: string }>(
    `select kafka_offset from ${spec.schema}.dead_letters`,
  );
  const refused = new Set(letters.map(({ kafka_offset }) => Number(kafka_offset)));
  expect(refused.size).toBe(letters.length);
  // One partition: a message's offset is its index. Each is an event or a dead letter, never both and never neither.
  const missing = sent.filter(({ id }, offset) => !refused.has(offset) && (id === null || !recorded.has(id)));
  expect(missing).toEqual([]);
  expect(rows.length + letters.length + checkpoint.counts.duplicate).toBe(MESSAGES);
});

test('an event that PostgreSQL refused is no reason to take a repaired one with the same identity for a duplicate', async () => {
  const repaired = pageView({ user_id: 'short' });
  const refused = { ...repaired, user_id: 'far too long a name' };
  const raw = await seededTopic(inject('servers').kafkaBrokers, {
    partitions: 1,
    count: 1,
    startTimeMs: Date.parse('2026-11-01'),
  });
  const values = [pageView(), refused, repaired, pageView(), repaired].map((event) => JSON.stringify(event));
  await raw.sendRaw(values.map((value) => ({ value, partition: 0, timestampMs: Date.parse('2026-11-01T12:00:00Z') })));
  const own = await freshDatabase();
  const ownSpec = { ...spec, topic: raw.topic, schema: own.schema };
  await own.pool.query(`alter table ${own.schema}.events alter column user_id type varchar(10)`);
  await ensureCheckpoint(own.pool, ownSpec, { partition: 0, firstOffset: 0 });

  let checkpoint = await takeLease(own.pool, ownSpec, 0);
  for (let chains = 0; checkpoint.nextOffset < values.length && chains < 10; chains++) {
    await ingest(checkpoint, { spec: ownSpec, until: values.length, cutAfter: null });
    checkpoint = must(await readCheckpoint(own.pool, ownSpec, 0), 'the checkpoint');
  }
  expect(checkpoint.counts).toEqual({ recorded: 3, duplicate: 1, late: 0, rejected: 1, skipped: 0 });
  const { rows } = await own.pool.query<{ user_id: string }>(
    `select user_id from ${own.schema}.events where event_id = $1`,
    [repaired['event_id']],
  );
  expect(rows).toEqual([{ user_id: 'short' }]);
  await raw.remove();
});
