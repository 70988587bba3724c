// The common life of the activities that watch rather than consume: look, report, wait, until the lease is over.
import { Context, sleep } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';

export type LeaseEnd = 'lease-over' | 'drained';

const HEARTBEAT_EVERY_MS = 1_000;
/** One look may wait this long for a server before its lease stops heartbeating: what it waits for ends by itself sooner, and says why. */
const STUCK_AFTER_MS = 45_000;

/**
 * Repeats `look` every `everyMs` until it returns something (that is returned), the lease is over, or the activity is asked
 * to stop. A function is asked for the wait after each look: none while there is more to do. Heartbeats, with `details()`
 * for people, go on beside it. A paused activity throws: returning would complete it.
 */
export async function keepLooking<T>(
  { leaseMs, everyMs }: { leaseMs: number; everyMs: number | (() => number) },
  look: () => Promise<T | null>,
  details: () => unknown,
): Promise<T | LeaseEnd> {
  const context = Context.current();
  const endMs = Date.now() + leaseMs;
  let turnMs = performance.now();
  const heartbeats = setInterval(() => {
    if (performance.now() - turnMs < STUCK_AFTER_MS) context.heartbeat(details());
  }, HEARTBEAT_EVERY_MS);
  try {
    for (;;) {
      if (context.cancellationSignal.aborted) return drained(context);
      const found = await look();
      if (found !== null) return found;
      turnMs = performance.now();
      context.heartbeat(details());
      const waitMs = typeof everyMs === 'number' ? everyMs : everyMs();
      if (Date.now() + waitMs > endMs) return 'lease-over';
      await sleep(waitMs);
    }
  } catch (stopped) {
    if (!(stopped instanceof CancelledFailure)) throw stopped;
    return drained(context);
  } finally {
    clearInterval(heartbeats);
  }
}

function drained(context: Context): 'drained' {
  if (context.cancellationDetails?.paused) throw context.cancellationSignal.reason;
  return 'drained';
}
