// What the latency probe saw becomes latencies: exact ones, of every event it saw and of no other.
import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { LatencyBuckets } from '../../bench/latency-buckets.ts';
import { LatencyHarvest } from '../../bench/latency-harvest.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

const DUE_MS = Date.UTC(2026, 5, 1, 12);

let database: TestDatabase;
let harvest: LatencyHarvest;

beforeAll(async () => {
  database = await freshDatabase();
  await database.pool.query(`select ${quoteSchema(database.schema)}.ensure_event_days(array['2026-06-01'::date])`);
  harvest = await LatencyHarvest.open(database.url, database.schema);
});
afterAll(async () => await harvest.close());

/** Stores the event of an offset that was due at `dueMs` and happened `disorderMs` before. */
async function store(partition: number, offset: number, at: { dueMs: number; disorderMs: number }): Promise<void> {
  await database.pool.query(
    `insert into ${quoteSchema(database.schema)}.events (event_id, occurred_at, event_type, user_id, device, location,
       session_id, schema_version, kafka_partition, kafka_offset, kafka_timestamp)
     values ($1, to_timestamp($2::float8 / 1000), 'search', 'u', 'd', 'l', 's', 1, $3, $4, to_timestamp($5::float8 / 1000))`,
    [randomUUID(), at.dueMs - at.disorderMs, partition, offset, at.dueMs],
  );
}

describe('a harvest', () => {
  test('has the latency of every event of the offsets that were seen, and of no other', async () => {
    for (const offset of [0, 1, 2, 3]) await store(0, offset, { dueMs: DUE_MS + offset * 100, disorderMs: 0 });
    const buckets = new LatencyBuckets();
    await harvest.count([{ partition: 0, from: 0, to: 3, atMs: DUE_MS + 250 }], buckets);
    const { events, p50, max } = buckets.percentiles();
    expect({ events, max: Math.round(max) }).toEqual({ events: 3, max: 250 });
    expect(Math.abs(p50 - 150)).toBeLessThan(1.5);
  });

  test('goes on where the one before ended, with events that are out of order', async () => {
    await store(0, 4, { dueMs: DUE_MS + 60_000, disorderMs: 9_000 });
    const buckets = new LatencyBuckets();
    await harvest.count([{ partition: 0, from: 3, to: 5, atMs: DUE_MS + 60_020 }], buckets);
    const { events, p50 } = buckets.percentiles();
    expect(events).toBe(2);
    expect(Math.abs(p50 - 20)).toBeLessThan(0.2);
  });

  test('measures a partition that stood still while others went on', async () => {
    await store(1, 0, { dueMs: DUE_MS, disorderMs: 0 });
    await harvest.count([{ partition: 1, from: 0, to: 1, atMs: DUE_MS + 10 }], new LatencyBuckets());
    for (const minute of [2, 3]) {
      const dueMs = DUE_MS + minute * 60_000;
      await store(0, 5 + minute, { dueMs, disorderMs: 0 });
      await harvest.count([{ partition: 0, from: 5 + minute, to: 6 + minute, atMs: dueMs }], new LatencyBuckets());
    }
    await store(1, 1, { dueMs: DUE_MS + 1_000, disorderMs: 0 });
    const buckets = new LatencyBuckets();
    await harvest.count([{ partition: 1, from: 1, to: 2, atMs: DUE_MS + 240_000 }], buckets);
    expect(buckets.percentiles()).toMatchObject({ events: 1, max: 239_000 });
  });
});
