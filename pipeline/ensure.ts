// What must be true: narrows a value or stops with a sentence that says what broke.

/** Returns `value`, or throws when it is null or undefined: the reader's `!` with a reason. */
export function must<T>(value: T | null | undefined, why: string): T {
  if (value === null || value === undefined) throw new Error(`Missing value: ${why}`);
  return value;
}

/** Throws with `whatBroke` unless `condition` holds. */
export function assert(condition: boolean, whatBroke: string): asserts condition {
  if (!condition) throw new Error(whatBroke);
}

/** The `message` of anything thrown, for sentences that quote a cause. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
