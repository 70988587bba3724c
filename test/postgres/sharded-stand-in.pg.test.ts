// A stand-in for sharded PostgreSQL on one server: the product's tables, commits and closes on `events` hashed below its days,
// and on whole schemas that share the users. What comes out the same, and what does not, is what docs/scaling.md says.
import { beforeAll, describe, expect, it, test } from 'vitest';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import type { ProducedMessage } from '../../generator/produced-message.ts';
import { partitionOf } from '../../kafka/choose-partition.ts';
import { must } from '../../pipeline/ensure.ts';
import { amendWindows } from '../../postgres/amend-windows.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { holdPartition } from '../support/micro-batches.ts';
import { messageOf, pageView } from '../support/messages.ts';
import { resultDifferences } from '../support/verified-results.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

const DAY_MS = 86_400_000;
const SHARDS = 3;
const PARTITIONS = 3;
const BATCH = 360;
/** Two days back, so that both days get tables of their own, and no event lies in the future. */
const START_MS = Math.floor(Date.now() / DAY_MS) * DAY_MS - 2 * DAY_MS + 23.5 * 3_600_000;
const WINDOWED = ['event_counts', 'user_activity', 'purchase_metrics', 'session_metrics', 'device_stats'];
const COMPARED = [...WINDOWED, 'sessions', 'funnel', 'windows', 'amendments'];

/** An hour around midnight of a small shop, with disorder, repeats, late events and letters. */
function shopMessages(): ProducedMessage[] {
  const shares = { disorder: 0.05, duplicates: 0.02, late: 0.03, malformed: 0.01 };
  const spec = createGeneratorSpec({ topic: 't', seed: 5, rate: 0.2, users: 30, startTimeMs: START_MS, ...shares });
  return createMessageMaker(spec).messages({ fromIndex: 0, startMs: START_MS, rate: spec.rate }, 0, 720);
}

/** Puts a hash level below the days of a freshly migrated schema; the key grows by the column where it lacks it. */
async function hashDays({ pool, schema }: WindowedPipeline, column: string): Promise<void> {
  const tables = quoteSchema(schema);
  await pool.query(`
    alter table ${tables}.events drop constraint events_pkey, add primary key (${keyWith(column)});
    create or replace function ${tables}.ensure_event_days(days date[]) returns void language plpgsql as $$
    declare
      day date;
      name text;
    begin
      perform pg_advisory_xact_lock(hashtextextended('${tables}/event-days', 0));
      foreach day in array days loop
        name := 'events_' || to_char(day, 'YYYYMMDD');
        continue when to_regclass('${tables}.' || name) is not null;
        execute format('create table ${tables}.%I (like ${tables}.events including defaults) partition by hash (${column})', name);
        for shard in 0..${SHARDS - 1} loop
          execute format('create table ${tables}.%I partition of ${tables}.%I for values with (modulus ${SHARDS}, remainder %s)',
            name || '_' || shard, name, shard);
        end loop;
        execute format('alter table ${tables}.events attach partition ${tables}.%I for values from (%L) to (%L)', name,
          day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
      end loop;
    end $$`);
}

const keyWith = (column: string): string =>
  ['occurred_at', 'event_id', ...(column === 'event_id' ? [] : [column])].join(', ');

/**
 * Commits the messages batch by batch over leases, as their keys spread them over partitions, closes behind them, amends and
 * closes all. `takes`: which messages this pipeline gets; boundaries do not depend on it.
 */
async function run(
  pipeline: WindowedPipeline,
  takes: (message: ProducedMessage) => boolean = () => true,
): Promise<void> {
  const leases = await Promise.all(
    Array.from({ length: PARTITIONS }, async (_, partition) => await holdPartition(pipeline, partition)),
  );
  const offsets = leases.map(() => 0);
  const made = shopMessages();
  for (let from = 0; from < made.length; from += BATCH) {
    const batch = made.slice(from, from + BATCH);
    for (const [partition, lease] of leases.entries()) {
      const mine = batch.filter((each) => takes(each) && partitionOf(Buffer.from(each.key), PARTITIONS) === partition);
      const first = offsets[partition] ?? 0;
      const messages = mine.map(({ value, timestampMs }, nth) => messageOf(first + nth, value, { timestampMs }));
      if (messages.length > 0) await lease.commit(messages);
      offsets[partition] = first + messages.length;
    }
    await closeThrough(pipeline, new Date((batch.at(-1)?.timestampMs ?? START_MS) - 30_000).toISOString());
  }
  await amendWindows(pipeline.pool, pipeline.spec);
  await closeThrough(pipeline, new Date(START_MS + DAY_MS).toISOString());
}

/** Every cell of a table but when it was written, as sorted lines. */
async function cells({ pool, schema }: WindowedPipeline, table: string): Promise<string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select (to_jsonb(r) - 'closed_at' - 'id' - 'amended_at' - 'before' - 'after')::text as line
     from ${quoteSchema(schema)}.${table} r`,
  );
  return rows.map(({ line }) => line).toSorted();
}

/** Over how many shards the rows of one Kafka partition lie, at most, on any day. */
async function mostShardsOfPartition({ pool, schema }: WindowedPipeline): Promise<number> {
  const { rows } = await pool.query<{ most: number }>(
    `select max(shards)::int as most from (
       select count(distinct tableoid) as shards from ${quoteSchema(schema)}.events
       where tableoid::regclass::text ~ '_[0-9]{8}_[0-9]+"?$' group by kafka_partition, occurred_at::date) as days`,
  );
  return must(rows[0], 'a row of aggregates').most;
}

/** The rows of a result table of several schemas, put together: by `select` with its grouping, `@table@` being all of them. */
async function together(pipelines: readonly WindowedPipeline[], table: string, select: string): Promise<string[]> {
  const all = pipelines.map(({ schema }) => `select * from ${quoteSchema(schema)}.${table}`).join(' union all ');
  const { rows } = await whole.pool.query<{ line: string }>(
    `select to_jsonb(r)::text as line from (${select.replace('@table@', `(${all}) as t`)}) as r`,
  );
  return rows.map(({ line }) => line).toSorted();
}

const whole = await windowedPipeline();
await run(whole);

describe.each([
  { column: 'event_id', shardsOfCommit: SHARDS, eventsOfOtherPartition: 1, eventsOfOtherUser: 1 },
  { column: 'user_id', shardsOfCommit: SHARDS, eventsOfOtherPartition: 1, eventsOfOtherUser: 2 },
  { column: 'kafka_partition', shardsOfCommit: 1, eventsOfOtherPartition: 2, eventsOfOtherUser: 2 },
])('events hashed by $column below each day', ({ column, ...expected }) => {
  let sharded: WindowedPipeline;

  beforeAll(async () => {
    sharded = await windowedPipeline();
    await hashDays(sharded, column);
  });

  it('take the same commits, closes and amendments, and give the same cells', async () => {
    await run(sharded);
    for (const table of COMPARED) {
      const lines = await cells(sharded, table);
      expect(lines.length, table).toBeGreaterThan(0);
      expect(lines, table).toEqual(await cells(whole, table));
    }
    expect(await resultDifferences(sharded)).toEqual([]);
    // What a commit would be on servers of their own: within one, or in two phases over several.
    expect(await mostShardsOfPartition(sharded)).toBe(expected.shardsOfCommit);
  });

  it('know an event id that comes again as far as the key sees', async () => {
    const leases = [await holdPartition(sharded, 7), await holdPartition(sharded, 8)];
    const events = async (offset: number, again: Record<string, unknown>): Promise<number> => {
      const event = pageView();
      const committed = [event, { ...event, ...again }].map(
        async (value, nth) => await must(leases[nth], 'a lease for each').commit([messageOf(offset, value)]),
      );
      return (await Promise.all(committed)).reduce((sum, { counts }) => sum + counts.recorded, 0);
    };
    expect(await events(0, {}), 'over another partition').toBe(expected.eventsOfOtherPartition);
    expect(await events(1, { user_id: 'somebody else' }), 'under another user').toBe(expected.eventsOfOtherUser);
  });
});

describe('whole pipelines that share the users', () => {
  it('hold the rows of users and sessions side by side, and counts that add up, to the cell', async () => {
    const shards = await Promise.all([windowedPipeline(), windowedPipeline()]);
    for (const [shard, pipeline] of shards.entries()) {
      await run(pipeline, ({ key }) => partitionOf(Buffer.from(key), shards.length) === shard);
    }
    const windows = 'window_start, window_end';
    const sums = (...columns: string[]): string => columns.map((each) => `sum(${each})::text as ${each}`).join(', ');
    const grouped = (keys: string, measures: string): string =>
      `select ${windows}, ${keys}, ${measures} from @table@ group by ${windows}, ${keys}`;
    const average = 'round(sum(total_revenue) / sum(total_orders), 2) as avg_order_value';
    const bounds = 'max(max_order_value) as most, min(min_order_value) as least';
    const selects = {
      user_activity: `select ${windows}, user_id, event_count, events_by_type, first_event, last_event from @table@`,
      session_metrics: `select ${windows}, session_id, user_id, events_in_session, events_by_type, session_start, session_end from @table@`,
      sessions:
        'select user_id, session_start, session_end, events, revenue, cart_left, funnels, exit_page, cut from @table@',
      event_counts: grouped('event_type', sums('event_count', 'unique_users')),
      device_stats: grouped('device, location', sums('event_count', 'unique_users', 'unique_sessions')),
      purchase_metrics: grouped(
        'currency',
        `${sums('total_orders', 'total_revenue', 'unique_buyers')}, ${average}, ${bounds}`,
      ),
      funnel: grouped('funnel, device, location, step', sums('sessions', 'reached', 'drop_off', 'revenue')),
    };
    for (const [table, select] of Object.entries(selects)) {
      const rows = await together(shards, table, select);
      expect(rows.length, table).toBeGreaterThan(0);
      expect(rows, table).toEqual(await together([whole], table, select));
    }
  });
});

test('PostgreSQL takes a key for hashed tables only with the column that they are hashed by', async () => {
  const tables = quoteSchema(whole.schema);
  const create = `create table ${tables}.hashed (like ${tables}.events, primary key (occurred_at, event_id))`;
  await whole.pool.query(`begin; ${create} partition by hash (event_id); rollback`);
  await expect(whole.pool.query(`${create} partition by hash (user_id)`)).rejects.toThrow(
    'unique constraint on partitioned table must include all partitioning columns',
  );
});
