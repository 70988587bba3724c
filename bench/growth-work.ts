// What a worker did and closed between two moments: its own counts, and the windows that others can read.
import { INGEST_METRICS } from '../observability/ingest-metric-list.ts';
import { WINDOW_METRICS } from '../observability/topic-metric-list.ts';
import { must } from '../pipeline/ensure.ts';
import { quoteSchema } from '../postgres/schema-name.ts';
import type { BenchPipeline } from './bench-pipeline.ts';
import { bucketsOf, observedBetween, valueOf } from './bucket-counts.ts';
import type { BucketCounts } from './bucket-counts.ts';
import { round } from './cpu-meter.ts';
import { quantiles } from './soak-sample.ts';
import type { Quantiles } from './soak-sample.ts';
import type { WorkerProcess } from './worker-process.ts';

/** What was done so far. `closedEvents`: of all panes that are closed. */
export type Work = {
  readonly commits: BucketCounts;
  readonly closeSeconds: number;
  readonly panes: number;
  readonly closedEvents: number;
};

/** Close times are of the transactions that write panes and windows; null where nothing was closed. */
export type WorkDone = {
  readonly commitMs: Quantiles;
  readonly panesClosed: number;
  readonly eventsClosed: number;
  readonly closeMsPerPane: number | null;
  readonly closeMicrosecondsPerEvent: number | null;
};

export async function readWork({ pool, spec }: BenchPipeline, worker: WorkerProcess): Promise<Work> {
  const page = await worker.metricsPage();
  const { rows } = await pool.query<{ events: number }>(
    // Of one minute each, so that every event is counted once.
    `select coalesce(sum(events), 0)::float8 as events from ${quoteSchema(spec.schema)}.windows where aggregate = 'event_counts'`,
  );
  return {
    commits: bucketsOf(page, INGEST_METRICS.commitSeconds.name),
    closeSeconds: valueOf(page, `${WINDOW_METRICS.closeSeconds.name}_sum`) ?? 0,
    panes: valueOf(page, WINDOW_METRICS.panesClosed.name) ?? 0,
    closedEvents: must(rows[0], 'the row of an aggregate').events,
  };
}

export function differenceOf(before: Work, after: Work): WorkDone {
  const seconds = after.closeSeconds - before.closeSeconds;
  const panesClosed = after.panes - before.panes;
  const eventsClosed = after.closedEvents - before.closedEvents;
  return {
    commitMs: quantiles(observedBetween(before.commits, after.commits)),
    panesClosed,
    eventsClosed,
    closeMsPerPane: panesClosed > 0 ? round((seconds * 1e3) / panesClosed) : null,
    closeMicrosecondsPerEvent: eventsClosed > 0 ? round((seconds * 1e6) / eventsClosed) : null,
  };
}
