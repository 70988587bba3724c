// Whether a figure grows, on series whose answer is known.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { outerQuarters, slopePerHour } from '../../bench/trend.ts';

test('a figure that grows by one a minute grows by sixty an hour', () => {
  const points = [0, 1, 2, 3].map((minute) => ({ atSeconds: minute * 60, value: 5 + minute }));
  expect(slopePerHour(points)).toBeCloseTo(60, 9);
});

test('a figure that only swings has no slope to speak of', () => {
  const points = [3, 7, 7, 3].map((value, minute) => ({ atSeconds: minute * 60, value }));
  expect(slopePerHour(points)).toBeCloseTo(0, 9);
});

test('one reading, or several of one moment, have no slope', () => {
  expect(slopePerHour([])).toBeNull();
  expect(slopePerHour([{ atSeconds: 60, value: 1 }])).toBeNull();
  expect(
    slopePerHour([
      { atSeconds: 60, value: 1 },
      { atSeconds: 60, value: 2 },
    ]),
  ).toBeNull();
});

test('any straight line is found again, however its points are spread', () => {
  const line = fc.record({
    slope: fc.integer({ min: -1000, max: 1000 }),
    start: fc.integer({ min: -1e6, max: 1e6 }),
    at: fc.uniqueArray(fc.integer({ min: 0, max: 86_400 }), { minLength: 2, maxLength: 60 }),
  });
  fc.assert(
    fc.property(line, ({ slope, start, at }) => {
      const points = at.map((atSeconds) => ({ atSeconds, value: start + (slope * atSeconds) / 3600 }));
      expect(slopePerHour(points)).toBeCloseTo(slope, 3);
    }),
  );
});

test('the outer quarters of a series are its beginning and its end', () => {
  expect(outerQuarters([1, 2, 3, 4, 5, 6, 7, 8])).toEqual({ first: [1, 2], last: [7, 8] });
  expect(outerQuarters([1])).toEqual({ first: [1], last: [1] });
  expect(outerQuarters([])).toEqual({ first: [], last: [] });
});
