// A micro-batch: what one fetch returned, sorted into events, duplicates and rejections; committed as one transaction.
import { must } from './ensure.ts';
import type { Counts } from './checkpoint.ts';
import type { Event } from './event.ts';
import type { Message } from './message.ts';
import type { Verdict } from './parse-message.ts';
import type { RecentIdentities } from './recent-identities.ts';
import type { Rejection } from './rejection.ts';
import { replayedLetter, sendingReplay } from './replay-headers.ts';

/** An event with the message it came from: where in the log it stands. */
export type RecordedEvent = { readonly event: Event; readonly message: Message };
export type RejectedMessage = { readonly rejection: Rejection; readonly message: Message };

/**
 * Covers the offsets `[fromOffset, toOffset)` of one partition: what is in none of the three lists held no message.
 * `hasReplays`: some message says that it repeats a dead letter.
 */
export type MicroBatch = {
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly events: readonly RecordedEvent[];
  readonly rejected: readonly RejectedMessage[];
  readonly duplicates: readonly RecordedEvent[];
  readonly hasReplays: boolean;
};

/**
 * A message at `offset` that says it repeats the dead letter `letter` and was sent by `replay` (null: it does not say).
 * `event` null: it was refused again.
 */
export type Replay = {
  readonly letter: number;
  readonly replay: string | null;
  readonly offset: number;
  readonly event: Event | null;
};

export type FetchedRange = {
  readonly messages: readonly Message[];
  readonly fromOffset: number;
  readonly nextOffset: number;
};

/** Judges every message of a fetch. `recent` learns the identities of the events: see there when to throw it away. */
export function formMicroBatch(
  { messages, fromOffset, nextOffset }: FetchedRange,
  judge: (message: Message) => Verdict,
  recent: RecentIdentities,
): MicroBatch {
  const events: RecordedEvent[] = [];
  const rejected: RejectedMessage[] = [];
  const duplicates: RecordedEvent[] = [];
  let hasReplays = false;
  for (const message of messages) {
    const verdict = judge(message);
    if (verdict.rejection) rejected.push({ rejection: verdict.rejection, message });
    else if (recent.add(verdict.event)) events.push({ event: verdict.event, message });
    else duplicates.push({ event: verdict.event, message });
    if (message.headers.length > 0) hasReplays ||= replayedLetter(message.headers) !== null;
  }
  return { fromOffset, toOffset: nextOffset, events, rejected, duplicates, hasReplays };
}

/**
 * What the batch adds to its partition's counts when every event of it is inserted and `late` of them are late. Skipped:
 * control records, compacted and aborted messages, seen as offsets that nothing came from.
 */
export function countsOf({ fromOffset, toOffset, events, rejected, duplicates }: MicroBatch, late: number): Counts {
  const seen = events.length + rejected.length + duplicates.length;
  return {
    recorded: events.length,
    duplicate: duplicates.length,
    late,
    rejected: rejected.length,
    skipped: toOffset - fromOffset - seen,
  };
}

export const NO_COUNTS: Counts = { recorded: 0, duplicate: 0, late: 0, rejected: 0, skipped: 0 };

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    recorded: a.recorded + b.recorded,
    duplicate: a.duplicate + b.duplicate,
    late: a.late + b.late,
    rejected: a.rejected + b.rejected,
    skipped: a.skipped + b.skipped,
  };
}

/** Splits a batch of two or more events behind its middle event, into two that cover the same offsets. */
export function splitMicroBatch(batch: MicroBatch): [MicroBatch, MicroBatch] {
  const last = must(batch.events[(batch.events.length >> 1) - 1], 'a batch of two events to split');
  const boundary = last.message.offset + 1;
  return [part(batch, batch.fromOffset, boundary), part(batch, boundary, batch.toOffset)];
}

function part(batch: MicroBatch, fromOffset: number, toOffset: number): MicroBatch {
  const inside = (offset: number): boolean => offset >= fromOffset && offset < toOffset;
  return {
    fromOffset,
    toOffset,
    events: batch.events.filter(({ message }) => inside(message.offset)),
    rejected: batch.rejected.filter(({ message }) => inside(message.offset)),
    duplicates: batch.duplicates.filter(({ message }) => inside(message.offset)),
    hasReplays: batch.hasReplays,
  };
}

/** The batch's replays by offset. An event counts whether it is new or a duplicate: it is in the table either way. */
export function replaysOf({ events, duplicates, rejected, hasReplays }: MicroBatch): Replay[] {
  if (!hasReplays) return [];
  const replays: Replay[] = [];
  const add = ({ headers, offset }: Message, event: Event | null): void => {
    const letter = replayedLetter(headers);
    if (letter !== null) replays.push({ letter, replay: sendingReplay(headers), offset, event });
  };
  for (const { message, event } of events) add(message, event);
  for (const { message, event } of duplicates) add(message, event);
  for (const { message } of rejected) add(message, null);
  return replays.toSorted((one, other) => one.offset - other.offset);
}

/**
 * The batch up to its only event, which is refused after all: PostgreSQL would not take the row, for the reason in
 * `detail`. What comes behind it has to be read again: it was judged while the event still counted as seen.
 */
export function refuseOnlyEvent(batch: MicroBatch, detail: string): MicroBatch {
  const { message } = must(batch.events[0], 'the event that PostgreSQL refused');
  const upToIt = part(batch, batch.fromOffset, message.offset + 1);
  const refused: RejectedMessage = { message, rejection: { reason: 'unstorable', field: null, detail } };
  return { ...upToIt, events: [], rejected: [...upToIt.rejected, refused] };
}
