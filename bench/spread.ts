// Several measurements of the same thing: their middle, and how far they lie apart.
import { round } from './cpu-meter.ts';
import { nearestRank } from './nearest-rank.ts';

/** In the unit of the values, rounded to two decimals; `spreadPercent`: from least to most, of the median. */
export type Spread = {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly spreadPercent: number;
};

/** All 0 without values. */
export function spreadOf(values: readonly number[]): Spread {
  const at = (share: number): number => nearestRank(values, share) ?? 0;
  const [median, least, most] = [at(0.5), at(0), at(1)];
  return {
    median: round(median),
    least: round(least),
    most: round(most),
    spreadPercent: median > 0 ? round(((most - least) / median) * 100) : 0,
  };
}
