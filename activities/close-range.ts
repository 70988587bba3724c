// Step (b) of a close: writes the panes and windows of a range of event time, one transaction after another.
import { Context, sleep } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import type pg from 'pg';

import type { CloseMetrics } from '../observability/close-metrics.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { closeNextPanes } from '../postgres/close-windows.ts';
import { readClock } from '../postgres/closed-through.ts';
import { beating } from './beating.ts';
import { toFailure } from './failures.ts';

export type CloseRangeDeps = { readonly pool: pg.Pool; readonly metrics: CloseMetrics };

/**
 * `throughMs`: epoch ms of event time, closed by `moveClosed` before. `seenAtMs`: when the low watermark was first seen to
 * have reached it (epoch ms); older workflow code doesn't say.
 */
export type CloseRangeInput = { readonly spec: PipelineSpec; readonly throughMs: number; readonly seenAtMs?: number };

/** What was written: windows and panes that hold events, and their events. */
export type ClosedRange = { readonly windows: number; readonly panes: number; readonly events: number };

const NOTHING: ClosedRange = { windows: 0, panes: 0, events: 0 };
const OTHER_CLOSER_WAIT_MS = 500;

/**
 * The activity `closeRange`. Doing it again writes nothing twice; the counts of an earlier attempt come from its heartbeats,
 * so that they say what the whole range held. Asked to stop, it ends between two transactions.
 */
export const createCloseRange =
  ({ pool, metrics }: CloseRangeDeps) =>
  async ({ spec, throughMs, seenAtMs }: CloseRangeInput): Promise<ClosedRange> => {
    const { topic } = spec;
    const ended = metrics.began(topic);
    let done = earlierAttempt();
    try {
      // Another worker may have seen that there is something to close: as long as it takes, this one tells of it.
      const { writtenThroughMs: fromMs } = await readClock(pool, spec);
      if (fromMs !== null)
        metrics.overdue({ topic, closedThroughMs: throughMs, overdueMs: Math.max(0, throughMs - fromMs) });
      await beating(done, async (getOn) => {
        for (;;) {
          const before = done;
          let transactionMs = performance.now();
          const { writtenThroughMs } = await closeNextPanes(pool, spec, {
            throughMs,
            onPane: (closed, { panes, windowsByAggregate, rowsByAggregate }) => {
              const seconds = (performance.now() - transactionMs) / 1000;
              transactionMs = performance.now();
              metrics.panesClosed({ topic, panes, windowsByAggregate, rowsByAggregate, seconds });
              done = sum(before, closed);
              getOn(done);
            },
          });
          if (writtenThroughMs !== null && writtenThroughMs >= throughMs) break;
          // Another closer is at work: a previous attempt that has not noticed its end yet.
          await sleep(OTHER_CLOSER_WAIT_MS);
        }
      });
      metrics.overdue({ topic, closedThroughMs: throughMs, overdueMs: 0 });
      if (seenAtMs !== undefined) metrics.closed({ topic, delaySeconds: Math.max(0, Date.now() - seenAtMs) / 1000 });
      return done;
    } catch (error) {
      if (error instanceof CancelledFailure) throw error;
      throw toFailure(error);
    } finally {
      ended();
    }
  };

function earlierAttempt(): ClosedRange {
  const details: unknown = Context.current().info.heartbeatDetails;
  if (typeof details !== 'object' || details === null) return NOTHING;
  const { windows, panes, events } = { ...NOTHING, ...details };
  return { windows, panes, events };
}

function sum(left: ClosedRange, right: ClosedRange): ClosedRange {
  return {
    windows: left.windows + right.windows,
    panes: left.panes + right.panes,
    events: left.events + right.events,
  };
}
