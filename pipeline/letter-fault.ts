// Where in its value a dead letter is wrong: the byte, the place where JSON breaks off, or the field.
import type { DeadLetter } from './dead-letter.ts';
import { shown } from './found.ts';
import { firstJsonFault } from './json-fault.ts';
import { jsonMembers } from './json-members.ts';
import { characterLength } from './readable-bytes.ts';
import { firstBadByte, firstBadEscape } from './text-faults.ts';

/**
 * The bytes `[fromByte, toByte)` of the value; both are its length where the value ends too early. `line` and `column` count
 * from 1, a column is a character or a byte that is none. `says`: what stands and belongs there, as far as the letter's own
 * sentence does not say it.
 */
export type LetterFault = {
  readonly fromByte: number;
  readonly toByte: number;
  readonly line: number;
  readonly column: number;
  readonly says: string;
};

type Place = { readonly from: number; readonly to: number; readonly says: string };

/** The place of the fault, or null where no place is to blame: an empty value, a missing field, a value that is too large. */
export function findFault({
  value,
  reason,
  field,
}: Pick<DeadLetter, 'value' | 'reason' | 'field'>): LetterFault | null {
  if (value === null || value.length === 0 || reason === 'too_large') return null;
  const text = value.toString('utf8');
  if (reason === 'not_utf8') {
    const at = firstBadByte(value, text);
    return at === -1
      ? null
      : located(value, { from: at, to: at + 1, says: `byte 0x${value.toString('hex', at, at + 1)}` });
  }
  const place = placeIn(text, reason, field);
  if (place === null) return null;
  const from = Buffer.byteLength(text.slice(0, place.from));
  const to = from + Buffer.byteLength(text.slice(place.from, place.to));
  return located(value, { ...place, from, to });
}

function placeIn(text: string, reason: string, field: string | null): Place | null {
  const broken = firstJsonFault(text);
  if (broken !== null) {
    if (reason !== 'not_json') return null;
    const char = String.fromCodePoint(text.codePointAt(broken.at) ?? 0);
    const says =
      broken.at >= text.length ? 'the value ends' : `${char === '"' ? 'a quote' : `"${shown(char)}"`} stands`;
    return { from: broken.at, to: broken.at + char.length, says: `${says} where ${broken.belongs} belongs` };
  }
  if (reason === 'not_an_object') {
    const from = text.search(/[^ \t\n\r]/);
    return { from, to: text.trimEnd().length, says: 'the value' };
  }
  if (reason === 'bad_text') {
    const at = firstBadEscape(text);
    return at === -1 ? null : { from: at, to: at + 6, says: 'the escape' };
  }
  return field === null || reason === 'missing_field' ? null : placeOfField(text, field);
}

/** A message that came before a rule may be an object no longer, or never have been one: then no field has a place. */
function placeOfField(text: string, field: string): Place | null {
  if (!text.trimStart().startsWith('{')) return null;
  // Of a name that is there twice, the last one counts.
  const member = jsonMembers(text).findLast(({ name }) => name === field || shown(name) === field);
  return member === undefined
    ? null
    : { from: member.valueStart, to: member.end, says: `the value of ${shown(field)}` };
}

const LINE_FEED = 10;

function located(value: Buffer, { from, to, says }: Place): LetterFault {
  let line = 1;
  let lineStart = 0;
  for (let at = value.indexOf(LINE_FEED); at !== -1 && at < from; at = value.indexOf(LINE_FEED, at + 1)) {
    line += 1;
    lineStart = at + 1;
  }
  let column = 1;
  for (let at = lineStart; at < from; at += Math.max(1, characterLength(value, at))) column += 1;
  return { fromByte: from, toByte: Math.min(to, value.length), line, column, says };
}
