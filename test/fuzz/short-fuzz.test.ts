// A short run of the fuzzer, always with the same seed; `npm run fuzz` is the long one.
import { expect, test } from 'vitest';

import { fuzz } from './fuzz-run.ts';
import { minimised } from './minimise.ts';

const MESSAGES = 100_000;

test('100,000 spoilt messages each get exactly the verdict that belongs to them, and are stored as they were judged', async () => {
  const report = await fuzz({ seed: 1, messages: MESSAGES });
  expect(report.failures).toEqual([]);
  expect(report.messages).toBe(MESSAGES);
  expect(report.events).toBeGreaterThan(MESSAGES / 10);
  // The mutations come as deep as the last rule.
  expect(report.notReached).toEqual([]);
}, 300_000);

test('a failing value is cut down to what makes it fail', () => {
  const value = Buffer.from(`${'x'.repeat(5000)}needle${'y'.repeat(3000)}`);
  expect(minimised(value, (shorter) => shorter.includes('needle')).toString()).toBe('needle');
});
