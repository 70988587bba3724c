// Any bytes become text that a terminal shows and does not obey.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { characterLength, glyphsOf, isPlain, readable } from '../../pipeline/readable-bytes.ts';

describe('readable bytes', () => {
  test.each([
    ['text as it is', Buffer.from('{"a":"Köln"}'), '{"a":"Köln"}'],
    ['the escape character', Buffer.from('\u001B[2J'), '\\u{1b}[2J'],
    ['a line feed and a tab', Buffer.from('a\n\tb\r'), 'a\\n\\tb\\r'],
    ['NUL', Buffer.from('a\0b'), 'a\\u{0}b'],
    ['a control character of 8 bits', Buffer.from('\u009B31m'), '\\u{9b}31m'],
    ['text that runs backwards', Buffer.from('a\u202Eb'), 'a\\u{202e}b'],
    ['bytes that are no UTF-8', Buffer.from([0x61, 0xff, 0xc3, 0x28]), 'a\\xff\\xc3('],
    ['half a character at the end', Buffer.from([0x61, 0xe2, 0x82]), 'a\\xe2\\x82'],
    ['an overlong slash', Buffer.from([0xc0, 0xaf]), '\\xc0\\xaf'],
    ['a surrogate', Buffer.from([0xed, 0xa0, 0x80]), '\\xed\\xa0\\x80'],
  ])('show %s', (_what, bytes, text) => {
    expect(readable(bytes)).toBe(text);
  });

  test('hold no control character, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (array) => {
        const bytes = Buffer.from(array);
        expect(readable(bytes)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        expect(glyphsOf(bytes).reduce((sum, { byte }) => Math.max(sum, byte), -1)).toBeLessThan(bytes.length);
      }),
    );
  });

  test('know a character of UTF-8 exactly where the decoder does', () => {
    const decoder = new TextDecoder('utf8', { fatal: true, ignoreBOM: true });
    const isSound = (bytes: Buffer): boolean => {
      try {
        decoder.decode(bytes);
        return true;
      } catch {
        return false;
      }
    };
    const oneByOne = (bytes: Buffer): boolean => {
      for (let at = 0; at < bytes.length;) {
        const length = characterLength(bytes, at);
        if (length === 0) return false;
        at += length;
      }
      return true;
    };
    const edge = fc.constantFrom(
      0x00,
      0x7f,
      0x80,
      0x8f,
      0x90,
      0x9f,
      0xa0,
      0xbf,
      0xc1,
      0xc2,
      0xdf,
      0xe0,
      0xed,
      0xef,
      0xf0,
      0xf4,
      0xf5,
      0xff,
    );
    fc.assert(
      fc.property(fc.array(edge, { maxLength: 6 }), (array) => {
        expect(oneByOne(Buffer.from(array))).toBe(isSound(Buffer.from(array)));
      }),
      { numRuns: 5_000 },
    );
  });

  test('take two columns for a wide character and none for an accent on top of another', () => {
    expect(glyphsOf(Buffer.from('a漢e\u0301🙂')).map(({ width }) => width)).toEqual([1, 2, 1, 0, 2]);
  });

  test('are plain only where nothing had to be changed', () => {
    expect(isPlain(Buffer.from('Köln'))).toBe(true);
    expect(isPlain(Buffer.from([0xff]))).toBe(false);
    expect(isPlain(Buffer.from('a\n'))).toBe(false);
  });
});
