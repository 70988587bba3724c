// Takes the late events that wait into the windows they belong to: a new revision wherever a row differs.
import { CancelledFailure } from '@temporalio/common';
import type pg from 'pg';

import type { CloseMetrics } from '../observability/close-metrics.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { NOTHING_AMENDED, amendWindows } from '../postgres/amend-windows.ts';
import type { Amended } from '../postgres/amend-windows.ts';
import { beating } from './beating.ts';
import { toFailure } from './failures.ts';

export type AmendDeps = { readonly pool: pg.Pool; readonly metrics: CloseMetrics };

/** The activity `amendLate`. Doing it again changes nothing. */
export const createAmendLate =
  ({ pool, metrics }: AmendDeps) =>
  async ({ spec }: { readonly spec: PipelineSpec }): Promise<Amended> => {
    const ended = metrics.began(spec.topic);
    try {
      let counted = 0;
      return await beating(NOTHING_AMENDED, async (getOn) => {
        const onPanes = (amended: Amended): void => {
          metrics.windowsAmended({ topic: spec.topic, windows: amended.windows - counted });
          counted = amended.windows;
          getOn(amended);
        };
        return await amendWindows(pool, spec, { onPanes });
      });
    } catch (error) {
      if (error instanceof CancelledFailure) throw error;
      throw toFailure(error);
    } finally {
      ended();
    }
  };
