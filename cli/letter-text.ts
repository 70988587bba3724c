// A dead letter as people read it: where it is from, why it was refused, what became of it, what it says.
import type { DeadLetter } from '../pipeline/dead-letter.ts';
import { findFault } from '../pipeline/letter-fault.ts';
import { isPlain, readable } from '../pipeline/readable-bytes.ts';
import { faultLines } from './fault-lines.ts';
import { hexDump } from './hex-dump.ts';
import { grouped, plural, styled } from './output.ts';

/** `hex`: key and value as hex dumps; `full`: nothing is cut. */
export type LetterTextOptions = { readonly hex: boolean; readonly full: boolean };

/** Of a value, unless all of it is wanted. */
const TEXT_BYTES = 2_000;
const HEX_BYTES = 512;
const HEADER_BYTES = 500;

/** Stored text that came from elsewhere, safe for a terminal. */
const safe = (text: string): string => readable(Buffer.from(text));
const iso = (ms: number): string => new Date(ms).toISOString();

/** The lines of `weir dead-letters show`. */
export function letterLines(letter: DeadLetter, options: LetterTextOptions): string[] {
  const { id, partition, offset, reason, field, attempt, parent } = letter;
  const named = (name: string, text: string): string => `  ${name.padEnd(11)} ${text}`;
  return [
    `${styled('bold', `Letter ${id}`)}: ${safe(letter.detail)}`,
    named('place', `partition ${partition}, offset ${offset}, in Kafka since ${iso(letter.kafkaTimestampMs)}`),
    named('reason', field === null ? reason : `${reason}, field ${safe(field)}`),
    named('refused', `${iso(letter.refusedAtMs)}, attempt ${attempt}`),
    named('status', statusText(letter)),
    named('published', publishedText(letter)),
    ...(parent === null ? [] : [named('parent', `letter ${parent}, of which this is a replay that was refused again`)]),
    ...letter.children.map((of) =>
      named('child', `letter ${of.id}: attempt ${of.attempt}, ${of.reason}, ${of.status}`),
    ),
    ...headerLines(letter, options),
    ...bytesLines('key', letter.key, options),
    ...bytesLines('value', letter.value, options),
    ...whereLines(letter),
  ];
}

function publishedText({ publishedAtMs }: DeadLetter): string {
  if (publishedAtMs === null) return 'not yet; `weir status` says whether something is in the way';
  if (publishedAtMs === 'refused by Kafka') {
    return 'not: Kafka found it larger than the max.message.bytes of the topic of dead letters';
  }
  return `${iso(publishedAtMs)}, to the topic of dead letters`;
}

function statusText({ id, status, closedAtMs, sentAtMs, note, event, children }: DeadLetter): string {
  const since = closedAtMs === null ? '' : ` since ${iso(closedAtMs)}`;
  const why = note === null ? '' : `: ${safe(note)}`;
  switch (status) {
    case 'open':
      return `open: \`weir dead-letters replay ${id}\` sends it again, \`discard ${id} --reason-text WHY\` gives it up${why}`;
    case 'parked':
      return `parked, because it was refused too often: repair it in a replay, or \`weir dead-letters discard ${id} --reason-text WHY\`${why}`;
    case 'sent':
      return `sent${sentAtMs === null ? '' : ` at ${iso(sentAtMs)}`}: what becomes of it is seen when the topic is read up to there${why}`;
    case 'recovered':
      return `recovered${since}${event === null ? '' : `: event ${event.id}${event.atMs === null ? '' : ` of ${iso(event.atMs)}`}`}${why}`;
    case 'replaced':
      return `replaced${since}: ${children.length === 0 ? 'a later letter' : `letter ${children.map((of) => of.id).join(', ')}`} stands for it${why}`;
    default:
      return `${safe(status)}${since}${why}`;
  }
}

function headerLines({ headers }: DeadLetter, { full }: LetterTextOptions): string[] {
  const lines = headers.map(
    ({ name, nameBytes, value }) => `    ${nameBytes ? readable(nameBytes) : safe(name)}: ${headerText(value, full)}`,
  );
  return [`  ${'headers'.padEnd(11)} ${headers.length === 0 ? 'none' : headers.length}`, ...lines];
}

/** As text where that shows every byte, else in hexadecimal. */
function headerText(value: Buffer | null, full: boolean): string {
  if (value === null) return 'null';
  const shown = full ? value : value.subarray(0, HEADER_BYTES);
  const text = isPlain(shown) ? JSON.stringify(shown.toString()) : `0x${shown.toString('hex')}`;
  return shown.length === value.length ? text : `${text}... (${plural(value.length, 'byte')}, --full shows all)`;
}

function bytesLines(name: 'key' | 'value', bytes: Buffer | null, { hex, full }: LetterTextOptions): string[] {
  const head = (text: string): string => `  ${name.padEnd(11)} ${text}`;
  if (bytes === null) return [head(name === 'value' ? 'null (a tombstone)' : 'null')];
  if (bytes.length === 0) return [head('0 bytes')];
  const most = hex ? HEX_BYTES : TEXT_BYTES;
  const shown = full ? bytes : bytes.subarray(0, most);
  const lines = hex ? hexDump(shown) : textLines(shown);
  const rest = bytes.length - shown.length;
  const raw = name === 'value' ? '--raw' : '--raw-key';
  const note =
    rest === 0 ? [] : [`    (${grouped(rest)} more bytes: --full shows them, ${raw} writes the exact bytes)`];
  return [head(plural(bytes.length, 'byte')), ...lines.map((line) => `    ${line}`), ...note];
}

const LINE_FEED = 10;

/** Line by line, as the value has them. */
function textLines(bytes: Buffer): string[] {
  const lines: string[] = [];
  for (let start = 0; start < bytes.length;) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const end = feed === -1 ? bytes.length : feed;
    lines.push(readable(bytes, start, end));
    start = end + 1;
  }
  return lines;
}

function whereLines(letter: DeadLetter): string[] {
  const fault = findFault(letter);
  if (fault === null || letter.value === null) return [];
  const place = `line ${fault.line}, column ${fault.column} (byte ${fault.fromByte}): ${fault.says}`;
  return [
    '',
    `  ${styled('bold', 'where')}       ${place}`,
    ...faultLines(letter.value, fault).map((line) => `    ${line}`),
  ];
}
