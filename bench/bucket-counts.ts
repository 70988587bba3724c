// A histogram as Prometheus shows it: read from a metrics page, subtracted, added, and asked for percentiles.

/** Counts of observations by upper bound of their bucket, ascending; not cumulative. The last bound is Infinity. */
export type BucketCounts = readonly { readonly upTo: number; readonly count: number }[];

/** One histogram of a metrics page, all its label sets together. Empty when the page does not have it. */
export function bucketsOf(page: string, name: string): BucketCounts {
  const cumulative = new Map<number, number>();
  for (const [, labels = '', value] of page.matchAll(new RegExp(`^${name}_bucket\\{(.*)\\} (\\S+)$`, 'gm'))) {
    const bound = /(?:^|,)le="([^"]+)"/.exec(labels)?.[1];
    const upTo = bound === '+Inf' ? Infinity : Number(bound);
    cumulative.set(upTo, (cumulative.get(upTo) ?? 0) + Number(value));
  }
  const bounds = [...cumulative].toSorted(([a], [b]) => a - b);
  return bounds.map(([upTo, below], at) => ({ upTo, count: below - (bounds[at - 1]?.[1] ?? 0) }));
}

/** Sum of all label sets of a plain metric on a page; null when it is not there. */
export function valueOf(page: string, name: string): number | null {
  const values = [...page.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].map(([, value]) =>
    Number(value),
  );
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}

/** What was observed between two readings. A process that began anew counts from 0: its second reading is the answer. */
export function observedBetween(before: BucketCounts, after: BucketCounts): BucketCounts {
  const known = new Map(before.map(({ upTo, count }) => [upTo, count]));
  const less = after.map(({ upTo, count }) => ({ upTo, count: count - (known.get(upTo) ?? 0) }));
  return less.some(({ count }) => count < 0) ? after : less;
}

/** Several histograms of the same buckets as one. */
export function together(all: readonly BucketCounts[]): BucketCounts {
  const sums = new Map<number, number>();
  for (const { upTo, count } of all.flat()) sums.set(upTo, (sums.get(upTo) ?? 0) + count);
  return [...sums].toSorted(([a], [b]) => a - b).map(([upTo, count]) => ({ upTo, count }));
}

export function observations(counts: BucketCounts): number {
  return counts.reduce((sum, { count }) => sum + count, 0);
}

/**
 * The value below which `share` (0 to 1) of the observations lie, evenly spread within its bucket, as Prometheus does it;
 * null without observations. Beyond the last finite bound it is that bound.
 */
export function percentile(counts: BucketCounts, share: number): number | null {
  const wanted = share * observations(counts);
  if (observations(counts) === 0) return null;
  let [below, from] = [0, 0];
  for (const { upTo, count } of counts) {
    if (count > 0 && below + count >= wanted) {
      return Number.isFinite(upTo) ? from + ((upTo - from) * (wanted - below)) / count : from;
    }
    below += count;
    if (Number.isFinite(upTo)) from = upTo;
  }
  return from;
}
