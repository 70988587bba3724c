// Keys and headers that nobody expects, around a value that is an event and around one that is none.
import type { Header } from '../../pipeline/message.ts';
import { hostile, json } from './hostile-message.ts';
import type { Row } from './hostile-message.ts';

const header = (name: string, value: Buffer | string | null): Header => ({
  name,
  value: typeof value === 'string' ? Buffer.from(value) : value,
});
const many = (count: number, of: (at: number) => Header): Header[] => Array.from({ length: count }, (_, at) => of(at));
const ALL_BYTES = Buffer.from(Uint8Array.from({ length: 256 }, (_, byte) => byte));
const BAD = 'not json';

const ROWS: Row[] = [
  ['an event without a key is an event', 'event', json('search')],
  ['an event with an empty key is an event', 'event', json('search'), { key: Buffer.alloc(0) }],
  ['an event with any bytes for a key is an event', 'event', json('search'), { key: ALL_BYTES }],
  ['a letter keeps an empty key', 'not_json', BAD, { key: Buffer.alloc(0) }],
  ['a letter keeps any bytes of a key', 'not_json', BAD, { key: ALL_BYTES }],
  ['a letter keeps a key of 1 MiB', 'empty_value', null, { key: Buffer.alloc(1_048_576, 0xfe) }],
  ['a letter of nothing but a key is a letter', 'empty_value', '', { key: Buffer.from('\0') }],
  ['a tombstone keeps its headers', 'empty_value', null, { headers: [header('trace', 'one')] }],
  [
    'an event with 10,000 headers is an event',
    'event',
    json('search'),
    { headers: many(10_000, (at) => header(`h${at}`, 'x')) },
  ],
  ['a letter keeps 10,000 headers', 'not_json', BAD, { headers: many(10_000, (at) => header(`h${at}`, String(at))) }],
  [
    'a letter keeps 1,000 headers of one name',
    'not_json',
    BAD,
    { headers: many(1000, (at) => header('same', String(at))) },
  ],
  ['a letter keeps a header without a name', 'not_json', BAD, { headers: [header('', 'x'), header('', null)] }],
  [
    'a letter keeps a header without a value',
    'not_json',
    BAD,
    { headers: [header('none', null), header('empty', '')] },
  ],
  [
    'a letter keeps NUL in the name of a header',
    'not_json',
    BAD,
    { headers: [header('a\0b', 'x'), header('\0', '\0')] },
  ],
  ['a letter keeps any bytes in a header', 'not_json', BAD, { headers: [header('bytes', ALL_BYTES)] }],
  [
    'a letter keeps a header of half a MiB',
    'not_json',
    BAD,
    { headers: [header('large', Buffer.alloc(524_288, 0x80))] },
  ],
  [
    'a letter keeps a name of 100,000 characters',
    'not_json',
    BAD,
    { headers: [header('\u8a9e'.repeat(100_000), 'x')] },
  ],
  [
    'a letter keeps names of every object',
    'not_json',
    BAD,
    { headers: [header('__proto__', 'x'), header('constructor', 'y')] },
  ],
  ['a letter keeps quotes and line ends in a name', 'not_json', BAD, { headers: [header('a"\\\n\u2028', '{}')] }],
  ['a letter keeps emoji in a name', 'not_json', BAD, { headers: [header('\u{1F600}', '\u{1F600}')] }],
  [
    'a letter keeps names that are not UTF-8',
    'not_json',
    BAD,
    {
      headers: [
        { name: 'a\uFFFDb', value: Buffer.from('x'), nameBytes: Buffer.from([0x61, 0xe9, 0x62]) },
        { name: '\uFFFD\uFFFD', value: null, nameBytes: Buffer.from([0xff, 0xfe]) },
      ],
    },
  ],
  ['a letter keeps a replacement character in a name', 'not_json', BAD, { headers: [header('a\uFFFDb', 'x')] }],
];

export const ENVELOPES = ROWS.map(hostile);
