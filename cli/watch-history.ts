// What the last readings of a status said, as far as the view draws it: rates and lag over a few minutes.
import type { StatusReport } from './status-report.ts';

/** Oldest first. `partitionPeaks`: the largest lag of a single partition, by which bars are drawn. */
export type WatchHistory = {
  readonly produced: readonly number[];
  readonly committed: readonly number[];
  readonly lag: readonly number[];
  readonly partitionPeaks: readonly number[];
};

export const NO_HISTORY: WatchHistory = { produced: [], committed: [], lag: [], partitionPeaks: [] };

/** At one reading a second: two minutes. */
const KEPT = 120;

/** The history with one more reading. The first has no rates yet. */
export function withReading(history: WatchHistory, { rates, lag, partitions }: StatusReport): WatchHistory {
  const add = (values: readonly number[], value: number | undefined): readonly number[] =>
    value === undefined ? values : [...values, value].slice(-KEPT);
  return {
    produced: add(history.produced, rates?.producedPerSecond),
    committed: add(history.committed, rates?.committedPerSecond),
    lag: add(history.lag, lag),
    partitionPeaks: add(history.partitionPeaks, Math.max(0, ...partitions.map((each) => each.lag))),
  };
}
