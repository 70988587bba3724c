// The scale of a world: how many people are in the shop at once, and how much of the world is made at a time.
import type { GeneratorSpec } from './generator-spec.ts';
import { TYPICAL_DWELL_MS, TYPICAL_STEPS } from './walk.ts';

/** `places`: steps and span of a block, a power of two. `placesPerMs`: how fast the world's time runs for who dwells. */
export type Scale = { readonly places: number; readonly placesPerMs: number };

/** Of all shoppers, at most one in so many is in the shop at once; and never more than this. */
const SHOPPERS_PER_VISITOR = 10;
const MOST_VISITORS = 2_000;
/** A block's span against a session of usual length: what is longer than half a span must hurry. */
const SESSIONS_PER_SPAN = 5;
const LEAST_PLACES = 512;
/**
 * The scale of a world: people dwell as long as people do, unless that would need more of them in the shop at once than a
 * tenth of all (or 2,000): then everybody is faster.
 */
export function createScale({ users, rate }: Pick<GeneratorSpec, 'users' | 'rate'>): Scale {
  const wanted = (rate * TYPICAL_DWELL_MS) / 1_000;
  const visitors = Math.min(wanted, users / SHOPPERS_PER_VISITOR, MOST_VISITORS);
  const least = visitors * TYPICAL_STEPS * SESSIONS_PER_SPAN;
  let places = LEAST_PLACES;
  while (places < least) places *= 2;
  return { places, placesPerMs: visitors / TYPICAL_DWELL_MS };
}
