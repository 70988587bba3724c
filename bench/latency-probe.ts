// The latency probe: looks at the checkpoints every few milliseconds, and knows from them when each event became readable.
import { setTimeout as wait } from 'node:timers/promises';

import { Client } from 'pg';

import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { clientConfig } from '../postgres/pool.ts';
import { round } from './cpu-meter.ts';
import { quoteSchema } from '../postgres/schema-name.ts';
import { LatencyBuckets } from './latency-buckets.ts';
import type { Percentiles } from './latency-buckets.ts';
import { LatencyHarvest } from './latency-harvest.ts';
import type { Seen } from './latency-harvest.ts';

/** Milliseconds. `events`: how many were measured. The probe's own look adds up to `resolution`. */
export type Latency = Percentiles & { readonly resolution: number };

const LOOK_EVERY_MS = 3;
/** About a minute at full speed, and a few MiB: what was seen is then turned into counts and forgotten. */
const MOST_SEEN = 50_000;

/**
 * A partition's events of the offsets `[from, to)` were not readable at one look and were at the next: they commit together
 * with the checkpoint. Each look costs PostgreSQL one small statement, which its CPU time includes.
 */
export class LatencyProbe {
  readonly #client: Client;
  readonly #spec: PipelineSpec;
  readonly #harvest: LatencyHarvest;
  #seen: Seen[] = [];
  #buckets = new LatencyBuckets();
  #harvesting: Promise<void> = Promise.resolve();
  #stopped = false;
  #looking: Promise<void> = Promise.resolve();
  #looks = 0;
  #startedMs = 0;
  #endedMs: number | null = null;

  private constructor(client: Client, harvest: LatencyHarvest, spec: PipelineSpec) {
    this.#client = client;
    this.#harvest = harvest;
    this.#spec = spec;
  }

  static async start(url: string, spec: PipelineSpec): Promise<LatencyProbe> {
    const client = new Client(clientConfig({ url, applicationName: 'weir bench probe' }));
    await client.connect();
    const probe = new LatencyProbe(client, await LatencyHarvest.open(url, spec.schema), spec);
    probe.#startedMs = Date.now();
    probe.#looking = probe.#look();
    // Whoever stops the probe hears of it.
    probe.#looking.catch(() => {});
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
      if (this.#seen.length >= MOST_SEEN) this.#count();
      await wait(LOOK_EVERY_MS);
    }
  }

  /** Looking goes on meanwhile, on its own connection. */
  #count(): void {
    const seen = this.#seen;
    const buckets = this.#buckets;
    this.#seen = [];
    this.#harvesting = this.#harvesting.then(async () => await this.#harvest.count(seen, buckets));
    this.#harvesting.catch(() => {});
  }

  /** Latencies of what became readable since the last call, or since the start. */
  async take(): Promise<Latency> {
    this.#count();
    const buckets = this.#buckets;
    const [looks, forMs] = [this.#looks, (this.#endedMs ?? Date.now()) - this.#startedMs];
    this.#buckets = new LatencyBuckets();
    [this.#looks, this.#startedMs] = [0, Date.now()];
    const harvesting = this.#harvesting;
    // One that failed is heard of once.
    this.#harvesting = Promise.resolve();
    await harvesting;
    const { events, p50, p90, p95, p99, max } = buckets.percentiles();
    return {
      events,
      p50: round(p50),
      p90: round(p90),
      p95: round(p95),
      p99: round(p99),
      max: round(max),
      resolution: round(forMs / Math.max(1, looks)),
    };
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#client.end(), this.#harvest.close()]);
  }
}
