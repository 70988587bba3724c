// What rebuilding a range of event time works on and what it changed: panes, windows and rows of the result tables.
import { LONGEST_WINDOW_MS, lastWindowEndOfAny } from './aggregates.ts';
import { PANE_MS, paneStart } from './pane.ts';
import type { Span } from './window.ts';

/** `panes`: facts written anew. `windows`: got a next revision. `listings`: rows of `windows` put right without one. */
export type RebuildCounts = {
  readonly panes: number;
  readonly windows: number;
  readonly listings: number;
  readonly changedRows: number;
  readonly newRows: number;
  readonly vanishedRows: number;
};

export const NOTHING_REBUILT: RebuildCounts = {
  panes: 0,
  windows: 0,
  listings: 0,
  changedRows: 0,
  newRows: 0,
  vanishedRows: 0,
};

export function addRebuilt(one: RebuildCounts, other: RebuildCounts): RebuildCounts {
  return {
    panes: one.panes + other.panes,
    windows: one.windows + other.windows,
    listings: one.listings + other.listings,
    changedRows: one.changedRows + other.changedRows,
    newRows: one.newRows + other.newRows,
    vanishedRows: one.vanishedRows + other.vanishedRows,
  };
}

/** Whether everything was right already. */
export function isNothing(counts: RebuildCounts): boolean {
  return Object.values(counts).every((count) => count === 0);
}

/** Rows of result tables that differed, of whatever kind. */
export function revisedRows({ changedRows, newRows, vanishedRows }: RebuildCounts): number {
  return changedRows + newRows + vanishedRows;
}

/** The panes that hold a part of a range. */
export function wholePanes({ startMs, endMs }: Span): Span {
  return { startMs: paneStart(startMs), endMs: paneStart(endMs + PANE_MS - 1) };
}

/**
 * The whole panes of a range, as far as results are written; null when none of it is. Epoch ms of event time.
 */
export function writtenRange(given: Span, writtenThroughMs: number | null): Span | null {
  if (writtenThroughMs === null) return null;
  const { startMs, endMs } = wholePanes(given);
  const range = { startMs, endMs: Math.min(endMs, writtenThroughMs) };
  return range.startMs < range.endMs ? range : null;
}

/**
 * The panes that a rebuild of `range` goes over: from the start of the first window over it, because a window is only as
 * right as all its panes, to the end of the last one that is written.
 */
export function panesToGoOver(range: Span, writtenThroughMs: number): Span {
  return {
    startMs: startOfFirstWindow(range),
    endMs: Math.min(lastWindowEndOfAny(range.endMs - 1), writtenThroughMs),
  };
}

/**
 * The Kafka timestamp from which on a topic must be read again so that every event of every window over `range` is: an event
 * may lie up to `maxFutureMs` after its message's timestamp, and it does not matter how long before it.
 */
export function rereadFromMs(range: Span, { maxFutureMs }: { readonly maxFutureMs: number }): number {
  return startOfFirstWindow(wholePanes(range)) - maxFutureMs;
}

function startOfFirstWindow({ startMs }: Span): number {
  return startMs - LONGEST_WINDOW_MS + PANE_MS;
}
