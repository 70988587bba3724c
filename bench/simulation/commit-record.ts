// What was committed while a simulation was measured: batches, their transactions, and how old their messages were.
import { BUCKET_GROWTH, LEAST_MS, LatencyBuckets } from '../latency-buckets.ts';
import type { Source } from './source.ts';

/** Points of a batch at which the age of its messages is looked at. */
const AGES = 4;

export class CommitRecord {
  readonly lag = new LatencyBuckets();
  events = 0;
  batches = 0;
  transactions = 0;
  lastMs = 0;
  /** When a message older than a second was last seen. */
  behindMs = 0;
  #isMeasured = false;

  begin(): void {
    this.#isMeasured = true;
  }

  transaction(): void {
    if (this.#isMeasured) this.transactions += 1;
  }

  batch(nowMs: number, source: Source, { from, to }: { from: number; to: number }): void {
    if (!this.#isMeasured) return;
    this.events += to - from;
    this.batches += 1;
    this.lastMs = nowMs;
    const points = Math.min(AGES, to - from);
    for (let point = 0; point < points; point += 1) {
      const age = Math.max(LEAST_MS, nowMs - source.timeOf(from + Math.floor(((point + 0.5) * (to - from)) / points)));
      const bucket = Math.floor(Math.log(age) / Math.log(BUCKET_GROWTH));
      this.lag.add(bucket, { events: (to - from) / points, maxMs: age });
    }
  }
}
