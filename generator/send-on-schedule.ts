// Sends a segment's messages when they are due: in index order, every index once, each batch acknowledged before the next.
import { setTimeout as wait } from 'node:timers/promises';

import { dueMs, dueThrough } from './pace.ts';
import type { Segment } from './pace.ts';
import type { MessageMaker, ProducedMessage } from './produced-message.ts';

/** Time as the sender sees it; tests bring their own. `sleep` ends early when the signal aborts. */
export type Clock = { nowMs(): number; sleep(ms: number, signal: AbortSignal): Promise<void> };

export const SYSTEM_CLOCK: Clock = {
  nowMs: () => Date.now(),
  sleep: async (ms, signal) => {
    await wait(ms, undefined, { signal }).catch(() => {});
  },
};

/** `endIndex` and `endMs`: where the sending ends, whichever comes first. `paced` false: everything is due at once. */
export type Sending = {
  readonly maker: MessageMaker;
  readonly segment: Segment;
  readonly fromIndex: number;
  readonly endIndex: number;
  readonly endMs: number;
  readonly paced: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** False: not acknowledged, and it has given up. */
  readonly write: (messages: ProducedMessage[]) => Promise<boolean>;
  readonly onAcknowledged: (nextIndex: number, messages: readonly ProducedMessage[]) => void;
};

/**
 * All before `nextIndex` is acknowledged; the `unconfirmed` messages from there on may have arrived or not. `stoppedMs`: when
 * it ended before the end index; what was due by then is sent, if it was less than a batch. null: it ended otherwise.
 */
export type Sent = { readonly nextIndex: number; readonly unconfirmed: number; readonly stoppedMs: number | null };

/** Messages that gather before a batch goes out: at 500 a second two or three, at 20,000 a hundred. */
const TICK_MS = 5;
/** Six partitions of 500: more in one send would only make its acknowledgement later. */
const MOST_IN_BATCH = 3_000;

/** Sends until the end index, the end time or the signal; the batch in hand is always seen through. Never skips an index. */
export async function sendOnSchedule(sending: Sending): Promise<Sent> {
  const sent = await sendUntilOver(sending);
  if (!sending.paced || sent.unconfirmed > 0 || sent.nextIndex >= sending.endIndex) return sent;
  // What has fallen due since the last batch: another schedule may begin here, and it could not know of it.
  const stoppedMs = sending.clock.nowMs();
  const owed = dueBatch(sending, sent.nextIndex, 1);
  if (owed.length === 0 || owed.length === MOST_IN_BATCH) return { ...sent, stoppedMs };
  if (!(await sending.write(owed))) return { ...sent, unconfirmed: owed.length };
  const nextIndex = sent.nextIndex + owed.length;
  sending.onAcknowledged(nextIndex, owed);
  return { nextIndex, unconfirmed: 0, stoppedMs };
}

async function sendUntilOver(sending: Sending): Promise<Sent> {
  const { segment, clock, signal, endIndex, endMs } = sending;
  let nextIndex = sending.fromIndex;
  let prepared: ProducedMessage[] | null = null;
  while (nextIndex < endIndex && !signal.aborted && clock.nowMs() < endMs) {
    const batch: ProducedMessage[] = prepared ?? dueBatch(sending, nextIndex, 1);
    if (batch.length === 0) {
      const nowMs = clock.nowMs();
      await clock.sleep(Math.max(TICK_MS, Math.min(dueMs(segment, nextIndex), endMs) - nowMs), signal);
      continue;
    }
    const acknowledgement = sending.write(batch);
    // While the broker works on this batch, a full one that is due already can be made: history goes out twice as fast.
    prepared = dueBatch(sending, nextIndex + batch.length, MOST_IN_BATCH);
    if (prepared.length === 0) prepared = null;
    if (!(await acknowledgement)) return { nextIndex, unconfirmed: batch.length, stoppedMs: null };
    nextIndex += batch.length;
    sending.onAcknowledged(nextIndex, batch);
  }
  return { nextIndex, unconfirmed: 0, stoppedMs: null };
}

/** The messages due from `fromIndex` on, at most one batch; none when fewer than `least` are due. */
function dueBatch(sending: Sending, fromIndex: number, least: number): ProducedMessage[] {
  const { maker, segment, paced, clock, endIndex } = sending;
  const due = paced ? Math.min(endIndex, dueThrough(segment, clock.nowMs())) : endIndex;
  const toIndex = Math.min(due, fromIndex + MOST_IN_BATCH);
  return toIndex - fromIndex >= least ? maker.messages(segment, fromIndex, toIndex) : [];
}
