// What a reprocess has before it: how far its range reaches in results, and where it begins to count what it changes.
import type pg from 'pg';

import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { Span } from '../pipeline/window.ts';
import { rebuildStart } from '../postgres/rebuild-windows.ts';
import { newestAmendment } from '../postgres/revision-counts.ts';
import { toFailure } from './failures.ts';

/** Epoch ms of event time, `range` as a person gave it. */
export type PlanRebuildInput = { readonly spec: PipelineSpec; readonly range: Span };

/** `panes`: what a rebuild goes over, null when the range holds nothing that is written. `afterAmendment`: decimal string. */
export type RebuildPlan = { readonly panes: Span | null; readonly afterAmendment: string };

/** The activity `planRebuild`. Reads only. */
export const createPlanRebuild =
  ({ pool }: { readonly pool: pg.Pool }) =>
  async ({ spec, range }: PlanRebuildInput): Promise<RebuildPlan> => {
    try {
      const panes = await rebuildStart(pool, spec, range);
      return { panes, afterAmendment: await newestAmendment(pool, spec) };
    } catch (error) {
      throw toFailure(error);
    }
  };
