// Takes the late events of a range into its windows on somebody's word: those that wait, and if asked those beyond the horizon.
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { wholePanes } from '../pipeline/rebuild.ts';
import type { Span } from '../pipeline/window.ts';
import { NOTHING_AMENDED, amendWindows } from '../postgres/amend-windows.ts';
import type { Amended } from '../postgres/amend-windows.ts';
import type { AmendDeps } from './amend-late.ts';
import { untilStopped } from './until-stopped.ts';

/** `range`: epoch ms of event time, whole panes of which are amended. */
export type AmendRangeInput = {
  readonly spec: PipelineSpec;
  readonly range: Span;
  readonly includeBeyondHorizon: boolean;
};

export type AmendRangeResult = Amended & { readonly reason: 'done' | 'drained' };

/** The activity `amendRange`. Done again it takes in what is left. */
export const createAmendRange =
  ({ pool, metrics }: AmendDeps) =>
  async ({ spec, range, includeBeyondHorizon }: AmendRangeInput): Promise<AmendRangeResult> => {
    let counted = 0;
    const { told, stopped } = await untilStopped(NOTHING_AMENDED, async (getOn) => {
      const onPanes = (amended: Amended): void => {
        metrics.windowsAmended({ topic: spec.topic, windows: amended.windows - counted });
        counted = amended.windows;
        getOn(amended);
      };
      const how = { range: wholePanes(range), includeBeyondHorizon, cause: 'reprocess', patient: true } as const;
      return await amendWindows(pool, spec, { ...how, onPanes });
    });
    return { ...told, reason: stopped ? 'drained' : 'done' };
  };
