// A pane: one minute of event time, the smallest unit that closes. Windows are made of whole panes.

export const PANE_MS = 60_000;

/** Start of the pane that holds `atMs`. Panes are aligned to the UTC epoch; an event on a boundary opens the next one. */
export function paneStart(atMs: number): number {
  // "+ 0" turns the -0 of instants just before 1970 into 0.
  return Math.floor(atMs / PANE_MS) * PANE_MS + 0;
}
