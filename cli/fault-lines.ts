// The place where a letter is wrong, as a compiler shows it: the piece of the line around it, and marks under the fault.
import type { LetterFault } from '../pipeline/letter-fault.ts';
import { characterLength, glyphsOf } from '../pipeline/readable-bytes.ts';
import type { Glyph } from '../pipeline/readable-bytes.ts';

const COLUMNS_BEFORE = 34;
const COLUMNS_FROM = 40;
/** No glyph is narrower than nothing, but no line is read further than this for its columns. */
const BYTES_AROUND = 400;
const LINE_FEED = 10;

/** Two lines, a piece of the value and the marks, safe for a terminal. */
export function faultLines(value: Buffer, fault: LetterFault): [string, string] {
  const before = glyphsBefore(value, fault.fromByte);
  const lineEnd = value.indexOf(LINE_FEED, fault.fromByte + 1);
  const end = Math.min(lineEnd === -1 ? value.length : lineEnd, fault.fromByte + BYTES_AROUND);
  const shown = upTo(glyphsOf(value, fault.fromByte, end), COLUMNS_FROM);
  const marked = shown.filter(({ byte }) => byte < fault.toByte);
  const last = shown.at(-1);
  const nextByte = last === undefined ? fault.fromByte : last.byte + Math.max(1, characterLength(value, last.byte));
  const isCut = nextByte < value.length && value[nextByte] !== LINE_FEED;
  const head = `${before.isCut ? '...' : ''}${textOf(before.glyphs)}`;
  const indent = widthOf(before.glyphs) + (before.isCut ? 3 : 0);
  return [
    `${head}${textOf(shown)}${isCut ? '...' : ''}`,
    `${' '.repeat(indent)}${'^'.repeat(Math.max(1, widthOf(marked)))}`,
  ];
}

/** What stands before the fault in its line, as far as there is room. */
function glyphsBefore(value: Buffer, fromByte: number): { glyphs: Glyph[]; isCut: boolean } {
  const lineStart = fromByte === 0 ? 0 : value.lastIndexOf(LINE_FEED, fromByte - 1) + 1;
  const start = characterStart(value, Math.max(lineStart, fromByte - BYTES_AROUND));
  const kept = upTo(glyphsOf(value, start, fromByte).toReversed(), COLUMNS_BEFORE).toReversed();
  return { glyphs: kept, isCut: (kept[0]?.byte ?? fromByte) > lineStart };
}

/** The first place from `at` back that is not inside a character. */
function characterStart(value: Buffer, at: number): number {
  for (let back = 1; back <= 3 && at - back >= 0; back += 1) {
    if (characterLength(value, at - back) > back) return at - back;
  }
  return at;
}

/** As many of the glyphs as fit into so many columns. */
function upTo(glyphs: readonly Glyph[], columns: number): Glyph[] {
  const kept: Glyph[] = [];
  let width = 0;
  for (const glyph of glyphs) {
    width += glyph.width;
    if (width > columns) break;
    kept.push(glyph);
  }
  return kept;
}

const textOf = (glyphs: readonly Glyph[]): string => glyphs.map(({ text }) => text).join('');
const widthOf = (glyphs: readonly Glyph[]): number => glyphs.reduce((sum, { width }) => sum + width, 0);
