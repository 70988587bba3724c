// Numbers that are too large, too fine, too long, signed where nothing is, or no numbers at all.
import { hostile, json, member, raw } from './hostile-message.ts';
import type { Row } from './hostile-message.ts';

const MIB = 1_048_576;
const count = (text: string): string => raw('search', 'results_count', text);
const position = (text: string): string => raw('item_click', 'position', text);
const clicked = (text: string): string => raw('search', 'clicked_position', text);
const amount = (text: string): string => raw('purchase', 'total_amount', text);
const price = (text: string): string => raw('cart_add', 'price', text);
const extra = (text: string): string => member('search', `"a":${text}`);
const COUNT = 'results_count';

const WHOLE: Row[] = [
  ['a count of 1e400 is out of range', `number_out_of_range ${COUNT}`, count('1e400')],
  ['a count of -1e400 is out of range', `number_out_of_range ${COUNT}`, count('-1e400')],
  ['a count of 2^53 + 1 is out of range', `number_out_of_range ${COUNT}`, count('9007199254740993')],
  ['a count of 2^63 is out of range', `number_out_of_range ${COUNT}`, count('9223372036854775808')],
  ['a count of 2^32 does not wrap to 0', `number_out_of_range ${COUNT}`, count('4294967296')],
  ['a count of 2^32 + 5 does not wrap to 5', `number_out_of_range ${COUNT}`, count('4294967301')],
  ['a count of 400 digits is out of range', `number_out_of_range ${COUNT}`, count('9'.repeat(400))],
  ['a count of 400 zeros behind the point is 1', 'event', count(`1.${'0'.repeat(400)}`), { says: { [COUNT]: 1 } }],
  ['a count of minus zero is 0', 'event', count('-0')],
  ['a count of -0.0e5 is 0', 'event', count('-0.0e5')],
  ['a count too small for a double is 0', 'event', count('1e-400'), { says: { [COUNT]: 0 } }],
  ['a count of 1e2 is 100', 'event', count('1e2'), { says: { [COUNT]: 100 } }],
  ['a count of 1E+2 is 100', 'event', count('1E+2'), { says: { [COUNT]: 100 } }],
  ['a count of 100e-2 is 1', 'event', count('100e-2'), { says: { [COUNT]: 1 } }],
  ['a count of 2147483647.0 is the largest', 'event', count('2147483647.0'), { says: { [COUNT]: 2_147_483_647 } }],
  ['a count of 2147483647.5 is out of range', `number_out_of_range ${COUNT}`, count('2147483647.5')],
  ['a count of half is wrong', `wrong_field ${COUNT}`, count('0.5')],
  ['a count of -1 is wrong', `wrong_field ${COUNT}`, count('-1')],
  ['a count as text is wrong', `wrong_field ${COUNT}`, count('"3"')],
  ['a count as true is wrong', `wrong_field ${COUNT}`, count('true')],
  ['a count in an array is wrong', `wrong_field ${COUNT}`, count('[3]')],
  ['a count of 1 MiB of digits is out of range', `number_out_of_range ${COUNT}`, count('7'.repeat(MIB - 1000))],
  ['NaN is no JSON', 'not_json', count('NaN')],
  ['Infinity is no JSON', 'not_json', count('Infinity')],
  ['-Infinity is no JSON', 'not_json', count('-Infinity')],
  ['a plus sign is no JSON', 'not_json', count('+1')],
  ['a zero in front is no JSON', 'not_json', count('01')],
  ['a minus with a zero in front is no JSON', 'not_json', count('-01')],
  ['hexadecimal is no JSON', 'not_json', count('0x10')],
  ['octal is no JSON', 'not_json', count('0o17')],
  ['a point without digits behind it is no JSON', 'not_json', count('1.')],
  ['a point without digits before it is no JSON', 'not_json', count('.5')],
  ['an exponent without digits is no JSON', 'not_json', count('1e')],
  ['two points are no JSON', 'not_json', count('1.2.3')],
  ['a number of a big integer is no JSON', 'not_json', count('1n')],
  ['underscores are no JSON', 'not_json', count('1_000')],
  ['a comma for thousands is no JSON', 'not_json', count('1,000')],
  ['Arabic digits are no JSON', 'not_json', count('\u0661\u0662')],
  ['a position of minus zero is wrong', 'wrong_field position', position('-0')],
  ['a position of 1e-400 is wrong', 'wrong_field position', position('1e-400')],
  ['a position that rounds to 1 is 1', 'event', position('1.00000000000000000001'), { says: { position: 1 } }],
  ['clicked_position of null is an event', 'event', clicked('null'), { says: { clicked_position: null } }],
  [
    'clicked_position that is left out is missing',
    'missing_field clicked_position',
    json('search', { clicked_position: undefined }),
  ],
  ['clicked_position of "null" is wrong', 'wrong_field clicked_position', clicked('"null"')],
  [
    'clicked_position of -2147483648 is an event',
    'event',
    clicked('-2147483648'),
    { says: { clicked_position: -2_147_483_648 } },
  ],
  ['clicked_position of -2147483649 is out of range', 'number_out_of_range clicked_position', clicked('-2147483649')],
  ['clicked_position of false is wrong', 'wrong_field clicked_position', clicked('false')],
  ['a quantity of 1e400 is out of range', 'number_out_of_range quantities', raw('purchase', 'quantities', '[1,1e400]')],
  ['a version of 1e400 is wrong', 'wrong_field schema_version', member('search', '"schema_version":1e400')],
  ['a version of 1.0 is 1', 'event', member('search', '"schema_version":1.0'), { says: { schema_version: 1 } }],
  [
    'a version of minus zero is not known',
    'unsupported_version schema_version',
    member('search', '"schema_version":-0'),
  ],
  ['a version of -1 is not known', 'unsupported_version schema_version', member('search', '"schema_version":-1')],
  [
    'a version of 2^53 + 1 is not known',
    'unsupported_version schema_version',
    member('search', '"schema_version":9007199254740993'),
  ],
  [
    'a version of 999 is not known, whatever else is wrong',
    'unsupported_version schema_version',
    json('search', { schema_version: 999, user_id: 5 }),
  ],
  ['a version in a list is wrong', 'wrong_field schema_version', member('search', '"schema_version":[1]')],
];

const MONEY: Row[] = [
  ['an amount of three decimals is wrong', 'wrong_field total_amount', amount('12.345')],
  [
    'an amount of three decimals, the last a zero, is right',
    'event',
    amount('12.340'),
    { says: { total_amount: 12.34 } },
  ],
  ['an amount of 1e2 is 100', 'event', amount('1e2'), { says: { total_amount: 100 } }],
  ['an amount of 1234e-2 is 12.34', 'event', amount('1234e-2'), { says: { total_amount: 12.34 } }],
  ['an amount of minus zero is 0', 'event', amount('-0.00')],
  ['an amount of a cent below zero is wrong', 'wrong_field total_amount', amount('-0.01')],
  ['an amount of 1e400 is out of range', 'number_out_of_range total_amount', amount('1e400')],
  ['an amount of -1e400 is out of range', 'number_out_of_range total_amount', amount('-1e400')],
  ['an amount of 400 digits is out of range', 'number_out_of_range total_amount', amount('1'.repeat(400))],
  ['an amount of 2^53 + 1 is out of range', 'number_out_of_range total_amount', amount('9007199254740993')],
  ['an amount too small for a double is 0', 'event', amount('1e-400'), { says: { total_amount: 0 } }],
  ['an amount of a tenth of a cent is wrong', 'wrong_field total_amount', amount('0.001')],
  ['an amount less than a millionth above 0 is 0', 'event', amount('5e-7')],
  ['the largest amount is an event', 'event', amount('9999999999.99'), { says: { total_amount: 9_999_999_999.99 } }],
  ['the largest amount with 400 decimals is an event', 'event', amount(`9999999999.99${'0'.repeat(400)}`)],
  ['half a cent more than the largest is out of range', 'number_out_of_range total_amount', amount('9999999999.995')],
  ['ten thousand million is out of range', 'number_out_of_range total_amount', amount('1e10')],
  ['an amount as text is wrong', 'wrong_field total_amount', amount('"12.30"')],
  ['an amount with its currency is wrong', 'wrong_field total_amount', amount('"EUR 12"')],
  ['an amount of null is wrong', 'wrong_field total_amount', amount('null')],
  ['an amount as an object is wrong', 'wrong_field total_amount', amount('{"units":12,"nanos":0}')],
  ['an amount with a comma is no JSON', 'not_json', amount('12,30')],
  ['a price of 0.1 + 0.2 in doubles is 30 cents', 'event', price('0.30000000000000004')],
  ['a price of 1.005 is wrong', 'wrong_field price', price('1.005')],
  ['a price of 4.35, whose cents a double misses, is right', 'event', price('4.35'), { says: { price: 4.35 } }],
  ['a price of 1.15, whose cents a double misses, is right', 'event', price('1.15'), { says: { price: 1.15 } }],
  ['a price of 8166724.28 is right', 'event', price('8166724.28'), { says: { price: 8_166_724.28 } }],
];

const EXTRA: Row[] = [
  [
    '2^53 + 1 in a further field keeps its digits',
    'event',
    extra('9007199254740993'),
    { extra: '{"a":9007199254740993}' },
  ],
  ['400 digits in a further field are kept', 'event', extra('9'.repeat(400)), { extra: `{"a":${'9'.repeat(400)}}` }],
  ['1e400 in a further field is kept', 'event', extra('1e400'), { extra: '{"a":1e400}' }],
  ['1e-400 in a further field is kept', 'event', extra('1e-400'), { extra: '{"a":1e-400}' }],
  ['minus zero in a further field is kept', 'event', extra('-0'), { extra: '{"a":-0}' }],
  ['1e999 in a further field is kept', 'event', extra('1e999'), { extra: '{"a":1e999}' }],
  ['1e1000 in a further field is out of range', 'number_out_of_range a', extra('1e1000')],
  ['1e131072 in a further field is out of range', 'number_out_of_range a', extra('1e131072')],
  [
    'an exponent of 400 digits in a further field is out of range',
    'number_out_of_range a',
    extra(`1e${'9'.repeat(400)}`),
  ],
  ['an exponent of 400 zeros and a 5 in a further field is kept', 'event', extra(`1e${'0'.repeat(400)}5`)],
  ['0e2000 in a further field is out of range, though it is 0', 'number_out_of_range a', extra('0e2000')],
  ['1,000 digits in a further field are kept', 'event', extra('1'.repeat(1000))],
  ['1,001 digits in a further field are out of range', 'number_out_of_range a', extra('1'.repeat(1001))],
  [
    '1,001 digits under an empty name are out of range',
    'number_out_of_range ',
    member('search', `"":${'1'.repeat(1001)}`),
  ],
  ['1,001 decimals in a further field are out of range', 'number_out_of_range a', extra(`0.${'1'.repeat(1001)}`)],
  ['a long number deep inside a further field is out of range', 'number_out_of_range a', extra('[{"b":[1e5000]}]')],
];

export const NUMBERS = [...WHOLE, ...MONEY, ...EXTRA].map(hostile);
