// A tally: how many values lie in each of a few ranges.

/** `from` to, not including, `to`; null: and more. */
export type Range = { readonly from: number; readonly to: number | null; readonly count: number };

export class Tally {
  readonly #from: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #most = 0;

  /** Ranges begin at these numbers, which ascend; what is less than the first counts there too. */
  constructor(from: readonly number[]) {
    this.#from = from;
    this.#counts = from.map(() => 0);
  }

  add(value: number): void {
    const nth = Math.max(
      0,
      this.#from.findLastIndex((least) => least <= value),
    );
    this.#counts[nth] = (this.#counts[nth] ?? 0) + 1;
    this.#sum += value;
    this.#most = Math.max(this.#most, value);
  }

  ranges(): Range[] {
    return this.#from.map((from, nth) => ({ from, to: this.#from[nth + 1] ?? null, count: this.#counts[nth] ?? 0 }));
  }

  /** 0 as long as there are none. */
  get mean(): number {
    const count = this.#counts.reduce((sum, of) => sum + of, 0);
    return count === 0 ? 0 : this.#sum / count;
  }

  /** 0 as long as there are none above it. */
  get most(): number {
    return this.#most;
  }
}
