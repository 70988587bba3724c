// Where a partition may be read from again: between the start of its log and what has been read, and nowhere else.
import { expect, test } from 'vitest';

import { badRewindRequest, offsetOf, rewindRefusal } from '../../pipeline/rewind-target.ts';

const bounds = { topic: 'orders', partition: 3, logStartOffset: 10, endOffset: 50, reachedOffset: 40 };

test('every offset from the start of the log to the furthest that was read can be gone to', () => {
  for (const offset of [10, 11, 39, 40]) expect(rewindRefusal(offset, bounds)).toBeNull();
});

test.each([
  [9, 'Offset 9 of partition 3 of topic orders is gone: its log starts at 10; choose an offset from 10 to 40.'],
  [
    41,
    'Partition 3 of topic orders was read up to offset 40: to go on at 41 would skip messages that nobody has read; choose an offset from 10 to 40.',
  ],
  [51, 'Offset 51 of partition 3 of topic orders lies beyond the end of its log, 50; choose an offset from 10 to 40.'],
])('offset %i is refused with what can be chosen', (offset, sentence) => {
  expect(rewindRefusal(offset, bounds)).toBe(sentence);
});

test('a log that was made again ends the choice where it ends', () => {
  const made = { ...bounds, logStartOffset: 0, endOffset: 5 };
  expect(rewindRefusal(5, made)).toBeNull();
  expect(rewindRefusal(6, made)).toMatch(/beyond the end of its log, 5; choose an offset from 0 to 5\.$/);
});

test('where the log starts behind all that was read, accepting the gap is what is left', () => {
  const lost = { ...bounds, logStartOffset: 45 };
  for (const offset of [0, 40, 45, 50])
    expect(rewindRefusal(offset, lost)).toMatch(/accept-gap 3` lets it go on there\.$/);
});

test('a time leads to the message of then, and one that lies ahead no further than anybody has read', () => {
  const found = (atOffset: number) => ({ atOffset, reachedOffset: 40 });
  expect(offsetOf({ timeMs: 7 }, found(12))).toBe(12);
  expect(offsetOf({ timeMs: 7 }, found(50))).toBe(40);
  expect(offsetOf({ offset: '50' }, found(50))).toBe(50);
});

const why = 'a test';

test.each([
  { target: { offset: '0' }, why },
  { target: { offset: '9007199254740991' }, why },
  { target: { timeMs: -1 }, why },
])('%j is a request', (request) => {
  expect(badRewindRequest(request)).toBeNull();
});

test.each([
  undefined,
  null,
  'offset 7',
  {},
  { target: { offset: '7' } },
  { target: {}, why },
  { target: { offset: 7 }, why },
  { target: { offset: '-7' }, why },
  { target: { offset: '7.5' }, why },
  { target: { offset: '9007199254740993' }, why },
  { target: { offset: '7', timeMs: 7 }, why },
  { target: { timeMs: 7.5 }, why },
  { target: { timeMs: '7' }, why },
])('%j is none, and the answer says what is', (request) => {
  expect(badRewindRequest(request)).toMatch(/^give \{"target": \{"offset": "1200"\}/);
});
