// The latency probe: looks at the checkpoints every few milliseconds, and knows from them when each event became readable.
import { setTimeout as wait } from 'node:timers/promises';

import { Client } from 'pg';

import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { clientConfig } from '../postgres/pool.ts';
import { quoteSchema } from '../postgres/schema-name.ts';
import { round } from './cpu-meter.ts';

/** Milliseconds. `events`: how many were measured. The probe's own look adds up to `resolution`. */
export type Latency = {
  readonly events: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  readonly resolution: number;
};

type Seen = { readonly partition: number; readonly from: number; readonly to: number; readonly atMs: number };

const LOOK_EVERY_MS = 3;

/**
 * A partition's events of the offsets `[from, to)` were not readable at one look and were at the next: they commit together
 * with the checkpoint. Each look costs PostgreSQL one small statement, which its CPU time includes.
 */
export class LatencyProbe {
  readonly #client: Client;
  readonly #spec: PipelineSpec;
  readonly #seen: Seen[] = [];
  #stopped = false;
  #looking: Promise<void> = Promise.resolve();
  #looks = 0;
  #startedMs = 0;
  #endedMs = 0;

  private constructor(client: Client, spec: PipelineSpec) {
    this.#client = client;
    this.#spec = spec;
  }

  static async start(url: string, spec: PipelineSpec): Promise<LatencyProbe> {
    const client = new Client(clientConfig({ url, applicationName: 'weir bench probe' }));
    await client.connect();
    const probe = new LatencyProbe(client, spec);
    probe.#startedMs = Date.now();
    probe.#looking = probe.#look();
    return probe;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#looking;
    this.#endedMs = Date.now();
  }

  async #look(): Promise<void> {
    const positions = new Map<number, number>();
    const statement = {
      name: 'look',
      text: `select partition, next_offset::float8 as at from ${quoteSchema(this.#spec.schema)}.checkpoints where topic = $1`,
      values: [this.#spec.topic],
    };
    while (!this.#stopped) {
      const { rows } = await this.#client.query<{ partition: number; at: number }>(statement);
      const atMs = Date.now();
      this.#looks += 1;
      for (const { partition, at } of rows) {
        const from = positions.get(partition);
        if (from !== undefined && at > from) this.#seen.push({ partition, from, to: at, atMs });
        positions.set(partition, at);
      }
      await wait(LOOK_EVERY_MS);
    }
  }

  /** Ends the probe: holds what it saw against the events' Kafka timestamps, which are the times at which they were due. */
  async latency(): Promise<Latency> {
    const { rows } = await this.#client.query<Record<'events' | 'p50' | 'p95' | 'p99' | 'max', number>>(
      `with seen as (
         select s.partition, o."offset", s."atMs"
           from jsonb_to_recordset($1::jsonb) as s (partition int, "from" bigint, "to" bigint, "atMs" float8),
             generate_series(s."from", s."to" - 1) as o ("offset")
       ), measured as (
         select s."atMs" - extract(epoch from e.kafka_timestamp)::float8 * 1000 as ms
           from ${quoteSchema(this.#spec.schema)}.events e
           join seen s on e.kafka_partition = s.partition and e.kafka_offset = s."offset"
       )
       select count(*)::float8 as events, percentile_cont(0.5) within group (order by ms) as p50,
         percentile_cont(0.95) within group (order by ms) as p95, percentile_cont(0.99) within group (order by ms) as p99,
         max(ms) as max from measured`,
      [JSON.stringify(this.#seen)],
    );
    await this.#client.end();
    const [row] = rows;
    const value = (name: 'events' | 'p50' | 'p95' | 'p99' | 'max'): number => round(row?.[name] ?? 0);
    return {
      events: value('events'),
      p50: value('p50'),
      p95: value('p95'),
      p99: value('p99'),
      max: value('max'),
      resolution: round((this.#endedMs - this.#startedMs) / Math.max(1, this.#looks)),
    };
  }
}
