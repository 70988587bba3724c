// A patient writer: sends a batch until Kafka has acknowledged it, through outages of any length.
import { setTimeout as wait } from 'node:timers/promises';

import type { EventWriter } from '../kafka/event-writer.ts';
import { KafkaRefusedError, TopicMissingError } from '../kafka/failures.ts';
import { troubleOf } from '../kafka/trouble.ts';
import { backoffWaitMs } from '../pipeline/backoff.ts';
import { messageOf } from '../pipeline/ensure.ts';
import type { ProducedMessage } from './produced-message.ts';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 3_000;

export type PatientWriter = {
  /** True once every message is acknowledged, in order; false when it gave up first: some may have arrived, some not. */
  readonly write: (messages: ProducedMessage[]) => Promise<boolean>;
  /** Why the batch in hand has not been acknowledged yet, one sentence; null when nothing is wrong. */
  readonly trouble: () => string | null;
  /** How often Kafka could not be written to so far, by what was wrong (Kafka's own names, where it has one). */
  readonly errors: () => Readonly<Record<string, number>>;
  readonly close: () => Promise<void>;
};

/**
 * Opens a writer when the first batch comes, and another after each failure. `giveUp` ends the trying: a batch that was
 * sent again is the same bytes, so the event ids remove the double. `onError` hears of each error as it is counted.
 */
export function createPatientWriter(
  open: (onTrouble: (kind: string) => void) => Promise<EventWriter>,
  { giveUp, onError = () => {} }: { readonly giveUp: AbortSignal; readonly onError?: (kind: string) => void },
): PatientWriter {
  const errors: Record<string, number> = {};
  const count = (kind: string): void => {
    errors[kind] = (errors[kind] ?? 0) + 1;
    onError(kind);
  };
  let opening: Promise<EventWriter> | null = null;
  let current: EventWriter | null = null;
  let trouble: string | null = null;

  const drop = async (): Promise<void> => {
    const dropped = opening;
    opening = null;
    current = null;
    // A writer that has failed may fail to close as well; there is nothing in it to save.
    await dropped?.then((writer) => writer.close()).catch(() => {});
  };

  const attempt = async (messages: ProducedMessage[]): Promise<void> => {
    opening ??= open(count);
    current = await opening;
    await current.write(messages);
  };

  return {
    async write(messages) {
      for (let failures = 1; !giveUp.aborted; failures += 1) {
        try {
          await unlessAborted(attempt(messages), giveUp);
          trouble = null;
          return true;
        } catch (error) {
          if (giveUp.aborted) break;
          trouble = messageOf(error);
          count(kindOf(error));
          await drop();
          const limits = { firstMs: FIRST_WAIT_MS, longestMs: LONGEST_WAIT_MS };
          const waitMs = backoffWaitMs({ failures, ...limits, chance: Math.random() });
          await wait(waitMs, undefined, { signal: giveUp }).catch(() => {});
        }
      }
      trouble ??=
        current?.waitingFor() ??
        'Kafka did not acknowledge the batch in time; see that its brokers run and that the topic exists.';
      return false;
    },
    trouble: () => current?.waitingFor() ?? trouble,
    errors: () => ({ ...errors }),
    async close() {
      // After giving up, closing could hang on the same broker: it goes on by itself.
      if (giveUp.aborted) void drop();
      else await drop();
    },
  };
}

function kindOf(error: unknown): string {
  if (error instanceof KafkaRefusedError) return error.reason;
  if (error instanceof TopicMissingError) return 'TOPIC_MISSING';
  return troubleOf(error)?.kind ?? 'OTHER';
}

/** The work's outcome, or a rejection as soon as the signal aborts; the work itself is then left to end unobserved. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stopListening = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    const onAbort = (): void => reject(new Error('Gave up waiting.'));
    signal.addEventListener('abort', onAbort, { once: true });
    stopListening = () => signal.removeEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    stopListening();
    work.catch(() => {});
  }
}
