// What a failed statement means for the one who sent it, told by its SQLSTATE.
import { DatabaseError } from 'pg';

export const FENCED = 'WR001';
export const CLOSED_MEANWHILE = 'WR002';
/** A schema that was restored from a snapshot refuses to go on (postgres/restored-schema.ts). */
export const RESTORED = 'WR003';
/** Somebody held a lock for longer than lock_timeout. */
export const LOCK_NOT_AVAILABLE = '55P03';
/** The schema has no such table: it is of an older version, or none of a pipeline. */
export const UNDEFINED_TABLE = '42P01';
export const INSUFFICIENT_PRIVILEGE = '42501';
const UNIQUE_VIOLATION = '23505';
/** Class 22: a value that its column does not take. */
const DATA_EXCEPTION = '22';
/**
 * Of class 22, and yet about what this program wrote around the values: a setting, the binary form of a value, the frame of
 * a copy. It would refuse every row, and no message is to blame.
 */
const NOT_OF_A_ROW = new Set(['22023', '22P03', '22P04']);
/** Program limits that one row's content can exceed, such as nesting too deep for the stack. */
const LIMITS_OF_A_ROW = new Set(['54000', '54001']);

/** The SQLSTATE of an error that PostgreSQL sent, or null for anything else (such as a lost connection: EPIPE is none). */
export function sqlState(error: unknown): string | null {
  return error instanceof DatabaseError ? (error.code ?? null) : null;
}

/** A row was there already: the batch holds a duplicate that only the primary key knows. */
export function isDuplicate(error: unknown): boolean {
  return sqlState(error) === UNIQUE_VIOLATION;
}

/** A value of some row is not one that its column takes. */
export function isDataError(error: unknown): boolean {
  const state = sqlState(error);
  if (state === null || NOT_OF_A_ROW.has(state)) return false;
  return state.startsWith(DATA_EXCEPTION) || LIMITS_OF_A_ROW.has(state);
}

/** Serialization failure or deadlock: the same work may succeed when it is done again. */
export function isConflict(error: unknown): boolean {
  const state = sqlState(error);
  return state === '40001' || state === '40P01';
}
