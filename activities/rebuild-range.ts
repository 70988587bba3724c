// One lease of a reprocess: rebuilds panes and windows of its range for a bounded time, one transaction after another.
import type pg from 'pg';

import type { CloseMetrics } from '../observability/close-metrics.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { NOTHING_REBUILT } from '../pipeline/rebuild.ts';
import type { Span } from '../pipeline/window.ts';
import { rebuildWindows } from '../postgres/rebuild-windows.ts';
import type { Rebuilt } from '../postgres/rebuild-windows.ts';
import { untilStopped } from './until-stopped.ts';

export type RebuildDeps = { readonly pool: pg.Pool; readonly metrics: CloseMetrics };

/** `positionMs`: where the lease before ended, null at first. Epoch ms of event time. */
export type RebuildInput = {
  readonly spec: PipelineSpec;
  readonly range: Span;
  readonly positionMs: number | null;
  readonly leaseMs: number;
};

/** `counts` are those of this lease. */
export type RebuildResult = Rebuilt & { readonly reason: 'done' | 'lease-over' | 'drained' };

/** The activity `rebuildRange`. Done again from any earlier position it changes nothing more. */
export const createRebuildRange =
  ({ pool, metrics }: RebuildDeps) =>
  async ({ spec, range, positionMs, leaseMs }: RebuildInput): Promise<RebuildResult> => {
    const endMs = Date.now() + leaseMs;
    const start: Rebuilt = { positionMs, done: false, counts: NOTHING_REBUILT };
    let counted = 0;
    const { told, stopped } = await untilStopped(start, async (getOn) => {
      const onProgress = (rebuilt: Rebuilt): void => {
        metrics.windowsAmended({ topic: spec.topic, windows: rebuilt.counts.windows - counted });
        counted = rebuilt.counts.windows;
        getOn(rebuilt);
      };
      return await rebuildWindows(pool, spec, { range, positionMs, goOn: () => Date.now() < endMs, onProgress });
    });
    if (told.done) return { ...told, reason: 'done' };
    return { ...told, reason: stopped ? 'drained' : 'lease-over' };
  };
