// Duplicates: which messages repeat an earlier one, byte by byte. They come on top: no event is left out for them.
import { repeatedShare } from './disorder.ts';
import type { GeneratorSpec } from './generator-spec.ts';
import { cube, draw, fraction, hashUnder, pick } from './seeded-chance.ts';

/** soon: within seconds. later: some three minutes afterwards. elsewhere: at once, keyed by its session: another partition. */
type Repetition = 'soon' | 'later' | 'elsewhere';

/** How far back a message reaches at most that repeats one soon, in messages. */
export const DUPLICATE_REACH = 5_000;
const LATER_MS = 180_000;
/** By how many messages at most that is more or less: near enough that the sessions there need be made only once. */
const LATER_SPREAD = 10_000;
/** How far apart messages may lie that are made one after the other because of a spec's duplicates. */
export function spreadOf({ duplicatesLater = 0 }: GeneratorSpec): number {
  return DUPLICATE_REACH + (duplicatesLater > 0 ? 2 * LATER_SPREAD : 0);
}

/** Beyond it there would be too few events to repeat. */
const MOST_REPEATED = 0.95;
const DRAW = { place: 0, kind: 1, reach: 2 } as const;

/**
 * The pattern of a spec's repetitions. The n-th lies at a hashed place within the n-th stretch of 1 / share messages: so any
 * message knows how many came before it, and with that which event it tells. Message 0 never repeats.
 */
export class Duplicates {
  readonly #share: number;
  readonly #stretch: number;
  readonly #key: number;
  readonly #spec: GeneratorSpec;

  constructor(spec: GeneratorSpec, worldKey: number) {
    this.#spec = spec;
    this.#key = worldKey ^ 0x64757065;
    this.#share = Math.min(repeatedShare(spec), MOST_REPEATED);
    this.#stretch = Math.floor(1 / this.#share);
  }

  /** How many of the messages before `message` repeat another. */
  before(message: number): number {
    if (this.#share === 0) return 0;
    let count = Math.max(0, Math.floor((message - 1) * this.#share));
    while (count > 0 && this.#place(count - 1) >= message) count -= 1;
    while (this.#place(count) < message) count += 1;
    return count;
  }

  /** Whether, and how, this message repeats another; null: it tells an event of its own. */
  kindOf(message: number): Repetition | null {
    if (this.#share === 0) return null;
    const nth = this.before(message);
    if (this.#place(nth) !== message) return null;
    const { duplicatesLater = 0, duplicatesElsewhere = 0 } = this.#spec;
    const uniform = fraction(hashUnder(this.#key, nth), DRAW.kind) * repeatedShare(this.#spec);
    if (uniform < duplicatesLater) return 'later';
    return uniform < duplicatesLater + duplicatesElsewhere ? 'elsewhere' : 'soon';
  }

  /** The event that this message tells, if it repeats none: events are counted without the repetitions. */
  eventOf(message: number): number {
    return message - this.before(message);
  }

  /** The message that tells an event: the inverse of `eventOf`. */
  messageOf(event: number): number {
    if (this.#share === 0) return event;
    let before = Math.max(0, Math.floor((event * this.#share) / (1 - this.#share)));
    while (before > 0 && this.#place(before - 1) - (before - 1) > event) before -= 1;
    while (this.#place(before) - before <= event) before += 1;
    return event + before;
  }

  /**
   * The message that this one repeats: the nearest from where its kind reaches back to that tells an event and `isWhole`. A
   * segment's bytes depend on nothing outside it, so one at its very beginning repeats the next instead, ahead of it.
   */
  sourceOf(message: number, kind: Repetition, within: { readonly from: number; isWhole(at: number): boolean }): number {
    const chance = hashUnder(this.#key ^ 0x66726f6d, message);
    const tells = (at: number): boolean => this.kindOf(at) === null && within.isWhole(at);
    let source = message - this.#reach(kind, chance);
    if (source < within.from) source = message - 1;
    while (source >= within.from && !tells(source)) source -= 1;
    if (source >= within.from) return source;
    for (source = message + 1; !tells(source) && source < message + DUPLICATE_REACH;) source += 1;
    return source;
  }

  #reach(kind: Repetition, chance: number): number {
    if (kind === 'elsewhere') return 1;
    if (kind === 'soon') return 1 + Math.floor(cube(fraction(chance, DRAW.reach)) * DUPLICATE_REACH);
    const usual = (LATER_MS * this.#spec.rate) / 1_000;
    const spread = Math.floor(Math.min(LATER_SPREAD, usual / 4));
    return 1 + Math.floor(usual) - spread + pick(chance, DRAW.reach, 2 * spread + 1);
  }

  #place(nth: number): number {
    const within = (draw(hashUnder(this.#key, nth), DRAW.place) / 4_294_967_296) * this.#stretch;
    return 1 + Math.ceil(nth / this.#share) + Math.floor(within);
  }
}
