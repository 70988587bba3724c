// One step of a growing pipeline, and how the last step compares with the first.
import type { CpuPerEvent } from './cpu-meter.ts';
import type { WorkDone } from './growth-work.ts';
import type { TableSizes } from './table-sizes.ts';

/** `rows`, `bytes`: at the end of the step. Seconds and rates: until its last event, and until its last pane, was written. */
export type GrowthStep = WorkDone & {
  readonly nth: number;
  readonly rows: number;
  readonly seconds: { readonly ingested: number; readonly closed: number };
  readonly eventsPerSecond: { readonly ingested: number; readonly closed: number };
  readonly cpuMicrosecondsPerEvent: CpuPerEvent;
  readonly bytes: TableSizes;
};

/** null where one of the two is missing or the first is 0. */
export type GrowthRatios = {
  readonly eventsPerSecond: { readonly ingested: number | null; readonly closed: number | null };
  readonly commitP99Ms: number | null;
  readonly closeMicrosecondsPerEvent: number | null;
};

export function lastToFirst(steps: readonly GrowthStep[]): GrowthRatios {
  const ratio = (of: (step: GrowthStep) => number | null): number | null => {
    const [first, last] = [steps[0], steps.at(-1)].map((step) => (step === undefined ? null : of(step)));
    return typeof first === 'number' && typeof last === 'number' && first > 0
      ? Math.round((last / first) * 1000) / 1000
      : null;
  };
  return {
    eventsPerSecond: {
      ingested: ratio(({ eventsPerSecond }) => eventsPerSecond.ingested),
      closed: ratio(({ eventsPerSecond }) => eventsPerSecond.closed),
    },
    commitP99Ms: ratio(({ commitMs }) => commitMs.p99),
    closeMicrosecondsPerEvent: ratio((step) => step.closeMicrosecondsPerEvent),
  };
}
