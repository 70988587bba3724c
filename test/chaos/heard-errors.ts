// Listens on the workers' lines to PostgreSQL: which of its errors really reached them, by SQLSTATE.
import type { StruckWorker } from './struck-worker.ts';

/** The field C of an error response, between the severity before it and the message behind it. */
const SQLSTATE_FIELD = /\0C([0-9A-Z]{5})\0M/g;

/** Hears until `end`. Uses the proxies' find-a-point, and never names one: so no other fault may do so meanwhile. */
export class HeardErrors {
  readonly #counts = new Map<string, number>();
  readonly #workers: readonly StruckWorker[];

  constructor(workers: readonly StruckWorker[]) {
    this.#workers = workers;
    for (const { postgres } of workers) {
      postgres.cutAt((chunk, from) => {
        if (from === 'server') this.#hear(chunk);
        return null;
      });
    }
  }

  /** How many errors of these SQLSTATEs were heard so far, of all workers together. */
  count(...states: readonly string[]): number {
    return states.reduce((sum, state) => sum + (this.#counts.get(state) ?? 0), 0);
  }

  /** Everything heard, such as "57014 x 12, 57P01 x 9". */
  toString(): string {
    const heard = [...this.#counts].map(([state, count]) => `${state} x ${count}`);
    return heard.length === 0 ? 'no errors heard' : heard.join(', ');
  }

  async end(): Promise<void> {
    for (const { postgres } of this.#workers) await postgres.heal();
  }

  #hear(chunk: Buffer): void {
    for (const [, state] of chunk.toString('latin1').matchAll(SQLSTATE_FIELD)) {
      if (state !== undefined) this.#counts.set(state, (this.#counts.get(state) ?? 0) + 1);
    }
  }
}
