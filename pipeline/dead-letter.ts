// A dead letter: a message that could not become an event, with what became of it since.
import type { Header } from './message.ts';

/**
 * States of a letter, and what leaves them.
 *   open       nobody has done anything yet; a replay sends it, a person discards it.
 *   sent       a replay wrote it to the topic again; its outcome comes with the batch that reads it.
 *   recovered  it became an event. Final.
 *   replaced   it was refused again: the child letter stands for it now. Final.
 *   parked     refused so often that only a person sends it again, or discards it.
 *   discarded  a person gave it up, with a reason; its bytes are kept. Final.
 */
export const LETTER_STATUSES = ['open', 'sent', 'recovered', 'replaced', 'parked', 'discarded'] as const;
export type LetterStatus = (typeof LETTER_STATUSES)[number];

/** The states in which a letter waits for somebody to decide. */
export const UNDECIDED: readonly LetterStatus[] = ['open', 'parked'];

/** What identifies and explains a letter. `id` and `parent` are decimal strings; times are epoch ms. */
export type LetterSummary = {
  readonly id: string;
  readonly partition: number;
  readonly offset: number;
  /** The message's own time in Kafka, and when it was refused. */
  readonly kafkaTimestampMs: number;
  readonly refusedAtMs: number;
  readonly reason: string;
  readonly field: string | null;
  readonly detail: string;
  readonly status: string;
  readonly attempt: number;
  readonly parent: string | null;
};

/** A whole letter: `key`, `value` and `headers` are the message's own bytes. */
export type DeadLetter = LetterSummary & {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
  /** When a replay wrote it to the topic last, and since when it is recovered, replaced or discarded. */
  readonly sentAtMs: number | null;
  readonly closedAtMs: number | null;
  /** When it was written to the topic of dead letters; null: not yet. */
  readonly publishedAtMs: number | 'refused by Kafka' | null;
  /** Why somebody gave it up, or what else there is to say of its state. */
  readonly note: string | null;
  /** The event that it became. */
  readonly event: { readonly id: string; readonly atMs: number | null } | null;
  readonly children: readonly Pick<LetterSummary, 'id' | 'attempt' | 'status' | 'reason'>[];
};
