// What a partition's topic holds at any moment: messages at even distances, from one moment to another.

/** Times in milliseconds. Messages come from `fromMs` on, up to `untilMs`; before 0 they lie there when the simulation begins. */
export type SourceOptions = {
  readonly perSecond: number;
  readonly fromMs: number;
  readonly untilMs: number;
  /** Part of a distance by which the first message is late, so that partitions do not act in step. */
  readonly phase: number;
};

export class Source {
  readonly perMs: number;
  readonly #options: SourceOptions;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.perMs = options.perSecond / 1000;
  }

  /** How many messages are there at this moment. */
  countAt(ms: number): number {
    const { fromMs, untilMs, phase } = this.#options;
    const passedMs = Math.min(ms, untilMs) - fromMs;
    // A little more, so that the moment of a message counts it, however the product was rounded.
    return Math.max(0, Math.floor(passedMs * this.perMs - phase + 1e-6) + 1);
  }

  /** When message `index` comes; infinity when it never does. */
  timeOf(index: number): number {
    const { fromMs, untilMs, phase } = this.#options;
    const ms = fromMs + (index + phase) / this.perMs;
    return ms <= untilMs ? ms : Infinity;
  }
}
