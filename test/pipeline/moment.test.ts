// Times as people write them on the command line.
import { describe, expect, test } from 'vitest';

import { parseMoment } from '../../pipeline/moment.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');

describe('a moment', () => {
  test.each([
    ['2026-11-23T10:05:07.250Z', '2026-11-23T10:05:07.250Z'],
    ['2026-11-23T10:05Z', '2026-11-23T10:05:00Z'],
    ['2026-11-23T12:05+02:00', '2026-11-23T10:05:00Z'],
    ['2026-11-23 10:05:00+00', '2026-11-23T10:05:00Z'],
    ['2026-11-23T10:05:00z', '2026-11-23T10:05:00Z'],
    ['2026-11-23', '2026-11-23T00:00:00Z'],
    ['2h', '2026-11-23T10:00:00Z'],
    ['1h30m', '2026-11-23T10:30:00Z'],
    ['0.5h', '2026-11-23T11:30:00Z'],
  ])('%s is %s', (text, iso) => {
    expect(parseMoment(text, NOW)).toBe(Date.parse(iso));
  });

  test.each([
    ['yesterday', /"yesterday" is no time; write one such as/],
    ['', /"" is no time/],
    ['2026-02-30', /day 30 does not exist in 2026-02/],
    ['2026-11-23T10:05', /it has no offset/],
    ['2026-11-23T25:05Z', /hour 25 does not exist/],
    ['2 fortnights', /is no time/],
  ])('%s is refused', (text, sentence) => {
    expect(() => parseMoment(text, NOW)).toThrow(sentence);
  });
});
