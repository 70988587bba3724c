// Kept makers: a lease goes on with the world of the one before, and makes the bytes of a world of its own.
import { expect, test } from 'vitest';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { keepMakers } from '../../generator/kept-makers.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import { hashOf } from './hash-program.ts';

const START = Date.UTC(2026, 2, 1);
const spec = createGeneratorSpec({
  topic: 't',
  disorder: 0.05,
  duplicates: 0.05,
  duplicatesLater: 0.01,
  late: 0.02,
  malformed: 0.02,
});

test('the same settings under the same name find the same maker, any others another', () => {
  const makerOf = keepMakers();
  const maker = makerOf(spec);
  expect(makerOf({ ...spec })).toBe(maker);
  expect(makerOf({ ...spec, name: 'other' })).not.toBe(maker);
  expect(makerOf({ ...spec, seed: 2 })).not.toBe(maker);
  expect(makerOf(spec)).not.toBe(maker);
});

test('leases of a kept maker, in any order and on changing schedules, make the bytes of makers of their own', () => {
  const makerOf = keepMakers();
  const slow = { fromIndex: 0, startMs: START, rate: 500 };
  const fast = { fromIndex: 30_000, startMs: START + 60_000, rate: 2_000, firstAfter: 0.25 };
  const burst = { ...slow, profile: { name: 'burst', beganMs: START, lengthMs: 60_000 } } as const;
  const leases = [
    [slow, 0, 9_000],
    [slow, 9_000, 30_000],
    [fast, 30_000, 45_000],
    [slow, 29_000, 30_500],
    [burst, 0, 9_000],
    [{ ...fast }, 45_000, 50_000],
  ] as const;
  for (const [segment, from, to] of leases) {
    const own = createMessageMaker(spec).messages(segment, from, to);
    expect(hashOf(makerOf(spec).messages(segment, from, to))).toBe(hashOf(own));
  }
});
