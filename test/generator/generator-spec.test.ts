// What may be asked of a generator, and how it says no.
import { expect, test } from 'vitest';

import { createGeneratorSpec, generatorSpecProblems } from '../../generator/generator-spec.ts';

test('a topic alone is a spec without any disorder', () => {
  const spec = createGeneratorSpec({ topic: 'streaming-events' });
  expect(spec).toMatchObject({ rate: 500, count: null, disorder: 0, duplicates: 0, malformed: 0, late: 0 });
  expect(generatorSpecProblems(spec)).toEqual([]);
});

test('every problem is named in a sentence of its own, all at once', () => {
  const asked = { name: 'a b', topic: '', seed: -1, rate: 0, count: 0, users: 0, late: 2, startTimeMs: 0.5 };
  const problems = generatorSpecProblems({ ...createGeneratorSpec({ topic: 't' }), ...asked });
  expect(problems).toHaveLength(9);
  for (const problem of problems) expect(problem).toMatch(/^[A-Z].*\.$/);
  expect(() => createGeneratorSpec(asked)).toThrow(problems.join('\n'));
});

test('shares that add up to more than all messages are refused', () => {
  expect(() => createGeneratorSpec({ topic: 't', disorder: 0.6, late: 0.5 })).toThrow('add up to 1.1');
});

test('numbers that are none are refused', () => {
  const spec = { ...createGeneratorSpec({ topic: 't' }), rate: NaN, disorder: NaN, users: Infinity };
  expect(generatorSpecProblems(spec)).toHaveLength(3);
});
