// Chance without a sequence: every draw is a hash of (seed, index, which draw), so any message can be made without those before it.

const GOLDEN = 0x9e3779b9;
const TWO_32 = 4_294_967_296;

/** Murmur3's finalizer: a bijection of 32 bits in which every input bit moves every output bit. */
function mix32(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Hash of a whole number (up to 2^53) under a 32-bit key. Keys and numbers below 2^32 never collide under one key. */
export function hashUnder(key: number, whole: number): number {
  const high = Math.floor(whole / TWO_32);
  return mix32((whole | 0) ^ mix32(key + Math.imul(high, GOLDEN)));
}

/** The `which`-th draw of a base hash: 32 bits. */
export function draw(base: number, which: number): number {
  return mix32(base + Math.imul(which + 1, GOLDEN));
}

/** The `which`-th draw as a fraction in [0, 1). */
export function fraction(base: number, which: number): number {
  return draw(base, which) / TWO_32;
}

/** The `which`-th draw as a whole number in [0, below). */
export function pick(base: number, which: number, below: number): number {
  return Math.floor((draw(base, which) / TWO_32) * below);
}

// Small fractions are likelier in a square or cube. Multiplied out: the exponent operator may round differently elsewhere.
export const cube = (value: number): number => value * value * value;
export const square = (value: number): number => value * value;
