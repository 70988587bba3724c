// What a process's resident memory did over time, in a few figures and few points.
import { slopePerHour } from './trend.ts';
import type { Point } from './trend.ts';

/** MiB, null without readings. `slopeMiBPerHour`: of a straight line by least squares through what was read after the start. */
export type MemoryTrend = {
  readonly startMiB: number | null;
  readonly peakMiB: number | null;
  readonly endMiB: number | null;
  readonly slopeMiBPerHour: number | null;
};

/**
 * `points` in MiB. The start is the first reading after `settledAfterSeconds` from the first one (or simply the first, when fewer
 * than two come later), because what a process fills once is no growth; the peak is of all.
 */
export function memoryTrend(points: readonly Point[], settledAfterSeconds: number): MemoryTrend {
  const firstSeconds = points[0]?.atSeconds ?? 0;
  const later = points.filter(({ atSeconds }) => atSeconds - firstSeconds >= settledAfterSeconds);
  const settled = later.length > 1 ? later : points;
  const slope = slopePerHour(settled);
  return {
    startMiB: settled[0]?.value ?? null,
    peakMiB: points.length === 0 ? null : Math.max(...points.map(({ value }) => value)),
    endMiB: settled.at(-1)?.value ?? null,
    slopeMiBPerHour: slope === null ? null : Math.round(slope * 100) / 100,
  };
}

/** At most `most` of the points: the highest of each stretch, so that no peak is lost. */
export function highestPoints(points: readonly Point[], most: number): Point[] {
  const length = Math.max(1, Math.ceil(points.length / most));
  const stretches = Array.from({ length: Math.ceil(points.length / length) }, (_, nth) =>
    points.slice(nth * length, (nth + 1) * length),
  );
  return stretches.map((stretch) => stretch.reduce((high, point) => (point.value > high.value ? point : high)));
}
