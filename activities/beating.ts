// Heartbeats for work that spends its time inside single statements of PostgreSQL: alive while it gets on.
import { Context } from '@temporalio/activity';

const HEARTBEAT_EVERY_MS = 1_000;
/** One transaction may take this long; after that the heartbeats end, and Temporal gives the work to another. */
const STUCK_AFTER_MS = 600_000;
/** Time that the transaction in hand gets after the work was asked to stop; cut off, PostgreSQL rolls it back. */
const STOP_WITHIN_MS = 5_000;

/** What the work calls after every transaction, with what it has done so far. Throws when the work was asked to stop. */
export type GetOn<T> = (done: T) => void;

/**
 * Runs `work` with a heartbeat a second; `start` is what is known before its first transaction. Asked to stop, it ends
 * between two transactions, or leaves alone one that takes longer than five seconds.
 */
export async function beating<T, R>(start: T, work: (getOn: GetOn<T>) => Promise<R>): Promise<R> {
  const context = Context.current();
  let done = start;
  let gotOnMs = Date.now();
  const heartbeats = setInterval(() => {
    if (Date.now() - gotOnMs < STUCK_AFTER_MS) context.heartbeat(done);
  }, HEARTBEAT_EVERY_MS);
  const patience = limitPatience(context.cancellationSignal);
  try {
    const working = work((next) => {
      done = next;
      gotOnMs = Date.now();
      context.heartbeat(done);
      context.cancellationSignal.throwIfAborted();
    });
    return await Promise.race([working, patience.over]);
  } finally {
    clearInterval(heartbeats);
    patience.forget();
  }
}

/** `over` rejects with the signal's reason some seconds after it aborts. */
function limitPatience(signal: AbortSignal): { over: Promise<never>; forget: () => void } {
  let timer: NodeJS.Timeout | undefined;
  let onAbort = (): void => {};
  const over = new Promise<never>((_resolve, reject) => {
    onAbort = () => {
      timer = setTimeout(() => reject(signal.reason), STOP_WITHIN_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
  return {
    over,
    forget: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    },
  };
}
