// Many latencies in little memory: counts in buckets that grow by two per cent each, so a percentile is off by 1 % at most.

/** Milliseconds by which one bucket is wider than the one before: also used in SQL, which sorts into the same buckets. */
export const BUCKET_GROWTH = 1.02;

/** Milliseconds. `events`: how many were measured. */
export type Percentiles = {
  readonly events: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
};

/** What takes 0 ms or less (clocks of one machine differ by less than a tick) counts as this. */
export const LEAST_MS = 0.1;

/** Number of buckets is bounded by the logarithm of the longest latency: about 900 for an hour. */
export class LatencyBuckets {
  readonly #counts = new Map<number, number>();
  #maxMs = 0;

  /** Adds `events` of bucket number `bucket`, which is floor(log(ms) / log(BUCKET_GROWTH)); `maxMs`: the longest of them. */
  add(bucket: number, { events, maxMs }: { events: number; maxMs: number }): void {
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + events);
    this.#maxMs = Math.max(this.#maxMs, maxMs);
  }

  /** All 0 when nothing was added. */
  percentiles(): Percentiles {
    const buckets = [...this.#counts].toSorted(([a], [b]) => a - b);
    const events = buckets.reduce((sum, [, count]) => sum + count, 0);
    const at = (share: number): number => {
      let passed = 0;
      for (const [bucket, count] of buckets) {
        passed += count;
        // The middle of the bucket, by its logarithm.
        if (passed >= share * events) return Math.min(this.#maxMs, BUCKET_GROWTH ** (bucket + 0.5));
      }
      return 0;
    };
    return { events, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: this.#maxMs };
  }
}
