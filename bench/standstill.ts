// How long partitions stand still: the longest time between two commits of each, seen by looking at the checkpoints.
import { setTimeout as wait } from 'node:timers/promises';

import type pg from 'pg';

import { must } from '../pipeline/ensure.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';

/** What a figure can be off by. */
const LOOK_EVERY_MS = 20;

type Where = { readonly schema: string; readonly topic: string };
type Seen = { nextOffset: number; movedMs: number; longestMs: number };

/** `p50` and `max` of some times in ms, rounded; null without any. */
export type Standstill = { readonly p50Ms: number; readonly maxMs: number } | null;

export class StandstillWatch {
  readonly #pool: pg.Pool;
  readonly #where: Where;
  readonly #seen = new Map<number, Seen>();
  readonly #stop = new AbortController();
  #looking: Promise<void> = Promise.resolve();

  constructor(pool: pg.Pool, where: Where) {
    this.#pool = pool;
    this.#where = where;
  }

  start(): void {
    this.#looking = this.#look();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#looking;
  }

  /** Forgets what was; each partition has moved just now. */
  reset(): void {
    for (const seen of this.#seen.values()) seen.longestMs = 0;
  }

  /** Whether each of `partitions` has committed after `sinceMs` (performance.now()). */
  allMoved(partitions: readonly number[], sinceMs: number): boolean {
    return partitions.every((partition) => (this.#seen.get(partition)?.movedMs ?? 0) > sinceMs);
  }

  /** Of each of `partitions` the longest standstill since `reset`; one that still lasts counts. */
  longest(partitions: readonly number[]): Standstill {
    const nowMs = performance.now();
    const times = partitions
      .map((partition) => must(this.#seen.get(partition), `the commits of partition ${partition}`))
      .map(({ longestMs, movedMs }) => Math.max(longestMs, nowMs - movedMs))
      .toSorted((left, right) => left - right);
    const [p50, max] = [times[Math.floor(times.length / 2)], times.at(-1)];
    return p50 === undefined || max === undefined ? null : { p50Ms: Math.round(p50), maxMs: Math.round(max) };
  }

  async #look(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const checkpoints = await readCheckpoints(this.#pool, this.#where);
      const nowMs = performance.now();
      for (const { partition, nextOffset } of checkpoints) {
        const seen = this.#seen.get(partition);
        if (!seen) this.#seen.set(partition, { nextOffset, movedMs: nowMs, longestMs: 0 });
        else if (nextOffset > seen.nextOffset) {
          Object.assign(seen, {
            nextOffset,
            movedMs: nowMs,
            longestMs: Math.max(seen.longestMs, nowMs - seen.movedMs),
          });
        }
      }
      await wait(LOOK_EVERY_MS);
    }
  }
}
