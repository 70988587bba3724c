// Values that go wrong below the level of JSON: no bytes, too many, not UTF-8, another encoding.
import { gzipSync } from 'node:zlib';

import { bytesIn, hostile, json } from './hostile-message.ts';
import type { Row } from './hostile-message.ts';

const MIB = 1_048_576;
const LEAST = 'search';
const inQuery = (...bytes: number[]): Buffer => bytesIn(LEAST, 'search_query', bytes);
const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();
const utf32le = (text: string): Buffer =>
  Buffer.concat(Array.from(text, (char) => Buffer.from(Uint32Array.of(char.codePointAt(0) ?? 0).buffer)));
const padded = (bytes: number): string => json(LEAST).padEnd(bytes, ' ');

const ROWS: Row[] = [
  ['a tombstone is a letter', 'empty_value', null],
  ['a value of no bytes is a letter', 'empty_value', ''],
  ['a value of exactly 1 MiB is an event', 'event', padded(MIB)],
  ['a value of 1 MiB and one byte is a letter', 'too_large', padded(MIB + 1)],
  ['1 MiB of NUL is no JSON', 'not_json', Buffer.alloc(MIB)],
  ['1 MiB of 0xff is no UTF-8', 'not_utf8', Buffer.alloc(MIB, 0xff)],
  ['2 MiB of 0xff are too large before they are anything else', 'too_large', Buffer.alloc(2 * MIB, 0xff)],
  ['1 MiB of real replacement characters is read as text', 'not_json', Buffer.from('\uFFFD'.repeat(MIB / 3))],
  [
    '1 MiB of replacement characters with one bad byte at its end is no UTF-8',
    'not_utf8',
    Buffer.concat([Buffer.from('\uFFFD'.repeat(MIB / 3 - 1)), Buffer.from([0x80])]),
  ],
  ['one space is no JSON', 'not_json', ' '],
  ['one NUL is no JSON', 'not_json', Buffer.from([0])],
  ['one line end is no JSON', 'not_json', '\n'],

  ['a lone continuation byte is no UTF-8', 'not_utf8', inQuery(0x80)],
  ['a last continuation byte alone is no UTF-8', 'not_utf8', inQuery(0xbf)],
  ['two overlong bytes of a slash are no UTF-8', 'not_utf8', inQuery(0xc0, 0xaf)],
  ['two overlong bytes of NUL (Java writes them) are no UTF-8', 'not_utf8', inQuery(0xc0, 0x80)],
  ['the longest overlong of two bytes is no UTF-8', 'not_utf8', inQuery(0xc1, 0xbf)],
  ['three overlong bytes of a slash are no UTF-8', 'not_utf8', inQuery(0xe0, 0x80, 0xaf)],
  ['the longest overlong of three bytes is no UTF-8', 'not_utf8', inQuery(0xe0, 0x9f, 0xbf)],
  ['four overlong bytes of a slash are no UTF-8', 'not_utf8', inQuery(0xf0, 0x80, 0x80, 0xaf)],
  ['the longest overlong of four bytes is no UTF-8', 'not_utf8', inQuery(0xf0, 0x8f, 0xbf, 0xbf)],
  ['a first surrogate in three bytes is no UTF-8', 'not_utf8', inQuery(0xed, 0xa0, 0x80)],
  ['a last surrogate in three bytes is no UTF-8', 'not_utf8', inQuery(0xed, 0xbf, 0xbf)],
  ['a surrogate pair in six bytes (CESU-8) is no UTF-8', 'not_utf8', inQuery(0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80)],
  ['U+110000 is no UTF-8', 'not_utf8', inQuery(0xf4, 0x90, 0x80, 0x80)],
  ['a first byte of f5 is no UTF-8', 'not_utf8', inQuery(0xf5, 0x80, 0x80, 0x80)],
  ['five bytes are no UTF-8', 'not_utf8', inQuery(0xf8, 0x88, 0x80, 0x80, 0x80)],
  ['six bytes are no UTF-8', 'not_utf8', inQuery(0xfc, 0x84, 0x80, 0x80, 0x80, 0x80)],
  ['fe and ff are no UTF-8', 'not_utf8', inQuery(0xfe, 0xff)],
  ['two bytes cut to one are no UTF-8', 'not_utf8', inQuery(0xc3)],
  ['three bytes cut to two are no UTF-8', 'not_utf8', inQuery(0xe2, 0x82)],
  ['four bytes cut to three are no UTF-8', 'not_utf8', inQuery(0xf0, 0x9f, 0x98)],
  ['a character cut by the end of the value is no UTF-8', 'not_utf8', Buffer.from([0x7b, 0x7d, 0xe2, 0x82])],
  ['a second byte that continues nothing is no UTF-8', 'not_utf8', inQuery(0xe2, 0x28, 0xa1)],
  ['a third byte that continues nothing is no UTF-8', 'not_utf8', inQuery(0xe2, 0x82, 0x28)],
  ['a letter in Latin 1 is no UTF-8', 'not_utf8', inQuery(0xe9)],
  ['a bad byte behind the object is no UTF-8', 'not_utf8', Buffer.concat([Buffer.from(json(LEAST)), Buffer.of(0xff)])],
  ['a bad byte behind a real replacement character is no UTF-8', 'not_utf8', inQuery(0xef, 0xbf, 0xbd, 0xef, 0xbf)],
  ['a real replacement character is text', 'event', inQuery(0xef, 0xbf, 0xbd), { says: { search_query: 'a\uFFFDb' } }],
  ['U+FFFF is text', 'event', inQuery(0xef, 0xbf, 0xbf), { says: { search_query: 'a\uFFFFb' } }],
  ['U+10FFFF is text', 'event', inQuery(0xf4, 0x8f, 0xbf, 0xbf), { says: { search_query: 'a\u{10FFFF}b' } }],
  ['U+0080 is text', 'event', inQuery(0xc2, 0x80), { says: { search_query: 'a\u0080b' } }],
  [
    'a byte order mark inside a text is text',
    'event',
    inQuery(0xef, 0xbb, 0xbf),
    { says: { search_query: 'a\uFEFFb' } },
  ],
  ['a raw NUL inside a text is no JSON', 'not_json', inQuery(0)],

  ['a lone byte order mark is no JSON', 'not_json', Buffer.from([0xef, 0xbb, 0xbf])],
  ['half a byte order mark is no UTF-8', 'not_utf8', Buffer.from([0xef, 0xbb])],
  ['an object behind a byte order mark is no JSON', 'not_json', `\uFEFF${json(LEAST)}`],
  ['a byte order mark behind the object is no JSON', 'not_json', `${json(LEAST)}\uFEFF`],
  ['UTF-16 with the low byte first is no JSON', 'not_json', Buffer.from(json(LEAST), 'utf16le')],
  ['UTF-16 with the high byte first is no JSON', 'not_json', utf16be(json(LEAST))],
  ['UTF-16 with its byte order mark is no UTF-8', 'not_utf8', Buffer.from(`\uFEFF${json(LEAST)}`, 'utf16le')],
  ['UTF-16 with the other byte order mark is no UTF-8', 'not_utf8', utf16be(`\uFEFF${json(LEAST)}`)],
  ['UTF-32 is no JSON', 'not_json', utf32le(json(LEAST))],
  ['UTF-32 with its byte order mark is no UTF-8', 'not_utf8', utf32le(`\uFEFF${json(LEAST)}`)],
  ['UTF-7 is no object', 'not_json', '+AHsAfQ-'],
  ['EBCDIC is no UTF-8', 'not_utf8', Buffer.from([0xc0, 0x7f, 0xa4, 0x7f, 0x7a, 0xf1, 0xd0])],
  ['gzip inside the value is no UTF-8', 'not_utf8', gzipSync(json(LEAST))],
  [
    'a schema registry prefix before the JSON is no JSON',
    'not_json',
    Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), Buffer.from(json(LEAST))]),
  ],
  ['MessagePack is no UTF-8', 'not_utf8', Buffer.from([0x82, 0xa1, 0x61, 0x01, 0xa1, 0x62, 0xc3])],
  ['a Java object stream is no UTF-8', 'not_utf8', Buffer.from([0xac, 0xed, 0x00, 0x05, 0x74])],
  ['all 256 bytes in a row are no UTF-8', 'not_utf8', Buffer.from(Uint8Array.from({ length: 256 }, (_, byte) => byte))],
];

export const BYTES = ROWS.map(hostile);
