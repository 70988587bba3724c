// The window probe: how long after the low watermark passed the end of a window a reader outside can read the window's row.
import { setTimeout as wait } from 'node:timers/promises';

import { Client } from 'pg';

import { openTopicObserver } from '../kafka/topics.ts';
import type { TopicObserver } from '../kafka/topics.ts';
import { AGGREGATES } from '../pipeline/aggregates.ts';
import { clientConfig } from '../postgres/pool.ts';
import { quoteSchema } from '../postgres/schema-name.ts';
import type { BenchPipeline } from './bench-pipeline.ts';
import { BoundaryPasses } from './boundary-passes.ts';
import { round } from './cpu-meter.ts';
import { EventTime } from './event-time.ts';
import { nearestRank } from './nearest-rank.ts';

/** One boundary: `windows` rows end there, readable `ms` after the low watermark had passed it. */
type BoundaryLatency = { readonly boundary: string; readonly windows: number; readonly ms: number };

/**
 * Milliseconds over all windows; null without any. Windows that end together become readable together: `boundaries` says how
 * many moments that were. `unread`: boundaries whose windows were not readable a minute after measuring had ended; they are
 * not among the percentiles. `resolution`: the mean time between two looks, which is what a figure may be off by.
 */
export type WindowLatency = {
  readonly windows: number;
  readonly boundaries: number;
  readonly unread: number;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  readonly resolution: number;
  readonly passes: readonly BoundaryLatency[];
};

const LOOK_EVERY_MS = 5;
const GIVE_UP_AFTER_MS = 60_000;

/** Looks on a connection of its own until it is stopped. Funnels are left out: they wait for their sessions, not for their end. */
export class WindowProbe {
  readonly #client: Client;
  readonly #observer: TopicObserver;
  readonly #eventTime: EventTime;
  readonly #schema: string;
  readonly #boundaries = new BoundaryPasses();
  readonly #passes: BoundaryLatency[] = [];
  readonly #startedMs = performance.now();
  #looking: Promise<void> = Promise.resolve();
  #endsAtMs = Infinity;
  #endedMs = 0;
  #looks = 0;

  private constructor(client: Client, observer: TopicObserver, { spec }: BenchPipeline) {
    this.#client = client;
    this.#observer = observer;
    this.#schema = spec.schema;
    this.#eventTime = new EventTime({ db: client, spec, observer });
  }

  static async start(bench: BenchPipeline): Promise<WindowProbe> {
    const { kafka, postgres } = bench.options.addresses;
    const client = new Client(clientConfig({ url: postgres.url, applicationName: 'weir bench windows' }));
    await client.connect();
    const observer = await openTopicObserver({ brokers: kafka.brokers, topic: bench.spec.topic });
    const probe = new WindowProbe(client, observer, bench);
    probe.#looking = probe.#look();
    // Whoever stops the probe hears of it.
    probe.#looking.catch(() => {});
    return probe;
  }

  /** Measures no further boundary, waits up to a minute for those that were passed, and ends. Throws what a look threw. */
  async stop(): Promise<WindowLatency> {
    this.#boundaries.takeNoMore();
    this.#endsAtMs = performance.now() + GIVE_UP_AFTER_MS;
    await this.#looking;
    const each = this.#passes.flatMap(({ windows, ms }) => Array.from({ length: windows }, () => ms));
    return {
      windows: each.length,
      boundaries: this.#passes.length,
      unread: this.#boundaries.waiting,
      p50: nearestRank(each, 0.5),
      p90: nearestRank(each, 0.9),
      p99: nearestRank(each, 0.99),
      max: nearestRank(each, 1),
      resolution: round((this.#endedMs - this.#startedMs) / Math.max(1, this.#looks)),
      passes: this.#passes,
    };
  }

  async close(): Promise<void> {
    this.#endsAtMs = -Infinity;
    await Promise.allSettled([this.#looking]);
    await Promise.allSettled([this.#client.end(), this.#observer.close()]);
  }

  async #look(): Promise<void> {
    while (!this.#isOver()) {
      for (const { boundaryMs, tookMs } of this.#boundaries.look(await this.#eventTime.look())) {
        const windows = await this.#windowsEndingAt(boundaryMs);
        const boundary = new Date(boundaryMs).toISOString();
        if (windows > 0) this.#passes.push({ boundary, windows, ms: round(tookMs) });
      }
      this.#looks += 1;
      await wait(LOOK_EVERY_MS);
    }
    this.#endedMs = performance.now();
  }

  #isOver(): boolean {
    if (this.#endsAtMs === Infinity) return false;
    return this.#boundaries.waiting === 0 || performance.now() >= this.#endsAtMs;
  }

  async #windowsEndingAt(boundaryMs: number): Promise<number> {
    const { rows } = await this.#client.query<{ windows: number }>(
      `select count(*)::int as windows from ${quoteSchema(this.#schema)}.windows
        where window_end = to_timestamp($1::float8 / 1000) and aggregate = any($2)`,
      [boundaryMs, AGGREGATES.map(({ name }) => name)],
    );
    return rows[0]?.windows ?? 0;
  }
}
