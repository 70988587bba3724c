// Texts that cannot be stored, look like others, or end exactly where the column does; ids, words, lists and flags bent out of shape.
import { EVENT_TYPES } from '../../pipeline/event.ts';
import { VALID } from '../pipeline/valid-messages.ts';
import { hostile, json, member, raw } from './hostile-message.ts';
import type { Row } from './hostile-message.ts';

const EMOJI = '\u{1F600}';
const chars = (many: number): string => 'x'.repeat(many);
const search = (fields: Record<string, unknown>): string => json('search', fields);
const query = (text: string): string => raw('search', 'search_query', `"${text}"`);
/** CJK without a pattern: compression finds nothing in it. */
const noise = (many: number, seed: number): string => {
  let state = seed;
  return Array.from({ length: many }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return String.fromCodePoint(0x4e00 + ((state >> 8) % 20_000));
  }).join('');
};

const UNSTORABLE: Row[] = [
  ['an escaped U+0000 is refused', 'bad_text search_query', query('a\\u0000b')],
  [
    'an escaped U+0000 in a field that another member replaces is refused',
    'bad_text search_query',
    member('search', '"search_query":"\\u0000","search_query":""'),
  ],
  ['an escaped U+0000 in a user_id is refused', 'bad_text user_id', search({ user_id: '\0' })],
  ['an escaped U+0000 in the type is refused as text', 'bad_text event_type', search({ event_type: 'search\0' })],
  [
    'an escaped U+0000 deep inside a further field is refused',
    'bad_text a',
    member('search', '"a":[{"b":["\\u0000"]}]'),
  ],
  ['an escaped U+0000 under an empty name is refused', 'bad_text ', member('search', '"":"\\u0000"')],
  ['a backslash before u0000 is text', 'event', query('\\\\u0000'), { says: { search_query: '\\u0000' } }],
  ['two backslashes before an escaped U+0000 do not hide it', 'bad_text search_query', query('\\\\\\u0000')],
  ['U+0001 is text', 'event', query('\\u0001'), { says: { search_query: '\u0001' } }],
  ['a first surrogate alone is refused', 'bad_text search_query', query('\\ud83d')],
  ['a first surrogate before a letter is refused', 'bad_text search_query', query('\\ud83dx')],
  ['a first surrogate before a line end in escapes is refused', 'bad_text search_query', query('\\ud83d\\n')],
  ['a last surrogate alone is refused', 'bad_text search_query', query('\\ude00')],
  ['a pair in the wrong order is refused', 'bad_text search_query', query('\\ude00\\ud83d')],
  ['two first surrogates before a last one are refused', 'bad_text search_query', query('\\ud83d\\ud83d\\ude00')],
  ['a pair before a lone one does not hide it', 'bad_text search_query', query('\\ud83d\\ude00\\ud83d')],
  ['a pair in capitals is one character', 'event', query('\\uD83D\\uDE00'), { says: { search_query: EMOJI } }],
  ['an escaped U+FFFF is text', 'event', query('\\uffff'), { says: { search_query: '\uFFFF' } }],
  ['a first surrogate at the end of a name is refused', 'bad_text \\u{d83d}', member('search', '"\\ud83d":"\\ude00"')],
  [
    'a first surrogate raw in its three bytes is no UTF-8',
    'not_utf8',
    Buffer.from(query('@').replace('@', '\u00ed\u00a0\u0080'), 'latin1'),
  ],
  [
    '100,000 escaped emoji in a further field are kept',
    'event',
    member('search', `"a":"${'\\ud83d\\ude00'.repeat(50_000)}"`),
  ],
  ['300,000 backslashes in a further field are kept', 'event', member('search', `"a":"${'\\\\'.repeat(150_000)}"`)],
];

const LENGTHS: Row[] = [
  ['a user_id of 512 characters is an event', 'event', search({ user_id: chars(512) })],
  ['a user_id of 513 characters is refused', 'wrong_field user_id', search({ user_id: chars(513) })],
  ['a user_id of 256 emoji is an event', 'event', search({ user_id: EMOJI.repeat(256) })],
  [
    'a user_id of 256 emoji and a letter is refused',
    'wrong_field user_id',
    search({ user_id: `${EMOJI.repeat(256)}x` }),
  ],
  [
    'a user_id of 511 letters and an emoji is refused',
    'wrong_field user_id',
    search({ user_id: `${chars(511)}${EMOJI}` }),
  ],
  [
    'a user_id of 512 escaped letters is an event',
    'event',
    raw('search', 'user_id', `"${'\\u0041'.repeat(512)}"`),
    { says: { user_id: 'A'.repeat(512) } },
  ],
  ['a user_id of 512 ideographs without a pattern is an event', 'event', search({ user_id: noise(512, 1) })],
  ['a session_id of 512 ideographs without a pattern is an event', 'event', search({ session_id: noise(512, 2) })],
  [
    'the longest device and location together are an event',
    'event',
    search({ device: noise(512, 3), location: noise(288, 4) }),
  ],
  [
    'a device and a location that no index row holds are refused',
    'wrong_field location',
    search({ device: noise(512, 5), location: noise(512, 6) }),
  ],
  [
    'everything at its longest at once is an event',
    'event',
    json('purchase', {
      user_id: noise(512, 7),
      session_id: noise(512, 8),
      device: noise(400, 9),
      location: noise(400, 10),
      order_id: noise(512, 11),
      items: [noise(512, 12), noise(512, 13)],
    }),
  ],
  ['an empty user_id is refused', 'wrong_field user_id', search({ user_id: '' })],
  ['a user_id of one space is an event', 'event', search({ user_id: ' ' }), { says: { user_id: ' ' } }],
  [
    'a user_id that nobody can see is an event',
    'event',
    search({ user_id: '\u200b\u202e' }),
    { says: { user_id: '\u200b\u202e' } },
  ],
  ['an empty device is an event', 'event', search({ device: '' })],
  ['a search for 512 combining marks is an event', 'event', search({ search_query: '\u0301'.repeat(512) })],
  ['a search for 1 MiB is refused', 'wrong_field search_query', search({ search_query: chars(1_048_000) })],
  [
    "a search for a terminal's control sequence is kept as it is",
    'event',
    search({ search_query: '\u001b[2J\u0007' }),
    { says: { search_query: '\u001b[2J\u0007' } },
  ],
  [
    'a search for SQL is kept as it is',
    'event',
    search({ search_query: "'); drop table events; --" }),
    { says: { search_query: "'); drop table events; --" } },
  ],
  [
    'a search for the end of COPY data is kept as it is',
    'event',
    search({ search_query: '\\.\n\\N\t' }),
    { says: { search_query: '\\.\n\\N\t' } },
  ],
  [
    'two spellings of one letter are two user_ids',
    'event',
    search({ user_id: 'e\u0301' }),
    { says: { user_id: 'e\u0301' } },
  ],
];

const IDS_AND_WORDS: Row[] = [
  ['an id in capitals is kept in small letters', 'event', search({ event_id: 'ABCDEF00-0000-4000-8000-00000000000F' })],
  ['the id of zeros is an event', 'event', search({ event_id: '00000000-0000-0000-0000-000000000000' })],
  ['the id of f is an event', 'event', search({ event_id: 'ffffffff-ffff-ffff-ffff-ffffffffffff' })],
  ['an id without dashes is refused', 'bad_uuid event_id', search({ event_id: 'c0ffee00000040008000000000000001' })],
  [
    'an id with its dashes elsewhere is refused',
    'bad_uuid event_id',
    search({ event_id: 'c0ffee0-00000-4000-8000-000000000001' }),
  ],
  ['an id in braces is refused', 'bad_uuid event_id', search({ event_id: '{c0ffee00-0000-4000-8000-000000000001}' })],
  [
    'an id with urn:uuid: is refused',
    'bad_uuid event_id',
    search({ event_id: 'urn:uuid:c0ffee00-0000-4000-8000-000000000001' }),
  ],
  [
    'an id with a line end is refused',
    'bad_uuid event_id',
    search({ event_id: 'c0ffee00-0000-4000-8000-000000000001\n' }),
  ],
  [
    'an id with a space in front is refused',
    'bad_uuid event_id',
    search({ event_id: ' c0ffee00-0000-4000-8000-000000000001' }),
  ],
  [
    'an id with digits of another script is refused',
    'bad_uuid event_id',
    search({ event_id: '\uff10'.repeat(8) + '-0000-4000-8000-000000000001' }),
  ],
  [
    'an id with the letter O is refused',
    'bad_uuid event_id',
    search({ event_id: 'cOffee00-0000-4000-8000-000000000001' }),
  ],
  ['an empty id is refused', 'bad_uuid event_id', search({ event_id: '' })],
  ['an id of 1 MiB is refused', 'bad_uuid event_id', search({ event_id: 'a'.repeat(1_000_000) })],
  ['an id that is a number is refused', 'wrong_field event_id', search({ event_id: 1 })],
  ['an id that is an array of bytes is refused', 'wrong_field event_id', search({ event_id: [1, 2, 3] })],
  ['a type in capitals is unknown', 'unknown_type event_type', search({ event_type: 'SEARCH' })],
  ['a type with a space is unknown', 'unknown_type event_type', search({ event_type: 'search ' })],
  ['a type with a Cyrillic letter is unknown', 'unknown_type event_type', search({ event_type: 's\u0435arch' })],
  ['an empty type is unknown', 'unknown_type event_type', search({ event_type: '' })],
  ['a type of 1 MiB is unknown', 'unknown_type event_type', search({ event_type: 't'.repeat(1_000_000) })],
  ['a type in a list is wrong', 'wrong_field event_type', search({ event_type: ['search'] })],
  ['a type of null is wrong', 'wrong_field event_type', search({ event_type: null })],
  ['a page in capitals is wrong', 'wrong_field page', json('page_view', { page: 'HOME' })],
  ['a currency in small letters is wrong', 'wrong_field currency', json('purchase', { currency: 'eur' })],
  ['a sign for a currency is wrong', 'wrong_field currency', json('purchase', { currency: '\u20ac' })],
  ['a number for a currency is wrong', 'wrong_field currency', json('purchase', { currency: 978 })],
  ['a currency of four letters is wrong', 'wrong_field currency', json('purchase', { currency: 'EURO' })],
];

const SHAPES: Row[] = [
  ['success as "true" is wrong', 'wrong_field success', json('user_login', { success: 'true' })],
  ['success as 1 is wrong', 'wrong_field success', json('user_login', { success: 1 })],
  ['success as null is wrong', 'wrong_field success', json('user_login', { success: null })],
  ['success as an empty list is wrong', 'wrong_field success', json('user_login', { success: [] })],
  ['an array for a user_id is wrong', 'wrong_field user_id', search({ user_id: ['user_1'] })],
  ['an object for a device is wrong', 'wrong_field device', search({ device: { kind: 'mobile' } })],
  ['true for a location is wrong', 'wrong_field location', search({ location: true })],
  ['a number for a session_id is wrong', 'wrong_field session_id', search({ session_id: 9 })],
  ['null for a search is wrong', 'wrong_field search_query', search({ search_query: null })],
  ['one quantity too few is wrong', 'wrong_field quantities', json('purchase', { quantities: [1] })],
  ['one quantity too many is wrong', 'wrong_field quantities', json('purchase', { quantities: [1, 2, 3] })],
  ['no items and no quantities are wrong', 'wrong_field items', json('purchase', { items: [], quantities: [] })],
  ['no quantities are wrong', 'wrong_field quantities', json('purchase', { quantities: [] })],
  [
    'an object with numbers for names is no list',
    'wrong_field items',
    json('purchase', { items: { 0: 'a', 1: 'b', length: 2 } }),
  ],
  ['a text for items is no list', 'wrong_field items', json('purchase', { items: 'ab' })],
  ['a null among the items is wrong', 'wrong_field items', json('purchase', { items: ['a', null] })],
  ['a list among the items is wrong', 'wrong_field items', json('purchase', { items: ['a', ['b']] })],
  ['an empty text among the items is wrong', 'wrong_field items', json('purchase', { items: ['a', ''] })],
  ['an item of 513 characters is wrong', 'wrong_field items', json('purchase', { items: ['a', chars(513)] })],
  ['a quantity as text is wrong', 'wrong_field quantities', json('purchase', { quantities: [1, '2'] })],
  ['a quantity of 0 is wrong', 'wrong_field quantities', json('purchase', { quantities: [1, 0] })],
  ['a quantity of null is wrong', 'wrong_field quantities', json('purchase', { quantities: [1, null] })],
  [
    '100,000 items with their quantities are an event',
    'event',
    json('purchase', {
      items: Array.from({ length: 100_000 }, () => 'i'),
      quantities: Array.from({ length: 100_000 }, () => 1),
    }),
  ],
  [
    'a field of another type is kept, and fills no column',
    'event',
    search({ price: 'free', quantities: {}, login_method: 7 }),
    { says: { price: undefined, quantities: undefined }, extra: '{"price":"free","quantities":{},"login_method":7}' },
  ],
  [
    'every field null is wrong at the first',
    'wrong_field event_id',
    JSON.stringify({ event_id: null, event_type: 'search', user_id: null }),
  ],
];

const MISSING: Row[] = EVENT_TYPES.map((type): Row => {
  const own = Object.keys(VALID[type]).at(-1) ?? '';
  return [`a ${type} without its ${own} is refused`, `missing_field ${own}`, json(type, { [own]: undefined })];
});

export const TEXTS = [...UNSTORABLE, ...LENGTHS, ...IDS_AND_WORDS, ...SHAPES, ...MISSING].map(hostile);
