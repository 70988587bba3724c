// Consecutive failures of a lease: the sentence that people read, and how long to wait before the next try.
import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure, TimeoutFailure } from '@temporalio/workflow';

import { backoffWaitMs } from '../pipeline/backoff.ts';
import { messageOf } from '../pipeline/ensure.ts';
import type { Failures } from './commands.ts';
import type { RunOptions } from './run-options.ts';

export const NO_FAILURES: Failures = { count: 0, sinceMs: null, message: null };

/**
 * Longer than the silence after which a lost worker is noticed, so that a lease that ends its worker at once still counts.
 * It need not be longer: what takes this long to fail cannot be tried often.
 */
const SETTLED_AFTER_MS = 20_000;

/** The series with one more failure. A lease that had lasted 20 s, or had said that it commits, begins a new series. */
export function addFailure(series: Failures, failure: unknown, { lastedMs }: { lastedMs: number }): Failures {
  const before = lastedMs >= SETTLED_AFTER_MS || hadCommitted(failure) ? NO_FAILURES : series;
  return { count: before.count + 1, sinceMs: before.sinceMs ?? Date.now(), message: failureSentence(failure) };
}

/**
 * Whether a lease had committed something before it failed: it says so itself, or its last heartbeat does when its worker was
 * lost. What went wrong is then something new, and waiting as long as for the old would help nobody.
 */
function hadCommitted(failure: unknown): boolean {
  const cause = failure instanceof ActivityFailure ? failure.cause : failure;
  const details: unknown = cause instanceof ApplicationFailure ? cause.details?.[0] : lastHeartbeat(cause);
  if (typeof details !== 'object' || details === null || !('counts' in details)) return false;
  const { counts } = details;
  if (typeof counts !== 'object' || counts === null) return false;
  return Object.values(counts).some((count: unknown) => typeof count === 'number' && count > 0);
}

function lastHeartbeat(cause: unknown): unknown {
  return cause instanceof TimeoutFailure ? cause.lastHeartbeatDetails : null;
}

/**
 * Wait before the next try, by the rule of pipeline/backoff.ts. Inside a workflow Math.random is seeded by its run, so that a
 * replay waits equally long; and no two partitions have the same seed.
 */
export function backoffMs(
  { count }: Failures,
  { backoffFirstMs, backoffLongestMs }: Pick<RunOptions, 'backoffFirstMs' | 'backoffLongestMs'>,
  chance = Math.random(),
): number {
  return backoffWaitMs({ failures: count, firstMs: backoffFirstMs, longestMs: backoffLongestMs, chance });
}

/** One sentence for people: what an activity or child failed with, without the wrappers around it. */
export function failureSentence(failure: unknown): string {
  if (failure instanceof ActivityFailure || failure instanceof ChildWorkflowFailure) {
    return failureSentence(failure.cause ?? failure.message);
  }
  if (failure instanceof TimeoutFailure) return timeoutSentence(failure);
  return messageOf(failure);
}

function timeoutSentence({ timeoutType }: TimeoutFailure): string {
  if (timeoutType === 'HEARTBEAT') {
    return 'The worker that held the lease has gone silent; another takes over from the checkpoint. See that a worker runs (weir worker).';
  }
  return `It took longer than it may (${String(timeoutType)}); see whether Kafka and PostgreSQL answer (weir doctor).`;
}

/** The type of the application failure inside (an error's name or what activities/failures.ts gave it), else null. */
export function failureType(failure: unknown): string | null {
  if (failure instanceof ActivityFailure || failure instanceof ChildWorkflowFailure) return failureType(failure.cause);
  return failure instanceof ApplicationFailure ? (failure.type ?? null) : null;
}
