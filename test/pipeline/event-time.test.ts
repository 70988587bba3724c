// The time of an event: which texts are one, which instant they name, and what is said of the others.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { microsecondsOf, parseTimeMs, whyNotATime } from '../../pipeline/event-time.ts';

const VALID: [text: string, ms: number, us: number][] = [
  ['1970-01-01T00:00:00Z', 0, 0],
  ['1970-01-01T00:00:00.1Z', 100, 0],
  ['1970-01-01T00:00:00.12Z', 120, 0],
  ['1970-01-01T00:00:00.1234Z', 123, 400],
  ['1970-01-01T00:00:00.000001Z', 0, 1],
  ['1970-01-01T00:00:00.123456Z', 123, 456],
  ['1970-01-01T00:00:00.999999999Z', 999, 999],
  ['1970-01-01T00:00:00.1+00:00', 100, 0],
  ['1970-01-01T00:00:00.12345-00:00', 123, 450],
  ['1969-12-31T23:59:59.999999Z', -1, 999],
  ['1969-12-31T23:59:59.0005Z', -1000, 500],
  ['2024-02-29T23:59:59Z', 1_709_251_199_000, 0],
  ['2000-02-29T00:00:00Z', 951_782_400_000, 0],
  ['2024-05-01T14:00:00+14:00', 1_714_521_600_000, 0],
  ['2024-04-30T10:00:00-14:00', 1_714_521_600_000, 0],
  ['0001-01-01T00:00:00Z', -62_135_596_800_000, 0],
  ['0000-12-31T23:30:00-01:00', -62_135_596_800_000 + 1_800_000, 0],
  ['9999-12-31T23:59:59.999999Z', 253_402_300_799_999, 999],
];
test.each(VALID)('%s is that instant, to the microsecond', (text, ms, us) => {
  expect([parseTimeMs(text), microsecondsOf(text)]).toEqual([ms, us]);
});

const REFUSED: [text: string, why: string][] = [
  ['', 'it does not have that form'],
  ['yesterday', 'it does not have that form'],
  ['2024-05-01', 'it does not have that form'],
  ['2024-05-01T12:00Z', 'it does not have that form'],
  ['2024-05-01 12:00:00Z', 'it does not have that form'],
  ['2024-05-01t12:00:00z', 'it does not have that form'],
  ['2024-05-01T12:00:00.Z', 'it does not have that form'],
  ['2024-05-01T12:00:00,5Z', 'it does not have that form'],
  ['2024-05-01T12:00:00.1234567890Z', 'it does not have that form'],
  ['2024-05-01T12:00:00+0200', 'it does not have that form'],
  ['2024-05-01T12:00:00+02', 'it does not have that form'],
  ['2024-05-01T12:00:00Z ', 'it does not have that form'],
  [' 2024-05-01T12:00:00Z', 'it does not have that form'],
  ['2024-05-01T12:00:00ZZ', 'it does not have that form'],
  ['2024-05-01T12:00:00+02:00Z', 'it does not have that form'],
  ['+12024-05-01T12:00:00Z', 'it does not have that form'],
  ['2O24-05-01T12:00:00Z', 'it does not have that form'],
  ['2024-05-01T12:00:00', 'it has no offset'],
  ['2024-05-01T12:00:00.250', 'it has no offset'],
  ['2024-00-01T12:00:00Z', 'month 00 does not exist'],
  ['2024-13-01T12:00:00Z', 'month 13 does not exist'],
  ['2024-05-00T12:00:00Z', 'day 00 does not exist in 2024-05'],
  ['2024-02-30T12:00:00Z', 'day 30 does not exist in 2024-02'],
  ['2023-02-29T12:00:00Z', 'day 29 does not exist in 2023-02'],
  ['1900-02-29T12:00:00Z', 'day 29 does not exist in 1900-02'],
  ['2024-04-31T12:00:00Z', 'day 31 does not exist in 2024-04'],
  ['2024-05-01T24:00:00Z', 'hour 24 does not exist'],
  ['2024-05-01T12:60:00Z', 'minute 60 does not exist'],
  ['2016-12-31T23:59:60Z', 'second 60 does not exist'],
  ['2024-05-01T12:00:00+14:01', 'the offset +14:01 does not exist'],
  ['2024-05-01T12:00:00-14:01', 'the offset -14:01 does not exist'],
  ['2024-05-01T12:00:00+01:60', 'the offset +01:60 does not exist'],
  ['0000-12-31T23:59:59Z', 'in UTC it lies outside the years 0001 to 9999'],
  ['0001-01-01T00:00:00+00:01', 'in UTC it lies outside the years 0001 to 9999'],
  ['9999-12-31T23:59:59-00:01', 'in UTC it lies outside the years 0001 to 9999'],
];
test.each(REFUSED)('"%s" is no time: %s', (text, why) => {
  expect(parseTimeMs(text)).toBeNaN();
  expect(whyNotATime(text)).toBe(why);
});

test('every instant of the years 1 to 9999 is read as the engine reads it', () => {
  const instant = fc.date({
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(instant, (date) => {
      expect(parseTimeMs(date.toISOString())).toBe(date.getTime());
      expect(microsecondsOf(date.toISOString())).toBe(0);
    }),
    { numRuns: 2000 },
  );
});

test('every fraction of one to nine digits is cut to microseconds, whatever the zone', () => {
  const digits = fc.stringMatching(/^\d{1,9}$/);
  const zone = fc.constantFrom('Z', '+00:00', '-00:00');
  fc.assert(
    fc.property(digits, zone, (fraction, offset) => {
      const text = `1969-12-31T23:59:59.${fraction}${offset}`;
      expect((parseTimeMs(text) + 1000) * 1000 + microsecondsOf(text)).toBe(
        Number(fraction.padEnd(6, '0').slice(0, 6)),
      );
    }),
  );
});

test('a text with one character changed is read as the engine reads it, or refused', () => {
  const text = '2024-05-01T12:00:00.250+02:00';
  const place = fc.nat(text.length - 1);
  const char = fc.constantFrom(...'0123456789-+:.TZ '.split(''));
  fc.assert(
    fc.property(place, char, (at, other) => {
      const changedText = text.slice(0, at) + other + text.slice(at + 1);
      const ms = parseTimeMs(changedText);
      expect(Number.isNaN(ms) || ms === Date.parse(changedText)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});
