// Trying a short request again through passing trouble, for a bounded time: for callers who would rather fail than wait.
import { Backoff } from './backoff.ts';
import type { BrokerLink } from './broker-link.ts';
import { KafkaUnreachableError } from './failures.ts';
import { troubleOf } from './trouble.ts';

const PATIENCE_MS = 10_000;
/** Below the silence after which Temporal gives a lease up, so that it is Kafka that is named and not the worker. */
const SILENCE_MS = 8_000;
const LOOK_EVERY_MS = 200;

/**
 * Runs `attempt` until it succeeds, until its error is final, or until 10 s have passed. No broker at all, or one that does
 * not answer for 8 s, is reported at once (KafkaUnreachableError); a broken connection is renewed first.
 */
export async function persevere<Result>(link: BrokerLink, attempt: () => Promise<Result>): Promise<Result> {
  const backoff = new Backoff();
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    let hasWaited = false;
    const startedMs = performance.now();
    // Again and again: whoever looks for any broker goes on to the next address when one is cut.
    const silence = setInterval(() => {
      hasWaited = performance.now() - startedMs > SILENCE_MS;
      if (hasWaited) link.cut(`no answer in ${SILENCE_MS / 1000} s`);
    }, LOOK_EVERY_MS);
    try {
      return await attempt();
    } catch (thrown) {
      const trouble = troubleOf(thrown);
      if (trouble === null || thrown instanceof KafkaUnreachableError) throw thrown;
      const isOver = performance.now() > deadlineMs;
      if (trouble.renew === 'connection') {
        link.cut(trouble.reason);
        if (isOver || hasWaited) throw new KafkaUnreachableError(link.addresses, thrown);
      }
      if (isOver) throw thrown;
      await backoff.wait(new AbortController().signal);
    } finally {
      clearInterval(silence);
    }
  }
}
