// How fast messages come in and are committed: what two readings of the offsets tell.

export type Rates = { readonly producedPerSecond: number; readonly committedPerSecond: number };

/** Sums of offsets over all partitions. */
type Reading = { readonly produced: number; readonly committed: number };

export class FlowMeter {
  #before: (Reading & { readonly atMs: number }) | null = null;

  /** Since the reading before; null at the first. A log that was begun anew counts as no flow. */
  measure(reading: Reading): Rates | null {
    const now = { ...reading, atMs: performance.now() };
    const before = this.#before;
    this.#before = now;
    if (before === null || now.atMs <= before.atMs) return null;
    const perSecond = (from: number, to: number): number =>
      Math.max(0, ((to - from) * 1000) / (now.atMs - before.atMs));
    return {
      producedPerSecond: perSecond(before.produced, now.produced),
      committedPerSecond: perSecond(before.committed, now.committed),
    };
  }
}
