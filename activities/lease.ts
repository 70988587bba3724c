// The common life of the activities that watch rather than consume: look, report, wait, until the lease is over.
import { Context, sleep } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';

export type LeaseEnd = 'lease-over' | 'drained';

/**
 * Repeats `look` every `everyMs` until it returns something (that is returned), the lease is over, or the activity is asked
 * to stop. Each look is a heartbeat, with `details()` for people. A paused activity throws: returning would complete it.
 */
export async function keepLooking<T>(
  { leaseMs, everyMs }: { leaseMs: number; everyMs: number },
  look: () => Promise<T | null>,
  details: () => unknown,
): Promise<T | LeaseEnd> {
  const context = Context.current();
  const endMs = Date.now() + leaseMs;
  for (;;) {
    if (context.cancellationSignal.aborted) return drained(context);
    const found = await look();
    if (found !== null) return found;
    context.heartbeat(details());
    if (Date.now() + everyMs > endMs) return 'lease-over';
    try {
      await sleep(everyMs);
    } catch (stopped) {
      if (!(stopped instanceof CancelledFailure)) throw stopped;
      return drained(context);
    }
  }
}

function drained(context: Context): 'drained' {
  if (context.cancellationDetails?.paused) throw context.cancellationSignal.reason;
  return 'drained';
}
