// Profiles: by what the rate is multiplied, its exact integral, and that a schedule under any of them loses nothing.
import { assert, constantFrom, double, integer, property, record } from 'fast-check';
import { describe, expect, test } from 'vitest';

import { dueMs, dueThrough, positionAt, targetRate } from '../../generator/pace.ts';
import type { Segment } from '../../generator/pace.ts';
import { PROFILE_NAMES, factorAt, peakFactor, workClock } from '../../generator/profile.ts';
import type { Profile, ProfileName } from '../../generator/profile.ts';
import { PEAKS } from '../../workflows/generator-state.ts';

const HOUR = 3_600_000;
const MIDNIGHT = Date.UTC(2026, 10, 23);
const SHAPED = PROFILE_NAMES.filter((name) => name !== 'steady');

const profile = (name: ProfileName, given: Partial<Profile> = {}): Profile => ({
  name,
  beganMs: MIDNIGHT,
  lengthMs: null,
  ...given,
});
const segment = (of: Profile, rate: number, startMs = MIDNIGHT): Segment => ({
  fromIndex: 0,
  startMs,
  rate,
  profile: of,
});
const due = (of: Segment, fromMs: number, toMs: number): number =>
  dueThrough(of, toMs - 1) - (fromMs <= of.startMs ? 0 : dueThrough(of, fromMs - 1));

const anySegment = record({
  name: constantFrom(...SHAPED),
  fromIndex: integer({ min: 0, max: 1e9 }),
  startMs: integer({ min: 1e12, max: 2e12 }),
  sinceOriginMs: integer({ min: 0, max: 3e7 }),
  lengthMs: integer({ min: 10_000, max: 86_400_000 }),
  rate: double({ min: 0.01, max: 20_000, noNaN: true }),
  firstAfter: double({ min: 0, max: 1, noNaN: true }),
}).map(({ name, sinceOriginMs, lengthMs, ...rest }) => ({
  ...rest,
  profile: profile(name, { beganMs: rest.startMs - sinceOriginMs, lengthMs }),
}));

describe('the integral', () => {
  test('is what the factor adds up to, in every profile and from any moment on', () => {
    for (const name of SHAPED) {
      const of = profile(name);
      const startMs = MIDNIGHT + 12_345;
      const clock = workClock(of, startMs);
      let sum = 0;
      for (let ms = startMs; ms < startMs + 2 * HOUR; ms += 10) sum += 10 * factorAt(of, ms + 5);
      expect(Math.abs(clock.workAt(startMs + 2 * HOUR) - sum)).toBeLessThan(Math.max(1, sum * 1e-6));
    }
  });

  test('and its inverse are one: a message is due when its time has come, and not a millisecond before', () => {
    assert(
      property(anySegment, integer({ min: 0, max: 200_000_000 }), (of, passedMs) => {
        const nowMs = of.startMs + passedMs;
        const through = dueThrough(of, nowMs);
        expect(dueMs(of, through)).toBeGreaterThan(nowMs);
        expect(through === of.fromIndex || dueMs(of, through - 1) <= nowMs).toBe(true);
        // A due time is cut to its millisecond.
        expect(through).toBeLessThanOrEqual(Math.ceil(positionAt(of, nowMs + 1)) + 1);
        expect(through).toBeGreaterThanOrEqual(Math.floor(positionAt(of, nowMs)));
      }),
      { numRuns: 500 },
    );
  });

  test('never makes a later message due before an earlier one', () => {
    assert(
      property(anySegment, integer({ min: 0, max: 10_000_000 }), (of, from) => {
        const first = of.fromIndex + from;
        const times = Array.from({ length: 50 }, (_, nth) => dueMs(of, first + nth));
        expect(times).toEqual(times.toSorted((one, other) => one - other));
        expect(times[0]).toBeGreaterThanOrEqual(Math.floor(of.startMs));
      }),
      { numRuns: 200 },
    );
  });
});

test('however little is missing of the first message, it is due before the second', () => {
  const of = { ...segment(profile('quiet-night'), 3.19), firstAfter: Number.MIN_VALUE };
  expect(dueMs(of, 0)).toBe(MIDNIGHT + 6 * HOUR);
  expect(dueMs(of, 1)).toBeGreaterThan(MIDNIGHT + 6 * HOUR);
});

describe('daily', () => {
  test('makes as many messages in a day as the rate says, whenever the day begins', () => {
    for (const startMs of [MIDNIGHT, MIDNIGHT + 7.3 * HOUR]) {
      expect(due(segment(profile('daily'), 10, startMs), startMs, startMs + 24 * HOUR)).toBe(864_000);
    }
  });

  test('sends about fourteen times as much at eight in the evening as at three in the night', () => {
    const of = segment(profile('daily'), 100);
    const night = due(of, MIDNIGHT + 3 * HOUR, MIDNIGHT + 4 * HOUR);
    const evening = due(of, MIDNIGHT + 20 * HOUR, MIDNIGHT + 21 * HOUR);
    expect(night).toBe(54_000);
    expect(evening).toBe(693_000);
  });

  test('can have a shorter day', () => {
    const of = segment(profile('daily', { lengthMs: 600_000 }), 10);
    expect(due(of, MIDNIGHT, MIDNIGHT + 600_000)).toBe(6_000);
    expect(targetRate(of, MIDNIGHT + 20 * 25_000)).toBe(20);
  });
});

describe('burst', () => {
  test('is a minute as usual, two minutes at twenty times the rate, and as usual again, every half hour', () => {
    const of = segment(profile('burst'), 10);
    const minutes = Array.from({ length: 33 }, (_, nth) =>
      due(of, MIDNIGHT + nth * 60_000, MIDNIGHT + (nth + 1) * 60_000),
    );
    const round = [600, 12_000, 12_000, ...Array.from({ length: 27 }, () => 600)];
    expect(minutes).toEqual([...round, 600, 12_000, 12_000]);
    expect(targetRate(of, MIDNIGHT + 60_000)).toBe(200);
  });
});

describe('ramp', () => {
  test('climbs evenly to the rate in ten minutes and stays there', () => {
    const of = segment(profile('ramp'), 100);
    expect(due(of, MIDNIGHT, MIDNIGHT + 600_000)).toBe(30_000);
    expect(due(of, MIDNIGHT + 600_000, MIDNIGHT + 660_000)).toBe(6_000);
    expect(targetRate(of, MIDNIGHT + 150_000)).toBe(25);
    expect(targetRate(of, MIDNIGHT + 30 * 600_000)).toBe(100);
  });
});

describe('quiet-night', () => {
  test('sends nothing from midnight to six, not even when it begins or changes its rate there', () => {
    const of = segment(profile('quiet-night'), 1_000);
    expect(due(of, MIDNIGHT, MIDNIGHT + 6 * HOUR)).toBe(0);
    expect(dueMs(of, 0)).toBe(MIDNIGHT + 6 * HOUR);
    expect(due(of, MIDNIGHT + 12 * HOUR, MIDNIGHT + 13 * HOUR)).toBe(3_600_000);
  });

  test('begins the next day with the message that the evening left over', () => {
    const of = segment(profile('quiet-night'), 1);
    const evening = dueThrough(of, MIDNIGHT + 24 * HOUR);
    expect(dueMs(of, evening - 1)).toBeLessThanOrEqual(MIDNIGHT + 24 * HOUR);
    expect(dueMs(of, evening)).toBeGreaterThanOrEqual(MIDNIGHT + 30 * HOUR);
  });
});

test('a segment that goes on where another was left sends neither too early nor too late', () => {
  for (const name of PROFILE_NAMES) {
    const of = { name, beganMs: MIDNIGHT - HOUR, lengthMs: 7 * HOUR };
    let at: Segment = { fromIndex: 0, startMs: MIDNIGHT, rate: 3, profile: of };
    const whole = at;
    // The same rate asked for again and again: exactly the schedule of one segment.
    for (let change = 1; change <= 200; change += 1) {
      const atMs = MIDNIGHT + change * 61_234;
      const fromIndex = Math.max(at.fromIndex, Math.ceil(positionAt(at, atMs)));
      at = { fromIndex, startMs: atMs, rate: 3, profile: of, firstAfter: fromIndex - positionAt(at, atMs) };
    }
    for (let index = at.fromIndex; index < at.fromIndex + 100; index += 1) {
      expect(Math.abs(dueMs(at, index) - dueMs(whole, index))).toBeLessThanOrEqual(1);
    }
  }
});

test('no profile exceeds the peak that the workflow reckons with', () => {
  expect(Object.fromEntries(PROFILE_NAMES.map((name) => [name, peakFactor(name)]))).toEqual(PEAKS);
});
