// Waits for something to become true, with a deadline and a name for the failure: no test sleeps for a fixed time.
import { setTimeout as wait } from 'node:timers/promises';

/**
 * Calls `look` until it returns something other than null, undefined or false, and returns that. What `look` throws counts
 * as "not yet". After `deadlineMs` it fails with `what` and the last thing seen.
 */
export async function eventually<T>(
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  { deadlineMs, what }: { deadlineMs: number; what: string },
): Promise<T> {
  const endMs = Date.now() + deadlineMs;
  let last: unknown;
  while (Date.now() < endMs) {
    try {
      const found = await look();
      if (found !== null && found !== undefined && found !== false) return found;
      last = found;
    } catch (error) {
      last = error;
    }
    await wait(50);
  }
  throw new Error(`Not within ${deadlineMs} ms: ${what} (last seen: ${String(last)}).`);
}
