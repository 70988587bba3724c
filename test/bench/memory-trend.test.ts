// Memory over time, on readings made by hand.
import { describe, expect, test } from 'vitest';

import { highestPoints, memoryTrend } from '../../bench/memory-trend.ts';

const every = (seconds: number, values: readonly number[]) =>
  values.map((value, nth) => ({ atSeconds: 1000 + nth * seconds, value }));

describe('a trend', () => {
  test('starts once what is filled once is full, and its peak is of all readings', () => {
    expect(memoryTrend(every(60, [500, 400, 100, 101, 102]), 120)).toEqual({
      startMiB: 100,
      peakMiB: 500,
      endMiB: 102,
      slopeMiBPerHour: 60,
    });
  });

  test('of a short run is of all of it', () => {
    expect(memoryTrend(every(1, [100, 102, 101]), 120)).toMatchObject({ startMiB: 100, peakMiB: 102, endMiB: 101 });
  });

  test('without readings says nothing', () => {
    expect(memoryTrend([], 120)).toEqual({ startMiB: null, peakMiB: null, endMiB: null, slopeMiBPerHour: null });
  });
});

describe('fewer points', () => {
  test('are the highest of their stretches', () => {
    expect(highestPoints(every(1, [1, 9, 2, 3, 4]), 3).map(({ value }) => value)).toEqual([9, 3, 4]);
  });

  test('are all of them when there are few', () => {
    const few = every(1, [3, 1, 2]);
    expect(highestPoints(few, 120)).toEqual(few);
    expect(highestPoints([], 120)).toEqual([]);
  });
});
