// An event's id: a uuid v7 that any process derives again from the same seed, index and event time.
import { must } from '../pipeline/ensure.ts';
import { draw, hashUnder } from './seeded-chance.ts';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

const hexOf = (byte: number): string => must(HEX[byte & 0xff], 'two digits per byte');
const hex16 = (value: number): string => hexOf(value >>> 8) + hexOf(value);

/** 32 bits as eight hexadecimal digits. */
export const hex32 = (value: number): string => hex16(value >>> 16) + hex16(value);

/**
 * Uuid v7 of message `index` under a seed's key: 48 bits of event time, then version and variant, 42 hashed bits and the
 * scrambled index. The scrambling is a bijection, so two indexes of one seed below 2^32 never share an id.
 */
export function eventIdOf(key: number, index: number, occurredAtMs: number): string {
  const scrambledIndex = hashUnder(key, index);
  const chance = draw(scrambledIndex, key);
  const timeHigh = Math.floor(occurredAtMs / 65_536);
  const versioned = 0x7000 | (chance & 0x0fff);
  const variant = 0x8000 | (draw(chance, 1) & 0x3fff);
  const time = `${hex32(timeHigh)}-${hex16(occurredAtMs % 65_536)}`;
  return `${time}-${hex16(versioned)}-${hex16(variant)}-${hex16(chance >>> 16)}${hex32(scrambledIndex)}`;
}
