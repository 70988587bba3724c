// Work in transactions that may be asked to stop at any time: what it had done by then is its result.
import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';

import { beating } from './beating.ts';
import type { GetOn } from './beating.ts';
import { toFailure } from './failures.ts';

/**
 * Runs `work` with heartbeats; it tells after every transaction what it has done. Asked to stop, `work` ends between two
 * transactions, and this answers with what was told last and `stopped`. A paused activity throws: returning would complete it.
 */
export async function untilStopped<T>(
  start: T,
  work: (getOn: GetOn<T>) => Promise<T>,
): Promise<{ readonly told: T; readonly stopped: boolean }> {
  const context = Context.current();
  let told = start;
  try {
    told = await beating(start, async (getOn) => {
      return await work((next) => {
        told = next;
        getOn(next);
      });
    });
    return { told, stopped: false };
  } catch (error) {
    if (!(error instanceof CancelledFailure)) throw toFailure(error);
    if (context.cancellationDetails?.paused) throw error;
    return { told, stopped: true };
  }
}
