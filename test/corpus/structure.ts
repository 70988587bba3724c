// Values whose JSON is broken, has another shape, nests without end, or repeats and bends its names.
import { hostile, json, member, raw } from './hostile-message.ts';
import type { Row } from './hostile-message.ts';

const DEEP = 100_000;
const arrays = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const objects = (levels: number): string => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels);
const mixed = (levels: number): string => '[{"a":'.repeat(levels / 2) + '1' + '}]'.repeat(levels / 2);
const search = (fields: Record<string, unknown> = {}): string => json('search', fields);

const BROKEN: Row[] = [
  ['letters behind the object are no JSON', 'not_json', `${search()}x`],
  ['a comma behind the object is no JSON', 'not_json', `${search()},`],
  ['a closing brace too many is no JSON', 'not_json', `${search()}}`],
  ['a closing brace too few is no JSON', 'not_json', search().slice(0, -1)],
  ['two objects in two lines are no JSON', 'not_json', `${search()}\n${search()}`],
  ['a NUL behind the object is no JSON', 'not_json', `${search()}\0`],
  ['a comma before the closing brace is no JSON', 'not_json', `${search().slice(0, -1)},}`],
  ['a comment in slashes and stars is no JSON', 'not_json', `/* v1 */${search()}`],
  ['a comment behind two slashes is no JSON', 'not_json', `${search()} // end`],
  ['a comment behind a hash is no JSON', 'not_json', `# a\n${search()}`],
  ['single quotes are no JSON', 'not_json', search().replaceAll('"', "'")],
  ['curly quotes are no JSON', 'not_json', search().replaceAll('"', '\u201d')],
  ['names without quotes are no JSON', 'not_json', search().replaceAll(/"(\w+)":/g, '$1:')],
  ['a number for a name is no JSON', 'not_json', member('search', '1:2')],
  ['a line end inside a text is no JSON', 'not_json', member('search', '"a":"\n"')],
  ['a tab inside a text is no JSON', 'not_json', member('search', '"a":"\t"')],
  ['U+001F inside a text is no JSON', 'not_json', member('search', '"a":"\u001f"')],
  ['U+007F inside a text is text', 'event', member('search', '"a":"\u007f"'), { extra: '{"a":"\u007f"}' }],
  ['U+2028 inside a text is text', 'event', member('search', '"a":"\u2028"'), { extra: '{"a":"\u2028"}' }],
  ['an escape that JSON does not know is no JSON', 'not_json', member('search', '"a":"\\x41"')],
  ['an escaped line end is no JSON', 'not_json', member('search', '"a":"\\\n"')],
  ['an escape of three digits is no JSON', 'not_json', member('search', '"a":"\\u12"')],
  ['an escape with a letter past f is no JSON', 'not_json', member('search', '"a":"\\u00zz"')],
  ['an escape in braces is no JSON', 'not_json', member('search', '"a":"\\u{1F600}"')],
  ['a no-break space between members is no JSON', 'not_json', search().replace(',', ',\u00a0')],
  ['a form feed between members is no JSON', 'not_json', search().replace(',', ',\f')],
  ['a vertical tab between members is no JSON', 'not_json', search().replace(',', ',\v')],
  ['the four kinds of white space of JSON are read over', 'event', search().replaceAll(',"', ' ,\t\r\n"')],
  ['undefined is no JSON', 'not_json', member('search', '"a":undefined')],
  ['True as Python writes it is no JSON', 'not_json', raw('user_login', 'success', 'True')],
  ['None as Python writes it is no JSON', 'not_json', raw('search', 'clicked_position', 'None')],
  ['XML is no JSON', 'not_json', '<event type="search"/>'],
  ['a line of a form is no JSON', 'not_json', 'event_type=search&user_id=1'],
  ['a query of another language is no JSON', 'not_json', "'; drop table events; --"],
];

const SHAPES: Row[] = [
  ['an object written as a string is no object', 'not_an_object', JSON.stringify(search())],
  ['an object in an array is no object', 'not_an_object', `[${search()}]`],
  ['an empty array is no object', 'not_an_object', '[]'],
  ['null is no object', 'not_an_object', 'null'],
  ['false is no object', 'not_an_object', 'false'],
  ['minus zero is no object', 'not_an_object', '-0'],
  ['1e400 is no object', 'not_an_object', '1e400'],
  ['400 digits are no object', 'not_an_object', '9'.repeat(400)],
  ['an empty string is no object', 'not_an_object', '""'],
  ['an object with nothing in it has no type', 'missing_field event_type', '{}'],
  ['an envelope around the event has no type', 'missing_field event_type', `{"payload":${search()}}`],
];

const DEPTHS: Row[] = [
  ['100,000 arrays that nobody closes are no JSON', 'not_json', '['.repeat(DEEP)],
  ['100,000 objects that nobody closes are no JSON', 'not_json', '{"a":'.repeat(DEEP)],
  ['100,000 closing brackets are no JSON', 'not_json', ']'.repeat(DEEP)],
  ['100,000 nested arrays are no object', 'not_an_object', arrays(DEEP)],
  ['100,000 nested objects have no type', 'missing_field event_type', objects(DEEP)],
  ['100,000 arrays in an unknown field are too deep', 'wrong_field a', member('search', `"a":${arrays(DEEP)}`)],
  ['100,000 objects in an unknown field are too deep', 'wrong_field a', member('search', `"a":${objects(DEEP)}`)],
  ['100,000 of both in turn are too deep', 'wrong_field a', member('search', `"a":${mixed(DEEP)}`)],
  ['100,000 arrays for a user_id are refused', 'wrong_field user_id', raw('search', 'user_id', arrays(DEEP))],
  ['100,000 objects for a device are refused', 'wrong_field device', raw('search', 'device', objects(DEEP))],
  ['100,000 arrays for the type are refused', 'wrong_field event_type', raw('search', 'event_type', arrays(DEEP))],
  ['100,000 arrays for a timestamp are refused', 'wrong_field timestamp', raw('search', 'timestamp', arrays(DEEP))],
  ['100,000 arrays for items are refused', 'wrong_field items', raw('purchase', 'items', arrays(DEEP))],
  ['100,000 arrays for one item are refused', 'wrong_field items', raw('purchase', 'items', `["a",${arrays(DEEP)}]`)],
  [
    '100,000 arrays for an amount are refused',
    'wrong_field total_amount',
    raw('purchase', 'total_amount', arrays(DEEP)),
  ],
  [
    '100,000 arrays for a version are refused',
    'wrong_field schema_version',
    member('search', `"schema_version":${arrays(DEEP)}`),
  ],
  ['100 levels in an unknown field are kept', 'event', member('search', `"a":${objects(100)}`)],
  ['101 levels under an empty name are refused', 'wrong_field ', member('search', `"":${arrays(101)}`)],
  ['101 levels in an unknown field are refused', 'wrong_field a', member('search', `"a":${objects(101)}`)],
  [
    'a deep member that a later one replaces is not kept',
    'event',
    member('search', `"a":${arrays(DEEP)},"a":1`),
    { extra: '{"a":1}' },
  ],
  [
    'a deep user_id that a later one replaces is not looked at',
    'event',
    member('search', `"user_id":${arrays(DEEP)},"user_id":"u"`),
    { says: { user_id: 'u' } },
  ],
];

const NAMES: Row[] = [
  [
    '__proto__ as a further field is kept',
    'event',
    member('search', '"__proto__":{"a":1}'),
    { extra: '{"__proto__":{"a":1}}' },
  ],
  ['__proto__ of null is kept', 'event', member('search', '"__proto__":null'), { extra: '{"__proto__":null}' }],
  [
    '__proto__ lends no field',
    'missing_field user_id',
    `${search({ user_id: undefined }).slice(0, -1)},"__proto__":{"user_id":"u"}}`,
  ],
  [
    'an escaped __proto__ lends no field',
    'missing_field user_id',
    `${search({ user_id: undefined }).slice(0, -1)},"\\u005f_proto__":{"user_id":"u"}}`,
  ],
  ['__proto__ lends no type', 'missing_field event_type', `{"__proto__":${search()}}`],
  [
    '__proto__ lends no column of another type',
    'event',
    member('search', '"__proto__":{"price":5},"price":1'),
    { says: { price: undefined }, extra: '{"__proto__":{"price":5},"price":1}' },
  ],
  [
    'constructor as a further field is kept',
    'event',
    member('search', '"constructor":{"prototype":{"a":1}}'),
    { extra: '{"constructor":{"prototype":{"a":1}}}' },
  ],
  ['prototype as a further field is kept', 'event', member('search', '"prototype":{}'), { extra: '{"prototype":{}}' }],
  [
    'toString that is no function is kept',
    'event',
    member('search', '"toString":1,"valueOf":2,"toJSON":3'),
    { extra: '{"toString":1,"valueOf":2,"toJSON":3}' },
  ],
  [
    'hasOwnProperty that is no function is kept',
    'event',
    member('search', '"hasOwnProperty":1'),
    { extra: '{"hasOwnProperty":1}' },
  ],
  [
    'length and then as further fields are kept',
    'event',
    member('search', '"length":-1,"then":{}'),
    { extra: '{"length":-1,"then":{}}' },
  ],
  ['constructor for the type is no type', 'unknown_type event_type', search({ event_type: 'constructor' })],
  ['__proto__ for the type is no type', 'unknown_type event_type', search({ event_type: '__proto__' })],
  ['toString for the type is no type', 'unknown_type event_type', search({ event_type: 'toString' })],
  ['hasOwnProperty for the type is no type', 'unknown_type event_type', search({ event_type: 'hasOwnProperty' })],
  ['constructor for a word of a list is no such word', 'wrong_field page', json('page_view', { page: 'constructor' })],
  ['__proto__ for a currency is none', 'wrong_field currency', json('purchase', { currency: '__proto__' })],
  ['__proto__ for a user_id is a text', 'event', search({ user_id: '__proto__' }), { says: { user_id: '__proto__' } }],
  ['only __proto__ and constructor make no event', 'missing_field event_type', '{"__proto__":1,"constructor":2}'],
  ['the same member twice counts once', 'event', member('search', '"user_id":"user_1"'), { extra: null }],
  ['of two user_ids the last counts', 'event', member('search', '"user_id":"last"'), { says: { user_id: 'last' } }],
  ['a good user_id before a bad one does not count', 'wrong_field user_id', member('search', '"user_id":7')],
  [
    'a bad timestamp before a good one does not count',
    'event',
    member('search', '"timestamp":"x","timestamp":"2024-05-01T12:00:00Z"'),
  ],
  ['of two types the last counts', 'missing_field login_method', member('search', '"event_type":"user_login"')],
  [
    'of 10,000 members with one name the last is kept',
    'event',
    member('search', Array.from({ length: 10_000 }, (_, at) => `"a":${at}`).join(',')),
    { extra: '{"a":9999}' },
  ],
  [
    'a name in escapes is the same name',
    'event',
    member('search', '"\\u0075ser_id":"last"'),
    { says: { user_id: 'last' }, extra: null },
  ],
  [
    'names are told apart by case',
    'event',
    member('search', '"User_Id":"other"'),
    { says: { user_id: 'user_1' }, extra: '{"User_Id":"other"}' },
  ],
  [
    'a name with a space at its end is another name',
    'missing_field user_id',
    search({ user_id: undefined, 'user_id ': 'u' }),
  ],
  [
    'a name with a Cyrillic letter is another name',
    'missing_field user_id',
    search({ user_id: undefined, 'us\u0435r_id': 'u' }),
  ],
  [
    'a name that Unicode would normalize stays',
    'event',
    search({ 'e\u0301': 1, '\u00e9': 2 }),
    { extra: '{"e\u0301":1,"\u00e9":2}' },
  ],
  ['an empty name is kept', 'event', member('search', '"":1'), { extra: '{"":1}' }],
  ['a name of 100,000 characters is kept', 'event', member('search', `"${'n'.repeat(100_000)}":1`)],
  [
    '50,000 further fields are kept',
    'event',
    member('search', Array.from({ length: 50_000 }, (_, at) => `"f${at}":0`).join(',')),
  ],
  [
    'names of digits keep the order in which they came',
    'event',
    member('search', '"b":1,"1":2,"0":3'),
    { extra: '{"b":1,"1":2,"0":3}' },
  ],
  [
    'a name with quotes and backslashes is kept',
    'event',
    member('search', '"a\\"\\\\b":1'),
    { extra: '{"a\\"\\\\b":1}' },
  ],
  ['a name with U+0000 is refused', 'bad_text a\\u{0}', member('search', '"a\\u0000":1')],
  ['a name with half a pair is refused', 'bad_text \\u{d800}', member('search', '"\\ud800":1')],
];

export const STRUCTURE = [...BROKEN, ...SHAPES, ...DEPTHS, ...NAMES].map(hostile);
