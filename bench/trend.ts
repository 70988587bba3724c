// Whether a figure grows: a straight line through points in time, by least squares.

/** One reading. `atSeconds` from any origin. */
export type Point = { readonly atSeconds: number; readonly value: number };

const SECONDS_PER_HOUR = 3600;

/** Slope of the best straight line, per hour; null with fewer than two different times. */
export function slopePerHour(points: readonly Point[]): number | null {
  const meanOf = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const meanAt = meanOf(({ atSeconds }) => atSeconds);
  const meanValue = meanOf(({ value }) => value);
  let together = 0;
  let spread = 0;
  for (const { atSeconds, value } of points) {
    together += (atSeconds - meanAt) * (value - meanValue);
    spread += (atSeconds - meanAt) ** 2;
  }
  return spread > 0 ? (together / spread) * SECONDS_PER_HOUR : null;
}

/** The first and the last quarter of a series, at least one of each; both empty for an empty series. */
export function outerQuarters<T>(series: readonly T[]): { readonly first: readonly T[]; readonly last: readonly T[] } {
  const length = Math.ceil(series.length / 4);
  return { first: series.slice(0, length), last: series.slice(series.length - length) };
}
