// Step (a) of a close: from here on, every event before the boundary that commits is late.
import type pg from 'pg';

import type { CloseMetrics } from '../observability/close-metrics.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { moveClosedThrough } from '../postgres/closed-through.ts';
import { toFailure } from './failures.ts';

/** The activity `moveClosed`. `throughMs`: epoch ms of event time. Doing it again changes nothing. */
export const createMoveClosed =
  ({ pool, metrics }: { readonly pool: pg.Pool; readonly metrics: CloseMetrics }) =>
  async ({ spec, throughMs }: { readonly spec: PipelineSpec; readonly throughMs: number }): Promise<void> => {
    const ended = metrics.began(spec.topic);
    try {
      await moveClosedThrough(pool, spec, throughMs);
    } catch (error) {
      throw toFailure(error);
    } finally {
      ended();
    }
  };
