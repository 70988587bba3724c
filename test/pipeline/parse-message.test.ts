// Every rule of validation, on both sides of its edge, and the reason a message is refused with.
import { expect, test } from 'vitest';

import { EVENT_TYPES } from '../../pipeline/event.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import { REJECTION_REASONS } from '../../pipeline/rejection.ts';
import { changed, KAFKA_MS, messageWith, outcome, RULES, VALID, withMember } from './valid-messages.ts';

import type { EventType } from '../../pipeline/event.ts';
import type { Message } from '../../pipeline/message.ts';
import type { ParseRules } from '../../pipeline/parse-message.ts';

const verdictOf = (message: Message, rules: ParseRules = RULES): string => outcome(parseMessage(message, rules));
const jsonOf = (type: EventType): string => JSON.stringify(VALID[type]);
const MIB = 1_048_576;
const paddedTo = (bytes: number): string => jsonOf('search').padEnd(bytes, ' ');
const chars = (count: number): string => 'x'.repeat(count);

test.each(EVENT_TYPES)('a message of type %s that follows its schema is an event', (type) => {
  const verdict = parseMessage(messageWith(jsonOf(type)), RULES);
  expect(verdict.rejection).toBeNull();
  expect(verdict.event).toEqual({
    eventId: VALID[type]['event_id'],
    occurredAtMs: KAFKA_MS,
    occurredAtUs: 0,
    fields: VALID[type],
    extra: null,
  });
});

const WHOLE_MESSAGES: [claim: string, value: Buffer | string | null, outcome: string][] = [
  ['no value is refused', null, 'empty_value'],
  ['a value of 0 bytes is refused', Buffer.alloc(0), 'empty_value'],
  ['a value of exactly 1 MiB is read', paddedTo(MIB), 'event'],
  ['a value of one byte over 1 MiB is refused', paddedTo(MIB + 1), 'too_large'],
  ['a value over 1 MiB is too large before it is anything else', Buffer.alloc(MIB + 1, 0xff), 'too_large'],
  ['a byte that starts no character is refused', Buffer.from([0x7b, 0xff, 0x7d]), 'not_utf8'],
  ['a surrogate encoded as UTF-8 is refused', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'not_utf8'],
  ['a character cut off at the end is refused', Buffer.from([0x22, 0xe2, 0x82]), 'not_utf8'],
  ['an overlong encoding is refused', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), 'not_utf8'],
  ['gzip bytes are refused', Buffer.from([0x1f, 0x8b, 0x08, 0x00]), 'not_utf8'],
  ['text is refused', 'hello', 'not_json'],
  ['JSON cut off is refused', jsonOf('search').slice(0, -1), 'not_json'],
  ['JSON after a byte order mark is refused', `\uFEFF${jsonOf('search')}`, 'not_json'],
  ['two objects in one value are refused', jsonOf('search').repeat(2), 'not_json'],
  ['a raw control character in a text is refused', '{"a":"\n"}', 'not_json'],
  ['NaN, which Python writes, is refused', '{"a":NaN}', 'not_json'],
  ['half a million opening brackets are refused', '['.repeat(500_000), 'not_json'],
  ['half a million nested arrays are refused', '['.repeat(500_000) + ']'.repeat(500_000), 'not_an_object'],
  ['an array is refused', `[${jsonOf('search')}]`, 'not_an_object'],
  ['a string is refused', JSON.stringify(jsonOf('search')), 'not_an_object'],
  ['a number is refused', '1', 'not_an_object'],
  ['null is refused', 'null', 'not_an_object'],
  ['true is refused', 'true', 'not_an_object'],
  ['an empty object has no type', '{}', 'missing_field event_type'],
  ['white space around the object is read over', ` \r\n\t${jsonOf('search')}\n`, 'event'],
];
test.each(WHOLE_MESSAGES)('%s', (_claim, value, expected) => {
  expect(verdictOf(messageWith(value))).toBe(expected);
});

const FIELDS: [claim: string, message: Message, outcome: string][] = [
  ['without event_type a message is refused', changed('search', { event_type: undefined }), 'missing_field event_type'],
  ['an event_type that is no text is refused', changed('search', { event_type: 7 }), 'wrong_field event_type'],
  ['an event_type of null is refused', changed('search', { event_type: null }), 'wrong_field event_type'],
  ['a type nobody knows is refused', changed('search', { event_type: 'refund' }), 'unknown_type event_type'],
  ['a type in other letters is refused', changed('search', { event_type: 'Search' }), 'unknown_type event_type'],
  [
    'a name that every object inherits is no type',
    changed('search', { event_type: 'constructor' }),
    'unknown_type event_type',
  ],

  ['version 1 is read', changed('search', { schema_version: 1 }), 'event'],
  ['version 2 is read', changed('search', { schema_version: 2 }), 'event'],
  ['version 3 is refused', changed('search', { schema_version: 3 }), 'unsupported_version schema_version'],
  ['version 0 is refused', changed('search', { schema_version: 0 }), 'unsupported_version schema_version'],
  [
    'another version is named before its types',
    changed('search', { schema_version: 3, event_type: 'x' }),
    'unsupported_version schema_version',
  ],
  [
    'a version that is no whole number is refused',
    changed('search', { schema_version: 1.5 }),
    'wrong_field schema_version',
  ],
  ['a version written as text is refused', changed('search', { schema_version: '1' }), 'wrong_field schema_version'],
  ['a version of null is refused', changed('search', { schema_version: null }), 'wrong_field schema_version'],

  ['a uuid in capitals is read', changed('search', { event_id: '123E4567-E89B-12D3-A456-42661417400F' }), 'event'],
  [
    'a uuid without dashes is refused',
    changed('search', { event_id: '123e4567e89b12d3a456426614174000' }),
    'bad_uuid event_id',
  ],
  [
    'a uuid in braces is refused',
    changed('search', { event_id: '{123e4567-e89b-12d3-a456-426614174000}' }),
    'bad_uuid event_id',
  ],
  [
    'a uuid one digit short is refused',
    changed('search', { event_id: '123e4567-e89b-12d3-a456-42661417400' }),
    'bad_uuid event_id',
  ],
  [
    'a uuid with a g is refused',
    changed('search', { event_id: '123e4567-e89b-12d3-a456-42661417400g' }),
    'bad_uuid event_id',
  ],
  [
    'a uuid with a line end is refused',
    changed('search', { event_id: '123e4567-e89b-12d3-a456-426614174000\n' }),
    'bad_uuid event_id',
  ],
  ['a uuid that is no text is refused', changed('search', { event_id: 5 }), 'wrong_field event_id'],

  ['a user_id of 512 characters is read', changed('search', { user_id: chars(512) }), 'event'],
  ['a user_id of 513 characters is refused', changed('search', { user_id: chars(513) }), 'wrong_field user_id'],
  [
    '256 emoji are 512 characters, as JavaScript counts',
    changed('search', { user_id: '\u{1F600}'.repeat(256) }),
    'event',
  ],
  ['257 emoji are too many', changed('search', { user_id: '\u{1F600}'.repeat(257) }), 'wrong_field user_id'],
  ['an empty user_id is refused', changed('search', { user_id: '' }), 'wrong_field user_id'],
  ['a user_id of null is refused', changed('search', { user_id: null }), 'wrong_field user_id'],
  ['a user_id that is a number is refused', changed('search', { user_id: 42 }), 'wrong_field user_id'],
  ['an empty session_id is refused', changed('search', { session_id: '' }), 'wrong_field session_id'],
  ['an empty item_id is refused', changed('item_click', { item_id: '' }), 'wrong_field item_id'],
  ['an empty order_id is refused', changed('purchase', { order_id: '' }), 'wrong_field order_id'],
  ['an empty device is read', changed('search', { device: '' }), 'event'],
  ['an empty location is read', changed('search', { location: '' }), 'event'],
  ['an empty category is read', changed('cart_add', { category: '' }), 'event'],
  ['a search_query of 512 characters is read', changed('search', { search_query: chars(512) }), 'event'],
  [
    'a search_query of 513 characters is refused',
    changed('search', { search_query: chars(513) }),
    'wrong_field search_query',
  ],
  [
    'device and location of 512 ASCII characters are read',
    changed('search', { device: chars(512), location: chars(512) }),
    'event',
  ],
  [
    'device and location of 2,400 bytes are read',
    changed('search', { device: '語'.repeat(500), location: '語'.repeat(300) }),
    'event',
  ],
  [
    'device and location of 2,401 bytes are refused',
    changed('search', { device: '語'.repeat(500), location: `${'語'.repeat(300)}x` }),
    'wrong_field location',
  ],

  [
    'a login_method nobody knows is refused',
    changed('user_login', { login_method: 'password' }),
    'wrong_field login_method',
  ],
  ['success written as text is refused', changed('user_login', { success: 'true' }), 'wrong_field success'],
  ['a page nobody knows is refused', changed('page_view', { page: 'about' }), 'wrong_field page'],
  ['a referrer nobody knows is refused', changed('page_view', { referrer: '' }), 'wrong_field referrer'],
  [
    'a payment_method nobody knows is refused',
    changed('purchase', { payment_method: 'cash' }),
    'wrong_field payment_method',
  ],

  ['a duration of 0 is read', changed('page_view', { duration_seconds: 0 }), 'event'],
  ['a negative duration is refused', changed('page_view', { duration_seconds: -1 }), 'wrong_field duration_seconds'],
  ['half a second is refused', changed('page_view', { duration_seconds: 0.5 }), 'wrong_field duration_seconds'],
  ['the largest int is read', changed('page_view', { duration_seconds: 2_147_483_647 }), 'event'],
  [
    'one more than the largest int is refused',
    changed('page_view', { duration_seconds: 2_147_483_648 }),
    'number_out_of_range duration_seconds',
  ],
  [
    'a number below the smallest int is out of range',
    changed('page_view', { duration_seconds: -2_147_483_649 }),
    'number_out_of_range duration_seconds',
  ],
  ['position 1 is read', changed('item_click', { position: 1 }), 'event'],
  ['position 0 is refused', changed('item_click', { position: 0 }), 'wrong_field position'],
  ['quantity 0 is refused', changed('cart_add', { quantity: 0 }), 'wrong_field quantity'],
  ['results_count -1 is refused', changed('search', { results_count: -1 }), 'wrong_field results_count'],
  ['clicked_position may be any int', changed('search', { clicked_position: -2_147_483_648 }), 'event'],
  [
    'clicked_position may not be left out',
    changed('search', { clicked_position: undefined }),
    'missing_field clicked_position',
  ],
  [
    'clicked_position beyond int is out of range',
    changed('search', { clicked_position: 2_147_483_648 }),
    'number_out_of_range clicked_position',
  ],
  ['clicked_position 1.5 is refused', changed('search', { clicked_position: 1.5 }), 'wrong_field clicked_position'],

  ['an order without items is refused', changed('purchase', { items: [], quantities: [] }), 'wrong_field items'],
  ['items that are no list are refused', changed('purchase', { items: 'item_1' }), 'wrong_field items'],
  ['an item without a name is refused', changed('purchase', { items: ['item_1', ''] }), 'wrong_field items'],
  [
    'a list in the list of items is refused',
    changed('purchase', { items: ['item_1', ['item_2']] }),
    'wrong_field items',
  ],
  ['one quantity too few is refused', changed('purchase', { quantities: [1] }), 'wrong_field quantities'],
  ['one quantity too many is refused', changed('purchase', { quantities: [1, 2, 3] }), 'wrong_field quantities'],
  ['a quantity of 0 is refused', changed('purchase', { quantities: [1, 0] }), 'wrong_field quantities'],
  [
    'a quantity beyond int is out of range',
    changed('purchase', { quantities: [1, 2_147_483_648] }),
    'number_out_of_range quantities',
  ],

  ['an amount of 0 is read', changed('purchase', { total_amount: 0 }), 'event'],
  ['a negative amount is refused', changed('purchase', { total_amount: -0.01 }), 'wrong_field total_amount'],
  ['an amount written as text is refused', changed('purchase', { total_amount: '12.30' }), 'wrong_field total_amount'],
  ['the largest amount is read', changed('purchase', { total_amount: 9_999_999_999.99 }), 'event'],
  [
    'ten thousand million is out of range',
    changed('purchase', { total_amount: 10_000_000_000 }),
    'number_out_of_range total_amount',
  ],
  [
    'an amount that rounds to ten thousand million is out of range',
    changed('purchase', { total_amount: 9_999_999_999.999998 }),
    'number_out_of_range total_amount',
  ],
  [
    'minus ten thousand million is out of range',
    changed('purchase', { total_amount: -10_000_000_000 }),
    'number_out_of_range total_amount',
  ],
  ['a third decimal is refused', changed('purchase', { total_amount: 1.005 }), 'wrong_field total_amount'],
  ['0.1 + 0.2 is 30 cents', changed('cart_add', { price: 0.1 + 0.2 }), 'event'],
  ['less than a millionth off a cent is noise', changed('cart_add', { price: 12.3400009 }), 'event'],
  ['more than a millionth off a cent is refused', changed('cart_add', { price: 12.3400011 }), 'wrong_field price'],
  ['a price beyond the column is out of range', changed('cart_add', { price: 1e300 }), 'number_out_of_range price'],
  ['a currency that once was is read', changed('purchase', { currency: 'HRK' }), 'event'],
  ['a currency in small letters is refused', changed('purchase', { currency: 'eur' }), 'wrong_field currency'],
  ['a currency nobody has is refused', changed('purchase', { currency: 'BTC' }), 'wrong_field currency'],
  ['a currency of null is refused', changed('purchase', { currency: null }), 'wrong_field currency'],

  ['a timestamp that is a number is refused', changed('search', { timestamp: KAFKA_MS }), 'wrong_field timestamp'],
  [
    'a timestamp without offset is refused',
    changed('search', { timestamp: '2024-05-01T12:00:00' }),
    'bad_timestamp timestamp',
  ],
  ['30 February is refused', changed('search', { timestamp: '2024-02-30T12:00:00Z' }), 'bad_timestamp timestamp'],

  ['a text with U+0000 is refused', changed('search', { search_query: 'a\u0000b' }), 'bad_text search_query'],
  ['half a surrogate pair is refused', changed('search', { user_id: 'a\uD800' }), 'bad_text user_id'],
  ['the second half alone is refused', changed('search', { user_id: '\uDC00a' }), 'bad_text user_id'],
  ['a pair in the wrong order is refused', changed('search', { user_id: '\uDC00\uD800' }), 'bad_text user_id'],
  ['U+0000 in an unknown field is refused', changed('search', { note: ['a', { b: '\u0000' }] }), 'bad_text note'],
  ['U+0000 in the name of an unknown field is refused', changed('search', { 'a\u0000': 1 }), 'bad_text a\\u{0}'],
  ['U+FFFD that was really sent is read', changed('search', { search_query: 'a\uFFFDb' }), 'event'],
];
test.each(FIELDS)('%s', (_claim, message, expected) => {
  expect(verdictOf(message)).toBe(expected);
});

const REQUIRED = EVENT_TYPES.flatMap((type) => Object.keys(VALID[type]).map((name) => [type, name] as const));
test.each(REQUIRED)('a %s without %s is refused, and so is one where it is null', (type, name) => {
  expect(verdictOf(changed(type, { [name]: undefined }))).toBe(`missing_field ${name}`);
  const nulled = verdictOf(changed(type, { [name]: null }));
  expect(nulled).toBe(name === 'clicked_position' ? 'event' : `wrong_field ${name}`);
});

const RAW_MEMBERS: [claim: string, member: string, outcome: string][] = [
  ['a number too large for a double is out of range', '"results_count":1e400', 'number_out_of_range results_count'],
  ['a whole number with a point is whole', '"results_count":3.0', 'event'],
  ['a whole number with an exponent is whole', '"results_count":3e2', 'event'],
  ['an escaped pair is one character', '"search_query":"\\ud83d\\ude00"', 'event'],
  ['an escaped first half before another escape is refused', '"search_query":"\\ud83d\\n"', 'bad_text search_query'],
  ['an escaped backslash before u0000 is text', '"search_query":"\\\\u0000"', 'event'],
  ['three backslashes before u0000 are U+0000', '"search_query":"\\\\\\u0000"', 'bad_text search_query'],
  ['U+0000 in a member that a later one replaces is refused too', '"x":"\\u0000","x":1', 'bad_text x'],
  ['the last of two members with one name counts', '"user_id":"","user_id":"user_2"', 'event'],
  ['an escaped name is the same name', '"\\u0075ser_id":""', 'wrong_field user_id'],
];
test.each(RAW_MEMBERS)('%s', (_claim, member, expected) => {
  expect(verdictOf(withMember('search', member))).toBe(expected);
});

test('an event at most maxFutureMs after its Kafka timestamp is read, one millisecond later is refused', () => {
  expect(verdictOf(changed('search', { timestamp: '2024-05-01T12:05:00.000Z' }))).toBe('event');
  expect(verdictOf(changed('search', { timestamp: '2024-05-01T12:05:00.001Z' }))).toBe('too_far_in_future timestamp');
  expect(verdictOf(changed('search', { timestamp: '2024-05-01T12:05:00.000-00:01' }))).toBe(
    'too_far_in_future timestamp',
  );
});

test('an event at most retentionMs before its Kafka timestamp is read, one millisecond earlier is refused', () => {
  const rules = { ...RULES, retentionMs: 60_000 };
  expect(verdictOf(changed('search', { timestamp: '2024-05-01T11:59:00.000Z' }), rules)).toBe('event');
  expect(verdictOf(changed('search', { timestamp: '2024-05-01T11:58:59.999Z' }), rules)).toBe('too_old timestamp');
  expect(verdictOf(changed('search', { timestamp: '0001-01-01T00:00:00Z' }))).toBe('event');
});

test('a record without a Kafka timestamp is not judged by time', () => {
  const message = { ...changed('search', { timestamp: '9999-12-31T23:59:59Z' }), timestampMs: -1 };
  expect(verdictOf(message, { maxFutureMs: 0, retentionMs: 0 })).toBe('event');
});

test('an event carries its id in small letters and its time down to the microsecond', () => {
  const fields = { event_id: '123E4567-E89B-12D3-A456-42661417400F', timestamp: '2024-05-01T14:00:00.123456789+02:00' };
  expect(parseMessage(changed('search', fields), RULES).event).toMatchObject({
    eventId: '123e4567-e89b-12d3-a456-42661417400f',
    occurredAtMs: KAFKA_MS + 123,
    occurredAtUs: 456,
  });
});

const DETAILS: [claim: string, message: Message, detail: string][] = [
  [
    'a wrong field',
    changed('item_click', { position: 0 }),
    'position is 0; a whole number from 1 to 2147483647 belongs there.',
  ],
  [
    'a missing field',
    changed('search', { user_id: undefined }),
    'user_id is missing; a text of 1 to 512 characters belongs there.',
  ],
  [
    'an element of a list',
    changed('purchase', { quantities: [1, 2.5] }),
    'quantities[1] is 2.5; a whole number from 1 to 2147483647 belongs there.',
  ],
  [
    'a long text',
    changed('search', { user_id: chars(600) }),
    `user_id is "${chars(80)}..." (600 characters); a text of 1 to 512 characters belongs there.`,
  ],
  [
    'a text with control characters',
    changed('user_login', { login_method: '\u001B[2J\u202E' }),
    'login_method is "\\u{1b}[2J\\u{202e}"; one of email, social, sso belongs there.',
  ],
  [
    'a byte that is not UTF-8',
    messageWith(Buffer.from('{"a":"é\uFFFD\xff"}', 'latin1')),
    'Byte 6 of the value is 0xe9, which is not UTF-8 there; JSON in UTF-8 belongs there.',
  ],
  [
    'a byte order mark',
    messageWith('\uFEFF{}'),
    'The value is "\\u{feff}{}", which is not JSON (it begins with a byte order mark); a JSON object belongs there.',
  ],
];
test.each(DETAILS)('the detail says what was found and what belongs there: %s', (_claim, message, detail) => {
  expect(parseMessage(message, RULES).rejection?.detail).toBe(detail);
});

test('every reason but the one PostgreSQL gives is met by a message of these tests', () => {
  const outcomes = [...WHOLE_MESSAGES, ...FIELDS, ...RAW_MEMBERS].map(([, , expected]) => expected.split(' ')[0]);
  const met = new Set([...outcomes, 'too_far_in_future', 'too_old']);
  expect(REJECTION_REASONS.filter((reason) => !met.has(reason))).toEqual(['unstorable']);
});
