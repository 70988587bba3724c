// A reprocess as programs read it.
import type { ReprocessState } from '../workflows/reprocess-state.ts';

/** What it was asked for, how far it is, and what came of it. */
export const outcomeJson = (id: string, { phase, topic, range, counts, ...of }: ReprocessState) => ({
  id,
  outcome: phase,
  topic,
  from: new Date(range.startMs).toISOString(),
  to: new Date(range.endMs).toISOString(),
  panes: of.panesInAll,
  panesRewritten: counts.panes,
  windowsRevised: counts.windows,
  windowsListedAnew: counts.listings,
  rowsChanged: counts.changedRows,
  rowsNew: counts.newRows,
  rowsVanished: counts.vanishedRows,
  lateEventsTakenIn: of.lateTakenIn,
  eventsPutBack: of.putBack?.events ?? null,
  deadLettersPutBack: of.putBack?.letters ?? null,
  message: of.message,
});
