// The leases that this worker process holds, and how many it should: over its share it gives some back and takes no more.
import type { Held } from '../pipeline/fair-share.ts';

type Of = { readonly topic: string; readonly partition: number };

/** One lease that is held. `yielded` aborts when it is to be given back early. */
export type HeldLease = Held & { readonly yielded: AbortSignal; end(): void };

type Holding = HeldLease & { readonly yield: AbortController };
type Refusals = { readonly sinceMs: number; readonly count: number };

/**
 * How often in a row a lease is passed on before it is taken all the same, some 30 ms each: Temporal may offer it to the same
 * worker again although others wait, since a task queue has several parts. No partition is left without a taker.
 */
const MOST_REFUSALS = 5;
const REFUSALS_COUNT_FOR_MS = 10_000;
/** A lease that comes again this soon after it was given back found nobody else. */
const RETURNED_WITHIN_MS = 10_000;

export class HeldLeases {
  /** The most leases that this worker should hold; Infinity while that is not known. */
  share = Infinity;
  readonly #holdings = new Map<string, Holding>();
  readonly #givenBackMs = new Map<string, number>();
  readonly #refusals = new Map<string, Refusals>();
  #lastTakeoverMs: number | null = null;

  get all(): readonly HeldLease[] {
    return [...this.#holdings.values()];
  }

  /**
   * When the youngest lease was offered that came here because its worker was gone, or because nobody else took it (epoch ms
   * of Temporal); null: there was none.
   */
  get lastTakeoverMs(): number | null {
    return this.#lastTakeoverMs;
  }

  /**
   * Whether the lease that is offered should go to another worker, because this one has its share. A few times in a row at
   * most, and never when its worker is gone: then the partition has stood still for long, and shares are about to change.
   */
  passesOn(of: Of, { workerGone }: { workerGone: boolean }): boolean {
    if (workerGone || this.#holdings.size < this.share) return false;
    const nowMs = performance.now();
    const before = this.#refusals.get(key(of));
    const fresh = before && nowMs - before.sinceMs < REFUSALS_COUNT_FOR_MS ? before : { sinceMs: nowMs, count: 0 };
    if (fresh.count >= MOST_REFUSALS) return false;
    this.#refusals.set(key(of), { ...fresh, count: fresh.count + 1 });
    return true;
  }

  /** Begins to hold a lease that was offered at `offeredMs` (epoch ms of Temporal). `workerGone`: see ConsumeInput. */
  begin(of: Of, { offeredMs, workerGone }: { offeredMs: number; workerGone: boolean }): HeldLease {
    const name = key(of);
    const begunMs = performance.now();
    const isReturned = begunMs - (this.#givenBackMs.get(name) ?? -Infinity) < RETURNED_WITHIN_MS;
    if (workerGone || isReturned) this.#lastTakeoverMs = Math.max(this.#lastTakeoverMs ?? -Infinity, offeredMs);
    const controller = new AbortController();
    const holding: Holding = {
      ...of,
      begunMs,
      yielded: controller.signal,
      yield: controller,
      end: () => {
        if (this.#holdings.get(name) === holding) this.#holdings.delete(name);
        if (controller.signal.aborted) this.#givenBackMs.set(name, performance.now());
      },
    };
    this.#holdings.set(name, holding);
    return holding;
  }

  /** Asks the lease to commit what it has in hand and to end. */
  giveBack(of: Of): void {
    this.#holdings.get(key(of))?.yield.abort(new Error('The lease is given back for another worker to take.'));
  }
}

const key = ({ topic, partition }: Of): string => `${partition}/${topic}`;
