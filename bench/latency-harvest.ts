// What the latency probe saw, held against the events' Kafka timestamps, which are the times at which they were due.
import { Client } from 'pg';

import { GENERATOR_DEFAULTS } from '../generator/generator-spec.ts';
import { clientConfig } from '../postgres/pool.ts';
import { quoteSchema } from '../postgres/schema-name.ts';
import { BUCKET_GROWTH, LEAST_MS } from './latency-buckets.ts';
import type { LatencyBuckets } from './latency-buckets.ts';

/** The events of a partition's offsets `[from, to)` were readable at `atMs`, and had not been at the look before. */
export type Seen = { readonly partition: number; readonly from: number; readonly to: number; readonly atMs: number };

/** Events out of order have an event time that lies this far before the time at which they were due; late ones are not measured. */
const DISORDER_MS = GENERATOR_DEFAULTS.disorderMs;

type Row = { partition: number; bucket: number; events: number; max_ms: number; due_ms: number };

/** Counts on a connection of its own. */
export class LatencyHarvest {
  readonly #client: Client;
  readonly #schema: string;
  /** The last due time known of each partition: what it reads next was due no earlier. */
  readonly #dueMs = new Map<number, number>();

  private constructor(client: Client, schema: string) {
    this.#client = client;
    this.#schema = schema;
  }

  static async open(url: string, schema: string): Promise<LatencyHarvest> {
    const client = new Client(clientConfig({ url, applicationName: 'weir bench harvest' }));
    await client.connect();
    // A planner that takes the newest events for a handful would compare each of them with every offset seen.
    await client.query('set enable_nestloop = off');
    return new LatencyHarvest(client, schema);
  }

  /** Adds the latencies of these events to `buckets`. */
  async count(seen: readonly Seen[], buckets: LatencyBuckets): Promise<void> {
    if (seen.length === 0) return;
    const { rows } = await this.#client.query<Row>(
      `with seen as (
         select s.partition, o."offset", s."atMs"
           from jsonb_to_recordset($1::jsonb) as s (partition int, "from" bigint, "to" bigint, "atMs" float8),
             generate_series(s."from", s."to" - 1) as o ("offset")
       ), measured as (
         select s.partition, extract(epoch from e.kafka_timestamp)::float8 * 1000 as due_ms,
             greatest(s."atMs" - extract(epoch from e.kafka_timestamp)::float8 * 1000, ${LEAST_MS}) as ms
           from ${quoteSchema(this.#schema)}.events e
           join seen s on e.kafka_partition = s.partition and e.kafka_offset = s."offset"
          where e.occurred_at >= $2::timestamptz
       )
       select partition, floor(ln(ms) / ln(${BUCKET_GROWTH}::float8))::int as bucket, count(*)::float8 as events,
         max(ms) as max_ms, max(due_ms) as due_ms from measured group by 1, 2`,
      [JSON.stringify(seen), this.#earliest(seen)],
    );
    for (const { partition, bucket, events, max_ms: maxMs, due_ms: dueMs } of rows) {
      buckets.add(bucket, { events, maxMs });
      this.#dueMs.set(partition, Math.max(this.#dueMs.get(partition) ?? 0, dueMs));
    }
  }

  /** Keeps the look at the events from growing with the table: event time is the first column of its key. */
  #earliest(seen: readonly Seen[]): string {
    const known = seen.map(({ partition }) => this.#dueMs.get(partition) ?? null);
    if (known.includes(null)) return '-infinity';
    const earliestMs = known.reduce<number>((least, ms) => Math.min(least, ms ?? least), Infinity);
    return new Date(earliestMs - DISORDER_MS).toISOString();
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}
