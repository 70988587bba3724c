// What happens next in a simulation: a heap of moments, each with what to do then. Nothing in it waits for a real clock.

type Entry = { readonly atMs: number; readonly order: number; readonly act: () => void };

/** Moments of one simulated time, in milliseconds from 0. What is due at the same moment happens in the order it was asked for. */
export class EventQueue {
  nowMs = 0;
  readonly #heap: Entry[] = [];
  #asked = 0;

  /** Acts `delayMs` from now; a negative delay counts as none. */
  after(delayMs: number, act: () => void): void {
    this.#asked += 1;
    this.#push({ atMs: this.nowMs + Math.max(0, delayMs), order: this.#asked, act });
  }

  /** Lets time pass up to `endMs`, or to the last thing that is to happen when that comes sooner and `endMs` is infinite. */
  runUntil(endMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0]) {
      this.#pop();
      this.nowMs = next.atMs;
      next.act();
    }
    if (Number.isFinite(endMs)) this.nowMs = endMs;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isSooner(parent, entry)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
      if (left === undefined) break;
      const isRight = right !== undefined && isSooner(right, left);
      const child = isRight ? right : left;
      if (isSooner(last, child)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

function isSooner(one: Entry, other: Entry): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
