// Fields that a type does not know: kept word for word, never in a typed column, and refused where jsonb cannot hold them.
import { expect, test } from 'vitest';

import { parseMessage } from '../../pipeline/parse-message.ts';
import { changed, messageWith, outcome, RULES, VALID, withMember } from './valid-messages.ts';

const extraOf = (member: string): string | null | undefined =>
  parseMessage(withMember('search', member), RULES).event?.extra;

const KEPT: [claim: string, member: string, extra: string][] = [
  ['a whole number beyond 2^53 keeps its digits', '"a":12345678901234567890', '{"a":12345678901234567890}'],
  ['a number beyond doubles keeps its text', '"a":1e400', '{"a":1e400}'],
  ['a trailing zero is kept', '"a":1.10', '{"a":1.10}'],
  ['minus zero is kept', '"a":-0.0', '{"a":-0.0}'],
  ['white space between key and value is left out', ' "a" \n:\t1 ', '{"a":1}'],
  [
    'braces and quotes inside texts end nothing',
    '"a":"}],\\"{[,:","b":[{"c":"]}"}]',
    '{"a":"}],\\"{[,:","b":[{"c":"]}"}]}',
  ],
  ['a backslash at the end of a text ends with it', '"a":"\\\\","b":1', '{"a":"\\\\","b":1}'],
  [
    'literals and empty containers are kept',
    '"a":true,"b":null,"c":{},"d":[],"e":false',
    '{"a":true,"b":null,"c":{},"d":[],"e":false}',
  ],
  ['of two members with one name the last is kept', '"a":1,"b":2,"a":3', '{"a":3,"b":2}'],
  ['names count as they read, not as they are written', '"a":1,"\\u0061":2', '{"\\u0061":2}'],
  ['a field named __proto__ is a field', '"__proto__":{"user_id":"x"}', '{"__proto__":{"user_id":"x"}}'],
  ['a field named constructor is a field', '"constructor":1,"toString":2', '{"constructor":1,"toString":2}'],
  ['an empty name is a name', '"":1', '{"":1}'],
  ['a name of digits is a name', '"0":1', '{"0":1}'],
  ['an escaped text stays escaped', '"a":"\\u00e9\\ud83d\\ude00"', '{"a":"\\u00e9\\ud83d\\ude00"}'],
];
test.each(KEPT)('%s', (_claim, member, extra) => {
  expect(extraOf(member)).toBe(extra);
});

test('a message whose fields are all known has no extra, also with its version and with repeated or escaped names', () => {
  expect(extraOf('"schema_version":1')).toBeNull();
  expect(extraOf('"user_id":"user_2"')).toBeNull();
  expect(extraOf('"\\u0065vent_id":"123e4567-e89b-12d3-a456-426614174001"')).toBeNull();
});

test('unknown fields are found wherever they stand in the message', () => {
  const json = JSON.stringify(VALID.search);
  const front = parseMessage(messageWith(`{ "a" : [1, 2] , ${json.slice(1)}`), RULES);
  expect(front.event?.extra).toBe('{"a":[1, 2]}');
});

test("a field of another type is extra, and fills no column of that type's", () => {
  const event = parseMessage(changed('search', { position: 'third', items: [1], price: -1, version: 3 }), RULES).event;
  expect(event?.extra).toBe('{"position":"third","items":[1],"price":-1,"version":3}');
  expect(event?.fields).toMatchObject(VALID.search);
  expect(event?.fields).not.toHaveProperty('position');
  expect(event?.fields).not.toHaveProperty('items');
  expect(event?.fields).not.toHaveProperty('price');
});

test('a __proto__ field lends its members to nobody', () => {
  const json = JSON.stringify({ ...VALID.search, user_id: undefined }).slice(0, -1);
  const verdict = parseMessage(messageWith(`${json},"__proto__":{"user_id":"user_1"}}`), RULES);
  expect(outcome(verdict)).toBe('missing_field user_id');
  const event = parseMessage(withMember('search', '"__proto__":{"price":5},"price":1'), RULES).event;
  expect(event?.fields.price).toBeUndefined();
});

const LIMITS: [claim: string, member: string, outcome: string][] = [
  ['100 levels are kept', `"a":${'['.repeat(100)}${']'.repeat(100)}`, 'event'],
  ['101 levels are refused', `"a":${'['.repeat(101)}${']'.repeat(101)}`, 'wrong_field a'],
  ['objects count as levels', `"a":${'{"b":'.repeat(101)}1${'}'.repeat(101)}`, 'wrong_field a'],
  ['half a million levels are refused', `"a":${'['.repeat(500_000)}${']'.repeat(500_000)}`, 'wrong_field a'],
  ['brackets inside a text are no levels', `"a":"${'['.repeat(500)}"`, 'event'],
  ['siblings are no levels', `"a":[${'[],'.repeat(500)}[]]`, 'event'],
  ['a number of 1,000 digits is kept', `"a":${'1'.repeat(1000)}`, 'event'],
  ['a number of 1,001 digits is refused', `"a":${'1'.repeat(1001)}`, 'number_out_of_range a'],
  ['an exponent of 999 is kept', '"a":1e999', 'event'],
  ['an exponent of 1,000 is refused', '"a":1e1000', 'number_out_of_range a'],
  ['an exponent of -1,000 is refused', '"a":[{"b":1E-1000}]', 'number_out_of_range a'],
  ['an exponent that no reader could count is refused', '"a":1e99999999999999999999', 'number_out_of_range a'],
  ['digits inside a text are no number', `"a":"1e1000 ${'1'.repeat(2000)}"`, 'event'],
  ['a number that a later member replaces is not looked at', '"a":1e1000,"a":1', 'event'],
];
test.each(LIMITS)('in an unknown field, %s', (_claim, member, expected) => {
  expect(outcome(parseMessage(withMember('search', member), RULES))).toBe(expected);
});
