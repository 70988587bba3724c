// The headers of a replay: which dead letter a message repeats, so that ingestion writes back what became of it.
import type { Header } from './message.ts';

const LETTER_HEADER = 'weir-letter';
const ATTEMPT_HEADER = 'weir-attempt';
const DECIMAL = /^[1-9]\d{0,15}$/;

/** `letter`: id of the letter that is sent again. `attempt`: the how-manieth time its message is sent; 2 at the first replay. */
export type ReplayHeaders = { readonly letter: number; readonly attempt: number };

/** `headers` with ours behind them. Those of an earlier replay go; all others stay as they are and in their order. */
export function withReplayHeaders(headers: readonly Header[], { letter, attempt }: ReplayHeaders): Header[] {
  const others = headers.filter(({ name }) => name !== LETTER_HEADER && name !== ATTEMPT_HEADER);
  const ours = [
    { name: LETTER_HEADER, value: Buffer.from(String(letter)) },
    { name: ATTEMPT_HEADER, value: Buffer.from(String(attempt)) },
  ];
  return [...others, ...ours];
}

/** The letter that a message says it repeats, or null. Any producer can write anything here: only the table knows. */
export function replayedLetter(headers: readonly Header[]): number | null {
  return lastNumber(headers, LETTER_HEADER);
}

/** The attempt that a replayed message says it is, or null. For people: the letter's own row counts. */
export function replayAttempt(headers: readonly Header[]): number | null {
  return lastNumber(headers, ATTEMPT_HEADER);
}

/** The last header of the name that holds a decimal from 1 to 2^53 - 1. */
function lastNumber(headers: readonly Header[], name: string): number | null {
  for (let at = headers.length - 1; at >= 0; at -= 1) {
    const header = headers[at];
    if (header?.name !== name || header.value === null || header.value.length > 16) continue;
    const text = header.value.toString('latin1');
    if (DECIMAL.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  }
  return null;
}
