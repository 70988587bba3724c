// The place in a letter's value that is to blame for its refusal.
import { describe, expect, test } from 'vitest';

import { findFault } from '../../pipeline/letter-fault.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import { messageOf, pageView } from '../support/messages.ts';

const RULES = { maxFutureMs: 300_000, retentionMs: null };

/** What the parser says of these bytes, and the bytes that are found to be at fault. */
function blamed(value: Buffer | string): {
  reason: string;
  bytes: string | null;
  line?: number;
  column?: number;
  says?: string;
} {
  const bytes = Buffer.from(value);
  const { rejection } = parseMessage(messageOf(0, bytes), RULES);
  if (rejection === null) throw new Error('This is an event.');
  const fault = findFault({ value: bytes, ...rejection });
  if (fault === null) return { reason: rejection.reason, bytes: null };
  const { line, column, says } = fault;
  return {
    reason: rejection.reason,
    bytes: bytes.toString('latin1', fault.fromByte, fault.toByte),
    line,
    column,
    says,
  };
}

const written = (changes: Record<string, unknown>): string => JSON.stringify(pageView(changes));

describe('the fault of a letter', () => {
  test('is the byte that is no UTF-8, in columns of characters', () => {
    expect(blamed(Buffer.concat([Buffer.from('{"a":"Kö\n'), Buffer.from([0xff]), Buffer.from('"}')]))).toEqual({
      reason: 'not_utf8',
      bytes: '\u00FF',
      line: 2,
      column: 1,
      says: 'byte 0xff',
    });
  });

  test('is the character at which JSON breaks off, in its line', () => {
    expect(blamed('{\n  "a": 1,\n  "ü": }\n')).toEqual({
      reason: 'not_json',
      bytes: '}',
      line: 3,
      column: 8,
      says: '"}" stands where a value belongs',
    });
  });

  test('is the end where JSON ends too early', () => {
    expect(blamed('{"a":1')).toMatchObject({ bytes: '', column: 7, says: 'the value ends where a comma or } belongs' });
  });

  test('is the value of the field', () => {
    expect(blamed(written({ device: 5 }))).toMatchObject({
      reason: 'wrong_field',
      bytes: '5',
      says: 'the value of device',
    });
    expect(blamed(written({ timestamp: '2026-02-30T10:00:00Z' }))).toMatchObject({
      reason: 'bad_timestamp',
      bytes: '"2026-02-30T10:00:00Z"',
    });
  });

  test('is the last of two fields with one name, as JSON has it', () => {
    const text = written({ device: 'x' }).replace(/}$/, ',"device":[1]}');
    expect(blamed(text)).toMatchObject({ reason: 'wrong_field', bytes: '[1]' });
  });

  test('is the escape that writes U+0000', () => {
    expect(blamed(written({ device: 'a\0b' }))).toMatchObject({ reason: 'bad_text', bytes: '\\u0000' });
  });

  test('is all of a value that is no object', () => {
    expect(blamed(' [1, 2] ')).toMatchObject({ reason: 'not_an_object', bytes: '[1, 2]', column: 2 });
  });

  test.each([
    ['an empty value', ''],
    ['a missing field', JSON.stringify({ event_type: 'page_view' })],
    ['a value that is too large', 'x'.repeat(1_048_577)],
  ])('has no place in %s', (_what, value) => {
    expect(blamed(value).bytes).toBeNull();
  });

  test('has no place where a later version of the rules would find none', () => {
    const value = Buffer.from('{"a":1}');
    expect(findFault({ value, reason: 'not_json', field: null })).toBeNull();
    expect(findFault({ value, reason: 'wrong_field', field: 'b' })).toBeNull();
    expect(findFault({ value: Buffer.from('[1]'), reason: 'wrong_field', field: 'a' })).toBeNull();
  });
});
