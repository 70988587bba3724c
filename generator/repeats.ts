// Repeats: whether a message says what one of the last million said, found in bounded memory.

/** Messages of one generation, and places in its table: half of them stay free, so that a look is short. */
const PER_GENERATION = 1_000_000;
const PLACES = 2 ** 21;
const TWO_32 = 4_294_967_296;

type Generation = { readonly keys: Float64Array; readonly numbers: Float64Array; size: number };

const emptyGeneration = (): Generation => ({
  keys: new Float64Array(PLACES),
  numbers: new Float64Array(PLACES),
  size: 0,
});

/**
 * Remembers the newest one to two million identities in two generations, by hashes of 52 bits: that two of them are taken for
 * one another happens once in some hundred million messages. 64 MiB when full.
 */
export class Repeats {
  #young = emptyGeneration();
  #old: Generation | null = null;

  /** How many messages before `number` the same identity was last told, or null; from now on it was told here. */
  distanceOf(identity: string, number: number): number | null {
    const key = hashOf(identity);
    const young = placeOf(this.#young, key);
    const toldAt = this.#young.keys[young] === key ? this.#young.numbers[young] : this.#formerNumber(key);
    if (this.#young.keys[young] !== key) {
      this.#young.keys[young] = key;
      this.#young.size += 1;
    }
    this.#young.numbers[young] = number;
    if (this.#young.size >= PER_GENERATION) {
      this.#old = this.#young;
      this.#young = emptyGeneration();
    }
    return toldAt === undefined ? null : number - toldAt;
  }

  #formerNumber(key: number): number | undefined {
    if (this.#old === null) return undefined;
    const place = placeOf(this.#old, key);
    return this.#old.keys[place] === key ? this.#old.numbers[place] : undefined;
  }
}

/** The place where a key is, or where it belongs. 0 marks what is free. */
function placeOf({ keys }: Generation, key: number): number {
  let place = key % PLACES;
  while (keys[place] !== 0 && keys[place] !== key) place = (place + 1) % PLACES;
  return place;
}

/** 52 bits, never 0. */
function hashOf(text: string): number {
  let [low, high] = [0x811c9dc5, 0x9747b28c];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x85ebca6b);
    high ^= high >>> 13;
  }
  low ^= low >>> 15;
  return ((high >>> 0) % 0x100000) * TWO_32 + (low >>> 0) || 1;
}
