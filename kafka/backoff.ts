// Waiting between two tries: longer each time up to a bound, with jitter so that many partitions don't come back at once.
import { setTimeout as delay } from 'node:timers/promises';

import { backoffWaitMs } from '../pipeline/backoff.ts';

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 3_000;

/** Counts tries since the last success. `wait` resolves after the pause and rejects promptly when `signal` aborts. */
export class Backoff {
  #tries = 0;

  get tries(): number {
    return this.#tries;
  }

  reset(): void {
    this.#tries = 0;
  }

  async wait(signal: AbortSignal): Promise<void> {
    this.#tries += 1;
    const waitMs = backoffWaitMs({
      failures: this.#tries,
      firstMs: FIRST_WAIT_MS,
      longestMs: LONGEST_WAIT_MS,
      chance: Math.random(),
    });
    await delay(waitMs, undefined, { signal });
  }
}
