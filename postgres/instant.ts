// An instant of event time as SQL writes and returns it: epoch milliseconds here, timestamptz there.
import { assert } from '../pipeline/ensure.ts';
import { PANE_MS } from '../pipeline/pane.ts';
import { mergeSpans } from '../pipeline/window.ts';
import type { Span } from '../pipeline/window.ts';

/**
 * SQL literal of epoch milliseconds; null is the beginning of time. A literal, not a parameter, because the planner then
 * leaves out the days of `events` that cannot matter. Only numbers reach the text, so nothing can be injected.
 */
export function instant(atMs: number | null): string {
  if (atMs === null) return "timestamptz '-infinity'";
  const date = new Date(atMs);
  assert(!Number.isNaN(date.getTime()), `${atMs} ms is not an instant that a calendar has.`);
  // PostgreSQL counts years without a sign and without a year 0: 0000 is 1 BC.
  const year = date.getUTCFullYear();
  const yearText = String(year > 0 ? year : 1 - year).padStart(4, '0');
  return `timestamptz '${yearText}${date.toISOString().slice(-20)}${year > 0 ? '' : ' BC'}'`;
}

/** SQL interval of whole milliseconds. */
export function interval(lengthMs: number): string {
  return `interval '${lengthMs / 1000} seconds'`;
}

/** SQL expression: start of the pane that holds `at`. */
export function paneOf(at: string): string {
  return `date_bin(${interval(PANE_MS)}, ${at}, timestamptz 'epoch')`;
}

/** SQL expression: `timestamptz` as epoch milliseconds in a number, infinite for the beginning of time. */
export function toMs(expression: string): string {
  return `(extract(epoch from ${expression}) * 1000)::float8`;
}

/** A number read through `toMs`: null where PostgreSQL holds null or the beginning of time. */
export function msOrNull(value: number | null | undefined): number | null {
  return value === null || value === undefined || value === -Infinity ? null : value;
}

/** SQL condition: `column` lies in one of the spans. */
export function inSpans(column: string, spans: readonly Span[]): string {
  const parts = mergeSpans(spans).map(
    ({ startMs, endMs }) => `(${column} >= ${instant(startMs)} and ${column} < ${instant(endMs)})`,
  );
  return parts.length === 0 ? 'false' : `(${parts.join(' or ')})`;
}

/**
 * SQL condition: the tuple `columns` is among the rows of `query`. "is true" keeps the planner from making it a join: the
 * rows go into a hash once, whatever it believes about their number. As a join over tables that changed since they were
 * last analyzed, the same condition became a nested loop that took minutes instead of a second.
 */
export function isAmong(columns: readonly string[], query: string): string {
  return `((${columns.join(', ')}) in (${query})) is true`;
}
