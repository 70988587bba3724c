// Dwell: how long somebody stays at a step. Log-normal, as the times are that people take to read and decide.
import { must } from '../pipeline/ensure.ts';

const STEPS = 1_024;
const SIGMA = 0.9;

/**
 * Quantiles of the log-normal distribution whose mean is 1. Cut to four decimals: logarithms may differ in their last bit
 * from one engine to another, and the bytes of a world may not.
 */
const QUANTILES = Float64Array.from({ length: STEPS }, (_, step) => {
  const value = Math.exp(SIGMA * normalQuantile((step + 0.5) / STEPS) - (SIGMA * SIGMA) / 2);
  return Math.round(value * 10_000) / 10_000;
});

/** The quantile of a fraction in [0, 1): on the average 1, often half of it, now and then ten times as much. */
export function logNormal(uniform: number): number {
  return must(QUANTILES[Math.floor(uniform * STEPS)], 'a quantile per fraction');
}

/** Inverse of the normal distribution (Abramowitz and Stegun 26.2.23: right to 0.0005). */
function normalQuantile(share: number): number {
  if (share > 0.5) return -normalQuantile(1 - share);
  const t = Math.sqrt(-2 * Math.log(share));
  const above = 2.515517 + t * (0.802853 + t * 0.010328);
  const below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308));
  return above / below - t;
}
