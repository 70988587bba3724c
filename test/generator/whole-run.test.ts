// A whole run: what is made without a workflow is what the workflow would make.
import { expect, test } from 'vitest';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { dueMs } from '../../generator/pace.ts';
import { PROFILE_NAMES } from '../../generator/profile.ts';
import { wholeRun } from '../../generator/whole-run.ts';
import { initialGeneratorState } from '../../workflows/generator-state.ts';

const START = Date.UTC(2026, 2, 1, 12);

test.each(PROFILE_NAMES)('its schedule is that of a workflow with the same settings (%s)', (profile) => {
  for (const given of [{}, { profile }, { profile, profileMs: 60_000, rate: 3 }]) {
    const spec = createGeneratorSpec({ topic: 't', ...given });
    expect(wholeRun(spec, START).segment).toEqual(initialGeneratorState(spec, START).segment);
    const history = { ...spec, startTimeMs: START };
    expect(wholeRun(history, START).segment).toEqual(initialGeneratorState(history, START + 1_234).segment);
  }
});

test('it ends at its count or with the last message that is due in its time, whichever comes first', () => {
  const end = (given: object): number =>
    wholeRun(createGeneratorSpec({ topic: 't', rate: 10, ...given }), START).endIndex;
  expect(end({})).toBe(Infinity);
  expect(end({ count: 70 })).toBe(70);
  expect(end({ forMs: 5_000 })).toBe(50);
  expect(end({ forMs: 5_000, count: 70 })).toBe(50);
  expect(end({ forMs: 50_000, count: 70 })).toBe(70);
  const { segment, endIndex } = wholeRun(
    createGeneratorSpec({ topic: 't', rate: 10, profile: 'ramp', forMs: 90_000 }),
    START,
  );
  expect(dueMs(segment, endIndex - 1)).toBeLessThan(START + 90_000);
  expect(dueMs(segment, endIndex)).toBeGreaterThanOrEqual(START + 90_000);
});
