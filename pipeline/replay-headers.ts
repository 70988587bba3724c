// The headers of a replay: which dead letter a message repeats and who sent it, so that ingestion writes back what became of it.
import type { Header } from './message.ts';

const LETTER_HEADER = 'weir-letter';
const ATTEMPT_HEADER = 'weir-attempt';
const REPLAY_HEADER = 'weir-replay';
const OURS = new Set([LETTER_HEADER, ATTEMPT_HEADER, REPLAY_HEADER]);
const DECIMAL = /^[1-9]\d{0,15}$/;
/** Nothing in it means anything to SQL. */
const REPLAY_NAME = /^[\w-]{1,40}$/;

/** `letter`: id of the letter that is sent again. `attempt`: the how-manieth time its message is sent; 2 at the first replay. `replay`: its name. */
export type ReplayHeaders = { readonly letter: number; readonly attempt: number; readonly replay: string };

/** `headers` with ours behind them. Those of an earlier replay go; all others stay as they are and in their order. */
export function withReplayHeaders(headers: readonly Header[], { letter, attempt, replay }: ReplayHeaders): Header[] {
  const others = headers.filter(({ name }) => !OURS.has(name));
  const ours = [
    { name: LETTER_HEADER, value: Buffer.from(String(letter)) },
    { name: ATTEMPT_HEADER, value: Buffer.from(String(attempt)) },
    { name: REPLAY_HEADER, value: Buffer.from(replay) },
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

/** The replay that sent a message, by its word, or null: at most 40 letters, digits, "_" and "-". */
export function sendingReplay(headers: readonly Header[]): string | null {
  return lastText(headers, { name: REPLAY_HEADER, most: 40, isOne: (text) => REPLAY_NAME.test(text) });
}

/** The last header of the name that holds a decimal from 1 to 2^53 - 1. */
function lastNumber(headers: readonly Header[], name: string): number | null {
  const isOne = (text: string): boolean => DECIMAL.test(text) && Number.isSafeInteger(Number(text));
  const text = lastText(headers, { name, most: 16, isOne });
  return text === null ? null : Number(text);
}

type Sought = { readonly name: string; readonly most: number; readonly isOne: (text: string) => boolean };

function lastText(headers: readonly Header[], { name, most, isOne }: Sought): string | null {
  for (let at = headers.length - 1; at >= 0; at -= 1) {
    const header = headers[at];
    if (header?.name !== name || header.value === null || header.value.length > most) continue;
    const text = header.value.toString('latin1');
    if (isOne(text)) return text;
  }
  return null;
}
