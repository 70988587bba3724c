// What a generator does on purpose is said beforehand.
import { expect, test } from 'vitest';

import { DEMO, demoSentence, demoSpec } from '../../cli/demo.ts';
import { flawsOf } from '../../cli/flaws.ts';
import { createGeneratorSpec } from '../../generator/generator-spec.ts';

test('the demo of weir up has small shares of flaws, and its sentence names every one of them', () => {
  const spec = demoSpec('streaming-events', { rate: null, seed: 7 });
  const shares = [spec.disorder, spec.duplicates, spec.malformed, spec.late];
  expect(Math.min(...shares)).toBeGreaterThan(0);
  expect(Math.max(...shares)).toBeLessThanOrEqual(0.01);
  expect(spec).toMatchObject({ rate: DEMO.rate, seed: 7, name: 'demo' });
  expect(demoSentence(spec)).toBe(
    'Generator demo makes 500 events/s (seed 7): 1 % out of order, 0.5 % twice, 0.2 % malformed, 0.1 % late.',
  );
});

test('a seed of its own for every demo, since the same one would make the same events again', () => {
  const seed = demoSpec('orders', { rate: 5, seed: null }).seed;
  expect(Math.abs(seed - Date.now() / 1_000)).toBeLessThan(60);
});

test('every share that may be asked for has its words, and none that is 0 is named', () => {
  const plain = createGeneratorSpec({ topic: 't' });
  expect(flawsOf(plain)).toBe('no flaws');
  const flaws = {
    disorder: 0.01,
    malformed: 0.05,
    late: 0.06,
    newerSchema: 0.07,
    missingOptional: 0.08,
    clockSkew: 1e-4,
  };
  const doubles = { duplicates: 0.02, duplicatesLater: 0.03, duplicatesElsewhere: 0.04 };
  expect(flawsOf({ ...plain, ...flaws, ...doubles })).toBe(
    '1 % out of order, 2 % twice, 3 % again after three minutes, 4 % again in another partition, 5 % malformed, 6 % late, 7 % of schema version 2, 8 % without optional fields, 0.01 % of the devices with a wrong clock',
  );
});
