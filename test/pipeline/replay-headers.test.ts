// The headers of a replay: what is written is read again, and what others write there is no letter.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import type { Header } from '../../pipeline/message.ts';
import { replayAttempt, replayedLetter, sendingReplay, withReplayHeaders } from '../../pipeline/replay-headers.ts';

const header = (name: string, value: string | null): Header => ({
  name,
  value: value === null ? null : Buffer.from(value),
});

test('what a replay writes is read again, whatever headers the letter had', () => {
  const headers = fc.array(
    fc.record({
      name: fc.oneof(fc.string(), fc.constantFrom('weir-letter', 'weir-attempt', 'weir-replay', 'trace')),
      value: fc.option(fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes))),
    }),
  );
  const ids = fc.maxSafeNat().filter((id) => id > 0);
  const marks = fc.record({ letter: ids, attempt: fc.integer({ min: 1, max: 9 }), replay: fc.uuid() });
  fc.assert(
    fc.property(headers, marks, (given, ours) => {
      const sent = withReplayHeaders(given, ours);
      const read = { letter: replayedLetter(sent), attempt: replayAttempt(sent), replay: sendingReplay(sent) };
      expect(read).toEqual(ours);
      const others = given.filter(({ name }) => !name.startsWith('weir-'));
      expect(sent.filter(({ name }) => !name.startsWith('weir-'))).toEqual(others);
      // A replay of a replay carries one letter, not two.
      expect(withReplayHeaders(sent, ours)).toEqual(sent);
    }),
  );
});

test.each([
  ['nothing', null],
  ['an empty value', ''],
  ['no number', 'abc'],
  ['zero', '0'],
  ['a leading zero', '07'],
  ['a sign', '-7'],
  ['a fraction', '7.5'],
  ['an exponent', '1e3'],
  ['spaces', ' 7'],
  ['a hexadecimal', '0x7'],
  ['2^53', '9007199254740992'],
  ['more digits than a bigint has', '9'.repeat(40)],
  ['a mebibyte', '1'.repeat(1 << 20)],
  ['digits of another script', '٣'],
  ['a NUL behind the digits', '7\0'],
])('%s is no letter', (_what, value) => {
  expect(replayedLetter([header('weir-letter', value)])).toBeNull();
});

test('the largest exact id is a letter, and only under the exact name', () => {
  expect(replayedLetter([header('weir-letter', '9007199254740991')])).toBe(Number.MAX_SAFE_INTEGER);
  expect(replayedLetter([header('Weir-Letter', '7'), header('weir-letter ', '7')])).toBeNull();
});

test('of several letters the last that is one counts', () => {
  expect(replayedLetter([header('weir-letter', '7'), header('weir-letter', '8'), header('weir-letter', 'x')])).toBe(8);
});
