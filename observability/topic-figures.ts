// What this process saw last of each topic. Topics go from worker to worker: who has not worked on one for a minute forgets
// its figures, so that they don't stand beside those of the worker that looks after it now.

const HOLD_MS = 60_000;

type Held<T> = { working: number; touchedMs: number; figures: T | null };

export class TopicFigures<T extends object> {
  readonly #topics = new Map<string, Held<T>>();
  readonly #nowMs: () => number;

  /** `nowMs`: of a clock that never jumps. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** An activity that works on the topic begins; its figures are kept until the function that comes back was called, and a while longer. */
  began(topic: string): () => void {
    const held = this.#held(topic);
    held.working += 1;
    return () => {
      held.working -= 1;
      held.touchedMs = this.#nowMs();
    };
  }

  /** Replaces those figures of the topic that `figures` names. */
  saw(topic: string, figures: T): void {
    const held = this.#held(topic);
    held.touchedMs = this.#nowMs();
    held.figures = { ...held.figures, ...figures };
  }

  /** What is known at present. */
  *known(): Iterable<readonly [topic: string, figures: T]> {
    for (const [topic, { working, touchedMs, figures }] of this.#topics) {
      if (working === 0 && this.#nowMs() - touchedMs > HOLD_MS) this.#topics.delete(topic);
      else if (figures !== null) yield [topic, figures];
    }
  }

  #held(topic: string): Held<T> {
    const held = this.#topics.get(topic) ?? { working: 0, touchedMs: this.#nowMs(), figures: null };
    this.#topics.set(topic, held);
    return held;
  }
}
