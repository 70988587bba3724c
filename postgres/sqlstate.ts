// What a failed statement means for the one who sent it, told by its SQLSTATE.

export const FENCED = 'WR001';
export const CLOSED_MEANWHILE = 'WR002';
/** Somebody held a lock for longer than lock_timeout. */
export const LOCK_NOT_AVAILABLE = '55P03';
const UNIQUE_VIOLATION = '23505';
/** Program limits that one row's content can exceed, such as nesting too deep for the stack. */
const LIMITS_OF_A_ROW = new Set(['54000', '54001']);

/** The SQLSTATE of a PostgreSQL error, or null for anything else (such as a lost connection). */
export function sqlState(error: unknown): string | null {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : null;
}

/** A row was there already: the batch holds a duplicate that only the primary key knows. */
export function isDuplicate(error: unknown): boolean {
  return sqlState(error) === UNIQUE_VIOLATION;
}

/** A value of some row is not one that its column takes. */
export function isDataError(error: unknown): boolean {
  const state = sqlState(error);
  return state !== null && (state.startsWith('22') || LIMITS_OF_A_ROW.has(state));
}

/** Serialization failure or deadlock: the same work may succeed when it is done again. */
export function isConflict(error: unknown): boolean {
  const state = sqlState(error);
  return state === '40001' || state === '40P01';
}
