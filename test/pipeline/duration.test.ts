// Durations: what people write is what the program keeps.
import { assert, integer, property } from 'fast-check';
import { describe, expect, test } from 'vitest';

import { formatDuration, parseDuration } from '../../pipeline/duration.ts';

describe('a duration', () => {
  test.each([
    ['20s', 20_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['250ms', 250],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['0', 0],
    ['0s', 0],
    [' 90 s ', 90_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(['', '5', 'five minutes', '5 parsecs', '-5m', '1e3s', '5m!', 'm5'])(
    '"%s" is refused with an example',
    (text) => {
      expect(() => parseDuration(text)).toThrow(/is not a duration; write a number with ms, s, m, h or d, such as 20s/);
    },
  );

  test('longer than a century is refused', () => {
    expect(() => parseDuration('40000d')).toThrow('longer than 100 years');
  });

  test.each([
    [0, '0s'],
    [300_000, '5m'],
    [90_000, '1m30s'],
    [86_400_000, '1d'],
    [1, '1ms'],
    [-20_000, '-20s'],
  ])('%d ms is written %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test('reading what was written gives the same duration', () => {
    const written = property(integer({ min: 0, max: 100 * 365 * 86_400_000 }), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    });
    assert(written);
  });
});
