// What a worker counts while it works. Activities speak to these small interfaces; prom-client stays behind them.
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

import type { Counts, RejectionCounts } from '../pipeline/checkpoint.ts';
import { REJECTION_REASONS } from '../pipeline/rejection.ts';
import { generatorMetrics } from './generator-metrics.ts';
import type { GeneratorMetrics } from './generator-metrics.ts';
import type { HealthRecord } from './health-record.ts';
import { COUNTERS, GAUGES, HISTOGRAMS } from './metric-list.ts';
import type { MetricDeclaration } from './metric-list.ts';

type PartitionName = { readonly topic: string; readonly partition: number };

/** Why a micro-batch was sent again. */
type RetryCause = 'closed_meanwhile' | 'row_refused' | 'conflict';
const RETRY_CAUSES: readonly RetryCause[] = ['closed_meanwhile', 'row_refused', 'conflict'];

/** For `consumePartition`. Times in seconds as Prometheus wants them, instants in epoch milliseconds. */
export type IngestMetrics = {
  /** A lease begins: every counter of the partition exists from here on, at 0. */
  leaseBegan(of: PartitionName): void;
  /** A lease ended: gauges of the partition vanish here, since another worker may own it now. */
  leaseEnded(of: PartitionName): void;
  batchCommitted(
    batch: PartitionName & {
      counts: Counts;
      rejectedByReason: RejectionCounts;
      commitSeconds: number;
      rows: number;
      watermarkMs: number | null;
    },
  ): void;
  lag(of: PartitionName & { offsets: number; seconds: number }): void;
  batchStaged(of: PartitionName): void;
  batchRetried(of: PartitionName & { cause: RetryCause }): void;
  fenced(of: PartitionName): void;
};

/** For the activities that close and amend windows. `seconds`: time that the transaction took. */
export type CloseMetrics = {
  panesClosed(of: {
    topic: string;
    panes: number;
    windowsByAggregate: Readonly<Record<string, number>>;
    seconds: number;
  }): void;
  windowsAmended(of: { topic: string; windows: number }): void;
  clock(of: {
    topic: string;
    lowWatermarkMs: number | null;
    closedThroughMs: number | null;
    lateWaiting: number;
  }): void;
};

/** For `publishLetters`. */
export type LetterMetrics = {
  lettersPublished(of: { topic: string; published: number; refused: number }): void;
  lettersWaiting(of: { topic: string; waiting: number }): void;
};

export type Metrics = {
  readonly ingest: IngestMetrics;
  readonly close: CloseMetrics;
  readonly letters: LetterMetrics;
  readonly generator: GeneratorMetrics;
  /** Shows from here on what `figures` says whenever Prometheus asks. */
  showHealth(figures: HealthRecord['figures']): void;
  readonly contentType: string;
  /** The page that Prometheus reads. */
  page(): Promise<string>;
};

type Options = { readonly nowMs?: () => number; readonly processMetrics?: boolean };

/** Declares every metric in a registry of its own. `processMetrics` adds memory, CPU and event loop of this process. */
export function openMetrics({ nowMs = Date.now, processMetrics = true }: Options = {}): Metrics {
  const registry = new Registry();
  if (processMetrics) collectDefaultMetrics({ register: registry });
  return {
    ingest: ingestMetrics(registry, nowMs),
    close: closeMetrics(registry),
    letters: letterMetrics(registry),
    generator: generatorMetrics({
      counter: (of) => counter(of, registry),
      gauge: (of) => gauge(of, registry),
    }),
    showHealth: healthMetrics(registry),
    contentType: registry.contentType,
    page: () => registry.metrics(),
  };
}

const options = (of: MetricDeclaration, registry: Registry) => ({
  name: of.name,
  help: of.help,
  labelNames: [...of.labels],
  registers: [registry],
});
const counter = (of: MetricDeclaration, registry: Registry) => new Counter(options(of, registry));
const gauge = (of: MetricDeclaration, registry: Registry) => new Gauge(options(of, registry));
const histogram = (of: MetricDeclaration, registry: Registry) =>
  new Histogram({ ...options(of, registry), buckets: [...(of.buckets ?? [])] });

function ingestMetrics(registry: Registry, nowMs: () => number): IngestMetrics {
  const perPartition = {
    recorded: counter(COUNTERS.recorded, registry),
    duplicate: counter(COUNTERS.duplicate, registry),
    late: counter(COUNTERS.late, registry),
    skipped: counter(COUNTERS.skipped, registry),
    batches: counter(COUNTERS.batches, registry),
    staged: counter(COUNTERS.staged, registry),
    fenced: counter(COUNTERS.fenced, registry),
  };
  const rejected = counter(COUNTERS.rejected, registry);
  const retried = counter(COUNTERS.retried, registry);
  const lagOffsets = gauge(GAUGES.lagOffsets, registry);
  const lagSeconds = gauge(GAUGES.lagSeconds, registry);
  const watermarkAge = watermarkAgeGauge(registry, nowMs);
  const commitSeconds = histogram(HISTOGRAMS.commitSeconds, registry);
  const batchRows = histogram(HISTOGRAMS.batchRows, registry);
  return {
    leaseBegan(of) {
      for (const each of Object.values(perPartition)) each.inc(labels(of), 0);
      for (const reason of REJECTION_REASONS) rejected.inc({ ...labels(of), reason }, 0);
      for (const cause of RETRY_CAUSES) retried.inc({ ...labels(of), cause }, 0);
    },
    leaseEnded(of) {
      for (const each of [lagOffsets, lagSeconds]) each.remove(labels(of));
      watermarkAge.forget(of);
    },
    batchCommitted(batch) {
      const at = labels(batch);
      for (const what of ['recorded', 'duplicate', 'late', 'skipped'] as const) {
        perPartition[what].inc(at, batch.counts[what]);
      }
      for (const reason of REJECTION_REASONS) {
        const messages = batch.rejectedByReason[reason];
        if (messages) rejected.inc({ ...at, reason }, messages);
      }
      perPartition.batches.inc(at);
      commitSeconds.observe(at, batch.commitSeconds);
      batchRows.observe(at, batch.rows);
      if (batch.watermarkMs !== null) watermarkAge.saw(batch, batch.watermarkMs);
    },
    lag(of) {
      lagOffsets.set(labels(of), of.offsets);
      lagSeconds.set(labels(of), of.seconds);
    },
    batchStaged: (of) => perPartition.staged.inc(labels(of)),
    batchRetried: (of) => retried.inc({ ...labels(of), cause: of.cause }),
    fenced: (of) => perPartition.fenced.inc(labels(of)),
  };
}

const key = (of: PartitionName): string => `${of.partition}/${of.topic}`;
const labels = ({ topic, partition }: PartitionName) => ({ topic, partition: String(partition) });

/** An age grows while nothing happens, so it is worked out when Prometheus asks, not when an event passes. */
function watermarkAgeGauge(registry: Registry, nowMs: () => number) {
  const seen = new Map<string, { at: ReturnType<typeof labels>; watermarkMs: number }>();
  const age = new Gauge({
    ...options(GAUGES.watermarkAge, registry),
    collect() {
      for (const { at, watermarkMs } of seen.values()) age.set(at, (nowMs() - watermarkMs) / 1000);
    },
  });
  return {
    saw(of: PartitionName, watermarkMs: number): void {
      seen.set(key(of), { at: labels(of), watermarkMs });
    },
    forget(of: PartitionName): void {
      seen.delete(key(of));
      age.remove(labels(of));
    },
  };
}

function closeMetrics(registry: Registry): CloseMetrics {
  const windowsClosed = counter(COUNTERS.windowsClosed, registry);
  const windowsAmended = counter(COUNTERS.windowsAmended, registry);
  const panesClosed = counter(COUNTERS.panesClosed, registry);
  const closeSeconds = histogram(HISTOGRAMS.closeSeconds, registry);
  const lowWatermark = gauge(GAUGES.lowWatermark, registry);
  const closedThrough = gauge(GAUGES.closedThrough, registry);
  const lateWaiting = gauge(GAUGES.lateWaiting, registry);
  return {
    panesClosed({ topic, panes, windowsByAggregate, seconds }) {
      panesClosed.inc({ topic }, panes);
      closeSeconds.observe({ topic }, seconds);
      for (const [aggregate, windows] of Object.entries(windowsByAggregate)) {
        windowsClosed.inc({ topic, aggregate }, windows);
      }
    },
    windowsAmended: ({ topic, windows }) => windowsAmended.inc({ topic }, windows),
    clock({ topic, lowWatermarkMs, closedThroughMs, lateWaiting: waiting }) {
      // Touched here so that they exist at 0 before the first window closes.
      panesClosed.inc({ topic }, 0);
      windowsAmended.inc({ topic }, 0);
      if (lowWatermarkMs !== null) lowWatermark.set({ topic }, lowWatermarkMs / 1000);
      if (closedThroughMs !== null) closedThrough.set({ topic }, closedThroughMs / 1000);
      lateWaiting.set({ topic }, waiting);
    },
  };
}

function healthMetrics(registry: Registry): Metrics['showHealth'] {
  let figures: HealthRecord['figures'] | null = null;
  const up: Gauge = new Gauge({
    ...options(GAUGES.dependencyUp, registry),
    collect() {
      for (const [dependency, isUp] of figures?.().servers ?? []) up.set({ dependency }, Number(isUp));
    },
  });
  const ready: Gauge = new Gauge({
    ...options(GAUGES.workerReady, registry),
    collect() {
      ready.set(Number(figures?.().ready ?? false));
    },
  });
  return (from) => {
    figures = from;
  };
}

function letterMetrics(registry: Registry): LetterMetrics {
  const published = counter(COUNTERS.lettersPublished, registry);
  const refused = counter(COUNTERS.lettersRefused, registry);
  const waiting = gauge(GAUGES.lettersWaiting, registry);
  return {
    lettersPublished(of) {
      published.inc({ topic: of.topic }, of.published);
      refused.inc({ topic: of.topic }, of.refused);
    },
    lettersWaiting: (of) => waiting.set({ topic: of.topic }, of.waiting),
  };
}
