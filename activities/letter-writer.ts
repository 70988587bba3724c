// Writes letters to their topic once more: each is confirmed or refused by itself, and no page is waited for without end.
import { openEventWriter } from '../kafka/event-writer.ts';
import { KafkaRefusedError } from '../kafka/failures.ts';
import { describeTopic } from '../kafka/topics.ts';
import { must } from '../pipeline/ensure.ts';
import { withReplayHeaders } from '../pipeline/replay-headers.ts';
import type { LetterToReplay } from '../postgres/replayed-letters.ts';

export type ReadyLetter = { readonly letter: LetterToReplay; readonly value: Buffer | null };

/** Ids of letters. `refused`: for what the message itself is. `failure`: why the others are not known to be written, else null. */
type WrittenLetters = {
  readonly written: readonly string[];
  readonly refused: readonly { readonly id: string; readonly why: string }[];
  readonly failure: unknown;
};

export type LetterWriter = { write(page: readonly ReadyLetter[]): Promise<WrittenLetters>; close(): Promise<void> };

/** Kafka may be away for this long before the lease says so; the workflow then tries again. */
const WRITTEN_WITHIN_MS = 30_000;
/** Time that a page in hand gets after the lease was asked to stop; less than `beating` gives the lease. */
const STOP_WITHIN_MS = 4_000;
const REFUSED_FOR_ITSELF = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD']);

/** Opens a writer of a topic that exists; after `signal` it gives up what is not confirmed soon. */
export async function openLetterWriter(
  { brokers, topic, replay }: { brokers: readonly string[]; topic: string; replay: string },
  signal: AbortSignal,
): Promise<LetterWriter> {
  const partitions = (await describeTopic({ brokers, topic })).partitions.length;
  const giveUp = new AbortController();
  const writer = await openEventWriter({ brokers, topic, signal: giveUp.signal });
  const giveUpIn = (ms: number): NodeJS.Timeout =>
    setTimeout(() => {
      const trouble = writer.waitingFor() ?? 'see that its brokers run and that the topic exists';
      giveUp.abort(new Error(`Kafka did not take the letters in hand in time: ${trouble}`));
    }, ms);
  return {
    // Each letter is a write of its own, so that one which Kafka refuses takes no other with it; they share batches all the same.
    async write(page) {
      const timers = [giveUpIn(WRITTEN_WITHIN_MS)];
      const onAbort = (): unknown => timers.push(giveUpIn(STOP_WITHIN_MS));
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        const writes = page.map(async (each) => await writer.write([messageOf(each, { partitions, replay })]));
        return sorted(page, await Promise.allSettled(writes));
      } finally {
        signal.removeEventListener('abort', onAbort);
        for (const timer of timers) clearTimeout(timer);
      }
    },
    close: async () => await writer.close(),
  };
}

/**
 * The message once more: key and headers as they came, in the partition where it was, so that it stays among the messages of
 * its key, whoever chose the partition. Its Kafka time is that of sending: Kafka deletes by it, and what was ahead of its time
 * may be right by now.
 */
function messageOf({ letter, value }: ReadyLetter, { partitions, replay }: { partitions: number; replay: string }) {
  const { id, key, partition, headers, attempt } = letter;
  return {
    key,
    value,
    headers: withReplayHeaders(headers, { letter: Number(id), attempt: attempt + 1, replay }),
    partition: partition < partitions ? partition : undefined,
  };
}

function sorted(page: readonly ReadyLetter[], outcomes: readonly PromiseSettledResult<void>[]): WrittenLetters {
  const written: string[] = [];
  const refused: { id: string; why: string }[] = [];
  let failure: unknown = null;
  for (const [index, outcome] of outcomes.entries()) {
    const { id } = must(page[index], 'a letter for each outcome').letter;
    if (outcome.status === 'fulfilled') written.push(id);
    else if (isOfLetter(outcome.reason)) refused.push({ id, why: outcome.reason.message.replace(/\.$/, '') });
    else failure ??= outcome.reason;
  }
  return { written, refused, failure };
}

const isOfLetter = (reason: unknown): reason is KafkaRefusedError =>
  reason instanceof KafkaRefusedError && REFUSED_FOR_ITSELF.has(reason.reason);
