// Step (b) of a close: writes the panes and windows of a range of event time, one transaction after another.
import { Context, sleep } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import type pg from 'pg';

import type { CloseMetrics } from '../observability/metrics.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { closeNextPanes } from '../postgres/close-windows.ts';
import { beating } from './beating.ts';
import { toFailure } from './failures.ts';

export type CloseRangeDeps = { readonly pool: pg.Pool; readonly metrics: CloseMetrics };

/** `throughMs`: epoch ms of event time, closed by `moveClosed` before. */
export type CloseRangeInput = { readonly spec: PipelineSpec; readonly throughMs: number };

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
  async ({ spec, throughMs }: CloseRangeInput): Promise<ClosedRange> => {
    let done = earlierAttempt();
    try {
      await beating(done, async (getOn) => {
        for (;;) {
          const before = done;
          let transactionMs = performance.now();
          const { writtenThroughMs } = await closeNextPanes(pool, spec, {
            throughMs,
            onPane: (closed, { panes, windowsByAggregate }) => {
              const seconds = (performance.now() - transactionMs) / 1000;
              transactionMs = performance.now();
              metrics.panesClosed({ topic: spec.topic, panes, windowsByAggregate, seconds });
              done = sum(before, closed);
              getOn(done);
            },
          });
          if (writtenThroughMs !== null && writtenThroughMs >= throughMs) break;
          // Another closer is at work: a previous attempt that has not noticed its end yet.
          await sleep(OTHER_CLOSER_WAIT_MS);
        }
      });
      return done;
    } catch (error) {
      if (error instanceof CancelledFailure) throw error;
      throw toFailure(error);
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
