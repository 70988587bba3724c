// What a partition's workflow knows of its newest lease: its number and beginning, how the last one ended, and where.
import type { ConsumeResult } from '../activities/consume-partition.ts';

export class LeaseRecord {
  /** Number of the newest lease. */
  number: number;
  startedMs: number | null = null;
  /** The last lease that came to an end, and how long it took. */
  last: ConsumeResult | null = null;
  lastMs = 0;
  /** Where it ended, or where the partition was put since. */
  nextOffset: string | null;

  constructor(carried?: { readonly lease: number; readonly nextOffset: string | null }) {
    this.number = carried?.lease ?? 0;
    this.nextOffset = carried?.nextOffset ?? null;
  }

  begin(): void {
    this.number += 1;
    this.startedMs = Date.now();
  }

  /** One that was passed on has not been a lease at all. */
  end(result: ConsumeResult): void {
    if (result.reason === 'passed-on') return;
    this.last = result;
    this.lastMs = Date.now() - (this.startedMs ?? Date.now());
    this.nextOffset = result.nextOffset;
  }
}
