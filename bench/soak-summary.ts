// What an hour of samples says in a few figures: whether anything grows.
import type { BucketCounts } from './bucket-counts.ts';
import { together } from './bucket-counts.ts';
import { round } from './cpu-meter.ts';
import { quantiles } from './soak-sample.ts';
import type { SoakSample } from './soak-sample.ts';
import { outerQuarters, slopePerHour } from './trend.ts';

/** What a process fills once (caches, code) counts as its start. */
const SETTLED_AFTER_SECONDS = 120;

type Growth = {
  readonly startMiB: number | null;
  readonly endMiB: number | null;
  readonly maxMiB: number | null;
  readonly slopeMiBPerHour: number | null;
};

/** Slopes are of straight lines by least squares, null with fewer than two samples. */
export type SoakSummary = {
  readonly samples: number;
  readonly minutes: number;
  readonly producedPerSecond: number;
  readonly committedPerSecond: number;
  readonly lagOffsets: { readonly max: number; readonly slopePerHour: number | null };
  readonly lagSecondsMax: number | null;
  readonly commitP99Ms: {
    readonly firstQuarter: number | null;
    readonly lastQuarter: number | null;
    readonly slopePerHour: number | null;
  };
  readonly readableP99Ms: { readonly max: number; readonly slopePerHour: number | null };
  readonly closeDelayMaxMs: number | null;
  /** Resident, by process; starts after two minutes, or with the first sample of a shorter run. */
  readonly memory: Readonly<Record<string, Growth>>;
  readonly workerHeap: Growth;
  readonly deadRowsMax: number;
  readonly autovacuums: number;
  readonly walMiB: number;
  readonly databaseMib: { readonly start: number; readonly end: number };
};

export type Interval = { readonly sample: SoakSample; readonly commits: BucketCounts };

/** Sums up; null when there is no sample. */
export function summarizeSoak(intervals: readonly Interval[]): SoakSummary | null {
  const samples = intervals.map(({ sample }) => sample);
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last) return null;
  const { first: early, last: late } = outerQuarters(intervals);
  const commitP99 = (of: readonly Interval[]): number | null =>
    quantiles(together(of.map(({ commits }) => commits))).p99;
  const slope = (of: (sample: SoakSample) => number | null): number | null => slopeOf(samples, of);
  const largest = (of: (sample: SoakSample) => number | null): number | null => maxOf(samples.map(of));
  return {
    samples: samples.length,
    minutes: round(last.atSeconds / 60),
    producedPerSecond: meanRate(samples, (sample) => sample.producedPerSecond),
    committedPerSecond: meanRate(samples, (sample) => sample.committedPerSecond),
    lagOffsets: {
      max: largest((sample) => sample.lag.offsets) ?? 0,
      slopePerHour: slope((sample) => sample.lag.offsets),
    },
    lagSecondsMax: largest((sample) => sample.lag.seconds),
    commitP99Ms: {
      firstQuarter: commitP99(early),
      lastQuarter: commitP99(late),
      slopePerHour: slope((sample) => sample.commitMs.p99),
    },
    readableP99Ms: {
      max: largest((sample) => sample.readableMs.p99) ?? 0,
      slopePerHour: slope((sample) => sample.readableMs.p99),
    },
    closeDelayMaxMs: largest((sample) => sample.windows.delayMs.p99),
    memory: Object.fromEntries(
      Object.keys(first.memoryMiB).map((part) => [part, growth(samples, (sample) => sample.memoryMiB[part] ?? null)]),
    ),
    workerHeap: growth(samples, (sample) => sample.heapUsedMiB.worker),
    deadRowsMax: largest((sample) => sample.deadRows) ?? 0,
    autovacuums: samples.reduce((sum, { autovacuums }) => sum + autovacuums, 0),
    walMiB: Math.round(samples.reduce((sum, { walMiB }) => sum + walMiB, 0)),
    databaseMib: { start: first.databaseMib, end: last.databaseMib },
  };
}

function growth(samples: readonly SoakSample[], of: (sample: SoakSample) => number | null): Growth {
  const afterStart = samples.filter(({ atSeconds }) => atSeconds >= SETTLED_AFTER_SECONDS);
  const settled = afterStart.length > 1 ? afterStart : samples;
  const values = settled.map(of);
  return {
    startMiB: values[0] ?? null,
    endMiB: values.at(-1) ?? null,
    maxMiB: maxOf(values),
    slopeMiBPerHour: slopeOf(settled, of),
  };
}

function slopeOf(samples: readonly SoakSample[], of: (sample: SoakSample) => number | null): number | null {
  const points = samples.flatMap((sample) => {
    const value = of(sample);
    return value === null ? [] : [{ atSeconds: sample.atSeconds, value }];
  });
  const slope = slopePerHour(points);
  return slope === null ? null : round(slope);
}

function maxOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}

/** Over the whole time: intervals may differ in length. */
function meanRate(samples: readonly SoakSample[], of: (sample: SoakSample) => number): number {
  let [events, before] = [0, 0];
  for (const sample of samples) {
    events += of(sample) * (sample.atSeconds - before);
    before = sample.atSeconds;
  }
  return Math.round(events / Math.max(before, 1));
}
