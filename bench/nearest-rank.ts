// Percentiles of few values: always one of them, so nothing is made up between two.

/** The value below or at which `share` (0 to 1) of `values` lie, by nearest rank; null without values. Any order. */
export function nearestRank(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}
