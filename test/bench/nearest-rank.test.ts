// Percentiles and spreads of few values, counted by hand.
import { expect, test } from 'vitest';

import { nearestRank } from '../../bench/nearest-rank.ts';
import { spreadOf } from '../../bench/spread.ts';

test('a percentile is the value that so many are not above', () => {
  const tens = [100, 10, 90, 20, 80, 30, 70, 40, 60, 50];
  expect([0, 0.5, 0.9, 0.99, 1].map((share) => nearestRank(tens, share))).toEqual([10, 50, 90, 100, 100]);
});

test('a percentile of one value is that, of none is null', () => {
  expect(nearestRank([7], 0.5)).toBe(7);
  expect(nearestRank([], 0.5)).toBeNull();
});

test('a spread is from the least to the most, of the median', () => {
  expect(spreadOf([4, 5, 3.5])).toEqual({ median: 4, least: 3.5, most: 5, spreadPercent: 37.5 });
  expect(spreadOf([])).toEqual({ median: 0, least: 0, most: 0, spreadPercent: 0 });
});
