// Heartbeats for work that spends its time inside single statements of PostgreSQL: alive while it gets on.
import { Context } from '@temporalio/activity';

const HEARTBEAT_EVERY_MS = 1_000;
/** One transaction may take this long; after that the heartbeats end, and Temporal gives the work to another. */
const STUCK_AFTER_MS = 600_000;

/** What the work calls after every transaction, with what it has done so far. Throws when the work was asked to stop. */
export type GetOn<T> = (done: T) => void;

/** Runs `work` with a heartbeat a second; `start` is what is known before its first transaction. */
export async function beating<T, R>(start: T, work: (getOn: GetOn<T>) => Promise<R>): Promise<R> {
  const context = Context.current();
  let done = start;
  let gotOnMs = Date.now();
  const heartbeats = setInterval(() => {
    if (Date.now() - gotOnMs < STUCK_AFTER_MS) context.heartbeat(done);
  }, HEARTBEAT_EVERY_MS);
  try {
    return await work((next) => {
      done = next;
      gotOnMs = Date.now();
      context.heartbeat(done);
      context.cancellationSignal.throwIfAborted();
    });
  } finally {
    clearInterval(heartbeats);
  }
}
