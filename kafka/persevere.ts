// Trying a short request again through passing trouble, for a bounded time: for callers who would rather fail than wait.
import { Backoff } from './backoff.ts';
import type { BrokerLink } from './broker-link.ts';
import { KafkaUnreachableError } from './failures.ts';
import { troubleOf } from './trouble.ts';

const PATIENCE_MS = 10_000;

/**
 * Runs `attempt` until it succeeds, until its error is final, or until 10 s have passed. No broker at all is reported at
 * once (KafkaUnreachableError); a broken connection is renewed first.
 */
export async function persevere<Result>(link: BrokerLink, attempt: () => Promise<Result>): Promise<Result> {
  const backoff = new Backoff();
  const deadlineMs = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (thrown) {
      const trouble = troubleOf(thrown);
      if (trouble?.renew === 'connection') link.cut(trouble.reason);
      if (trouble === null || thrown instanceof KafkaUnreachableError || Date.now() > deadlineMs) throw thrown;
      await backoff.wait(new AbortController().signal);
    }
  }
}
