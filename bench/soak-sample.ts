// One sample of a soak: what happened since the sample before, and how much everything holds now.
import { loadavg } from 'node:os';

import { OldestUnread } from '../cli/oldest-unread.ts';
import type { PartitionOffsets, TopicObserver } from '../kafka/topics.ts';
import { INGEST_METRICS } from '../observability/ingest-metric-list.ts';
import { WINDOW_METRICS } from '../observability/topic-metric-list.ts';
import { must } from '../pipeline/ensure.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { quoteSchema } from '../postgres/schema-name.ts';
import type { BenchPipeline } from './bench-pipeline.ts';
import { bucketsOf, observations, observedBetween, percentile, valueOf } from './bucket-counts.ts';
import type { BucketCounts } from './bucket-counts.ts';
import { round, startCpuMeter } from './cpu-meter.ts';
import type { CpuPerEvent, Parts } from './cpu-meter.ts';
import type { Latency, LatencyProbe } from './latency-probe.ts';
import { residentMiB } from './process-cpu.ts';
import { allTables, readStorage } from './table-state.ts';
import type { StorageState, TableState } from './table-state.ts';
import type { WorkerProcess } from './worker-process.ts';

/** Milliseconds; null where nothing was observed. */
export type Quantiles = { readonly count: number; readonly p50: number | null; readonly p99: number | null };

/** Rates, latencies, closes, WAL and CPU are of the interval before the sample; all else is of its moment. */
export type SoakSample = {
  /** Since measuring began. */
  readonly atSeconds: number;
  readonly lag: { readonly offsets: number; readonly seconds: number | null };
  readonly producedPerSecond: number;
  readonly committedPerSecond: number;
  readonly commitMs: Quantiles;
  readonly readableMs: Latency;
  readonly memoryMiB: Readonly<Record<string, number | null>>;
  readonly heapUsedMiB: { readonly worker: number | null; readonly generator: number | null };
  readonly deadRows: number;
  /** Runs of the interval over all tables; each table's own are counted since it was made. */
  readonly autovacuums: number;
  readonly tables: Readonly<Record<string, TableState>>;
  readonly walMiB: number;
  readonly databaseMib: number;
  /** Windows closed that ended since measuring began, how long after the low watermark could allow it (their end and the lateness), and the closing itself. */
  readonly windows: { readonly closed: number; readonly delayMs: Quantiles; readonly transactionMs: Quantiles };
  readonly loadAverage: number;
  readonly cpuMicrosecondsPerEvent: CpuPerEvent;
};

type Reading = {
  readonly atMs: number;
  readonly produced: number;
  readonly committed: number;
  readonly commits: BucketCounts;
  readonly closes: BucketCounts;
  readonly storage: StorageState;
  readonly cpuUsed: (events: number) => CpuPerEvent;
};

export type SamplerOptions = {
  readonly bench: BenchPipeline;
  readonly worker: WorkerProcess;
  readonly generator: WorkerProcess;
  readonly parts: Parts;
  readonly probe: LatencyProbe;
  readonly observer: TopicObserver;
};

type Sources = SamplerOptions & { readonly unread: OldestUnread };

/** Each sample is the difference to the one before; it keeps nothing else, however long the soak. */
export class SoakSampler {
  readonly #sources: Sources;
  readonly #startedMs: number;
  /** Windows that ended before, and came into being by late events, would count as closed an hour too late. */
  readonly #firstEndMs: number;
  #before: Reading;

  private constructor(sources: Sources, first: Reading) {
    this.#sources = sources;
    this.#startedMs = first.atMs;
    this.#firstEndMs = first.storage.atMs;
    this.#before = first;
  }

  /** Measuring begins now. */
  static async start(options: SamplerOptions): Promise<SoakSampler> {
    const { options: how, spec } = options.bench;
    const sources = { ...options, unread: new OldestUnread([...how.addresses.kafka.brokers], spec.topic) };
    return new SoakSampler(sources, (await read(sources)).reading);
  }

  /** `commits`: the histogram of commit seconds of the interval, to be added up over several. */
  async sample(): Promise<{ readonly sample: SoakSample; readonly commits: BucketCounts }> {
    const { probe, parts, bench } = this.#sources;
    const before = this.#before;
    const { reading, lag, pages } = await read(this.#sources);
    this.#before = reading;
    const seconds = (reading.atMs - before.atMs) / 1000;
    const committed = reading.committed - before.committed;
    const cpuMicrosecondsPerEvent = before.cpuUsed(committed);
    const commits = observedBetween(before.commits, reading.commits);
    const { storage } = reading;
    const sample: SoakSample = {
      atSeconds: round((reading.atMs - this.#startedMs) / 1000),
      lag,
      producedPerSecond: Math.round((reading.produced - before.produced) / seconds),
      committedPerSecond: Math.round(committed / seconds),
      commitMs: quantiles(commits),
      readableMs: await probe.take(),
      memoryMiB: Object.fromEntries(
        // PostgreSQL's sessions share most of what each of them holds: a sum would count that many times.
        Object.entries(parts).flatMap(([part, pid]) =>
          part === 'postgres' ? [] : [[part, pid === null ? null : residentMiB(pid)]],
        ),
      ),
      heapUsedMiB: { worker: heapMiB(pages.worker), generator: heapMiB(pages.generator) },
      deadRows: allTables(storage).deadRows,
      autovacuums: allTables(storage).autovacuums - allTables(before.storage).autovacuums,
      tables: storage.tables,
      walMiB: round((storage.walBytes - before.storage.walBytes) / 2 ** 20),
      databaseMib: storage.databaseMib,
      windows: {
        ...(await closedSince(bench, { sinceMs: before.storage.atMs, firstEndMs: this.#firstEndMs })),
        transactionMs: quantiles(observedBetween(before.closes, reading.closes)),
      },
      loadAverage: round(loadavg()[0] ?? 0),
      cpuMicrosecondsPerEvent,
    };
    return { sample, commits };
  }

  async close(): Promise<void> {
    await this.#sources.unread.close();
  }
}

async function read({ bench, worker, generator, parts, observer, unread }: Sources): Promise<{
  readonly reading: Reading;
  readonly lag: SoakSample['lag'];
  readonly pages: { readonly worker: string; readonly generator: string };
}> {
  // The checkpoints first, so that the lag is never too small.
  const checkpoints = await readCheckpoints(bench.pool, bench.spec);
  const ends: readonly PartitionOffsets[] = await observer.offsets();
  const atMs = performance.now();
  const endOf = new Map(ends.map(({ partition, endOffset }) => [partition, endOffset]));
  const behind = checkpoints.filter(({ partition, nextOffset }) => (endOf.get(partition) ?? nextOffset) > nextOffset);
  const lag = {
    offsets: behind.reduce((sum, { partition, nextOffset }) => sum + (endOf.get(partition) ?? 0) - nextOffset, 0),
    // At once: whatever is asked in between would count as lag.
    seconds: await unread.ageSeconds(behind),
  };
  const cpuUsed = startCpuMeter(parts);
  const pages = { worker: await worker.metricsPage(), generator: await generator.metricsPage() };
  const reading: Reading = {
    atMs,
    produced: ends.reduce((sum, { endOffset }) => sum + endOffset, 0),
    committed: checkpoints.reduce((sum, { nextOffset }) => sum + nextOffset, 0),
    commits: bucketsOf(pages.worker, INGEST_METRICS.commitSeconds.name),
    closes: bucketsOf(pages.worker, WINDOW_METRICS.closeSeconds.name),
    storage: await readStorage(bench.pool, bench.spec.schema),
    cpuUsed,
  };
  return { reading, lag, pages };
}

async function closedSince(
  { pool, spec }: BenchPipeline,
  { sinceMs, firstEndMs }: { sinceMs: number; firstEndMs: number },
): Promise<Pick<SoakSample['windows'], 'closed' | 'delayMs'>> {
  const { rows } = await pool.query<{ count: number; p50: number | null; p99: number | null }>(
    `select count(*)::float8 as count, percentile_cont(0.5) within group (order by ms) as p50,
       percentile_cont(0.99) within group (order by ms) as p99
     from (select extract(epoch from closed_at - window_end)::float8 * 1000 - $2 as ms
             from ${quoteSchema(spec.schema)}.windows where closed_at > to_timestamp($1::float8 / 1000) and window_end > to_timestamp($3::float8 / 1000)) closed`,
    [sinceMs, spec.latenessMs, firstEndMs],
  );
  const { count, p50, p99 } = must(rows[0], 'the row of an aggregate');
  return {
    closed: count,
    delayMs: { count, p50: p50 === null ? null : round(p50), p99: p99 === null ? null : round(p99) },
  };
}

/** From seconds. */
export function quantiles(counts: BucketCounts): Quantiles {
  const ms = (share: number): number | null => {
    const seconds = percentile(counts, share);
    return seconds === null ? null : round(seconds * 1000);
  };
  return { count: observations(counts), p50: ms(0.5), p99: ms(0.99) };
}

function heapMiB(page: string): number | null {
  const bytes = valueOf(page, 'nodejs_heap_size_used_bytes');
  return bytes === null ? null : Math.round(bytes / 2 ** 20);
}
