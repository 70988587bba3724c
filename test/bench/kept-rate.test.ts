// The worst minute of a rate, on samples counted by hand.
import { expect, test } from 'vitest';

import { worstSpan } from '../../bench/kept-rate.ts';

/** A sample a second: `perSecond` says how many messages each second brought. */
const samplesOf = (seconds: number, perSecond: (second: number) => number) => {
  let messages = 7;
  return Array.from({ length: seconds + 1 }, (_, second) => {
    if (second > 0) messages += perSecond(second - 1);
    return { atMs: 5_000 + second * 1_000, messages };
  });
};

test('a rate that is kept is off by nothing, also one a second', () => {
  expect(
    worstSpan(
      samplesOf(120, () => 100),
      100,
    ),
  ).toEqual({ seconds: 60, actual: 100, offPercent: 0 });
  expect(
    worstSpan(
      samplesOf(120, (second) => (second % 7 === 0 ? 2 : second % 7 === 1 ? 0 : 1)),
      1,
    ).offPercent,
  ).toBe(0);
});

test('a slow half minute is found between two whole ones, and weighed over its worst minute', () => {
  const slow = (second: number): number => (second >= 75 && second < 105 ? 90 : 100);
  // 300 messages are missing, less the one that may lie on the edge, of 6,000.
  expect(worstSpan(samplesOf(180, slow), 100)).toEqual({ seconds: 60, actual: 95, offPercent: 4.983 });
});

test('less than a minute counts as a whole', () => {
  expect(
    worstSpan(
      samplesOf(10, () => 110),
      100,
    ),
  ).toEqual({ seconds: 10, actual: 110, offPercent: 9.9 });
});
