// Whatever the bytes: a verdict, never a throw, and what it says is safe to store and to print.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { EVENT_TYPES } from '../../pipeline/event.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import { REJECTION_REASONS } from '../../pipeline/rejection.ts';
import { firstBadByte } from '../../pipeline/text-faults.ts';
import { messageWith, RULES, VALID } from './valid-messages.ts';

import type { Verdict } from '../../pipeline/parse-message.ts';

const anyType = fc.constantFrom(...EVENT_TYPES);
const anyBytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
// Half a surrogate pair does not survive the way through bytes.
const isSafe = (text: string): boolean => Buffer.from(text).toString() === text && !/\p{Cc}/u.test(text);

/** What is wrong with a verdict; nothing, one hopes. */
function complaints({ event, rejection }: Verdict): string[] {
  const checks: Record<string, boolean> =
    rejection === null
      ? {
          'the extra is not an object': event.extra === null || /^\{.+\}$/s.test(event.extra),
          'the extra is not JSON': event.extra === null || JSON.parse(event.extra) !== null,
          'the time is no whole number of milliseconds': Number.isSafeInteger(event.occurredAtMs),
          'the microseconds are not 0 to 999': event.occurredAtUs >= 0 && event.occurredAtUs <= 999,
        }
      : {
          'the reason is not listed': REJECTION_REASONS.includes(rejection.reason),
          'the detail cannot be stored or printed': isSafe(rejection.detail),
          'the detail does not say what belongs there': / belongs? there\.$/.test(rejection.detail),
          'the detail is long': rejection.detail.length < 1500,
          'the field cannot be stored or printed': rejection.field === null || isSafe(rejection.field),
        };
  return Object.keys(checks).filter((complaint) => !checks[complaint]);
}

const complaintsAbout = (value: Buffer | string): string[] => complaints(parseMessage(messageWith(value), RULES));

test('any bytes get a sound verdict', () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      expect(complaintsAbout(bytes)).toEqual([]);
    }),
    { numRuns: 3000 },
  );
});

test('any JSON gets a sound verdict', () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: 'binary' }), (json) => {
      expect(complaintsAbout(json)).toEqual([]);
    }),
    { numRuns: 3000 },
  );
});

test('a valid message with bytes changed, removed or put in gets a sound verdict', () => {
  const spoiling = fc.record({ place: fc.nat(), removed: fc.nat(4), added: fc.uint8Array({ maxLength: 4 }) });
  fc.assert(
    fc.property(anyType, spoiling, (type, { place, removed, added }) => {
      const bytes = Buffer.from(JSON.stringify(VALID[type]));
      const at = place % bytes.length;
      const spoiled = Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
      expect(complaintsAbout(spoiled)).toEqual([]);
    }),
    { numRuns: 5000 },
  );
});

test('a valid message with any value in any of its fields gets a sound verdict', () => {
  const value = fc.oneof(
    fc.jsonValue({ stringUnit: 'binary' }),
    fc.double({ noNaN: true }),
    fc.string({ unit: 'binary', maxLength: 600 }),
  );
  fc.assert(
    fc.property(anyType, fc.nat(), value, (type, place, other) => {
      const names = Object.keys(VALID[type]);
      const name = names[place % names.length] ?? '';
      expect(complaintsAbout(JSON.stringify({ ...VALID[type], [name]: other }))).toEqual([]);
    }),
    { numRuns: 5000 },
  );
});

test('a valid message with any further fields is the same event, and the fields come back whole', () => {
  // Without lone surrogates and U+0000, which are refused, and shallow, since depth is.
  const text = fc.string({ unit: 'grapheme' });
  const further = fc.dictionary(
    text.filter((name) => !Object.values(VALID).some((fields) => name in fields) && name !== 'schema_version'),
    fc.oneof(fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 4 }), text),
  );
  fc.assert(
    fc.property(anyType, further, fc.constantFrom(undefined, 2), (type, fields, indent) => {
      const verdict = parseMessage(messageWith(JSON.stringify({ ...fields, ...VALID[type] }, null, indent)), RULES);
      expect(complaints(verdict)).toEqual([]);
      expect(verdict.event?.fields).toMatchObject(VALID[type]);
      const extra: unknown = verdict.event?.extra === null ? {} : JSON.parse(verdict.event?.extra ?? 'null');
      expect(extra).toEqual(JSON.parse(JSON.stringify(fields)));
    }),
    { numRuns: 2000 },
  );
});

test('bytes are taken for UTF-8 exactly where a strict decoder takes them', () => {
  const pieces = fc.array(
    fc.oneof(
      anyBytes,
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
    ),
    { maxLength: 4 },
  );
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const isStrict = (bytes: Buffer): boolean => {
    try {
      strict.decode(bytes);
      return true;
    } catch {
      return false;
    }
  };
  fc.assert(
    fc.property(pieces, (parts) => {
      const bytes = Buffer.concat(parts);
      const at = firstBadByte(bytes, bytes.toString('utf8'));
      expect(at === -1).toBe(isStrict(bytes));
      expect(isStrict(at === -1 ? bytes : bytes.subarray(0, at))).toBe(true);
    }),
    { numRuns: 3000 },
  );
});
