// How long to wait before the next try of something that fails: the one rule that every part of Weir waits by.

/** `failures`: tries that failed in a row so far. `chance`: in [0, 1), from whatever source of chance the caller may use. */
type BackoffInput = {
  readonly failures: number;
  readonly firstMs: number;
  readonly longestMs: number;
  readonly chance: number;
};

/**
 * Milliseconds to wait after the last of `failures`: doubles from the first wait to the longest, less up to half of it by
 * chance, so that those who failed together do not come back together. Whole milliseconds, at least 1.
 */
export function backoffWaitMs({ failures, firstMs, longestMs, chance }: BackoffInput): number {
  const doubled = firstMs * 2 ** Math.min(20, Math.max(0, failures - 1));
  return Math.max(1, Math.round(Math.min(longestMs, doubled) * (1 - chance / 2)));
}
