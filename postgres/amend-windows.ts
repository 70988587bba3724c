// Amending: late events that came after their pane was written are taken into its facts and into every written window over
// it, so that the results always converge to a recount of all events.
import type pg from 'pg';

import { AGGREGATES } from '../pipeline/aggregates.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { windowsOf } from '../pipeline/window.ts';
import type { Span, WindowKind } from '../pipeline/window.ts';
import { amendRowsSql } from './amended-rows.ts';
import { withClockHeld } from './closed-through.ts';
import { lateEventsWaiting, markAppliedSql, waitingPanes } from './late-events.ts';
import { rewriteFactsSql } from './pane-facts.ts';
import { runTogether, sumOf } from './run-together.ts';

/** `panes` were dirty; `windows` got a new revision; `rows` of result tables were written, added or removed. */
export type Amended = { readonly panes: number; readonly windows: number; readonly rows: number };

export type AmendOptions = {
  /** Most panes recomputed in one transaction; 50 when absent. */
  readonly panesPerTransaction?: number;
  /** Late events whose panes make up one transaction; 500 when absent. */
  readonly eventsPerTransaction?: number;
  /** Told after every transaction what was amended so far. */
  readonly onPanes?: (amended: Amended) => void;
};

/** What a transaction costs is told by its late events, not by its panes: this many take about half a second. */
const EVENTS_A_TRANSACTION = 500;
const PANES_A_TRANSACTION = 50;

/**
 * Amends the windows that waiting late events touch, and marks those events as applied in the same transaction, so that
 * doing it again changes nothing. Goes over the dirty panes once, from the earliest on: events that come late behind it are
 * the next call's. Gives up quietly where a closer is at work. Throws what PostgreSQL throws, and what `onPanes` throws
 * between two transactions.
 */
export async function amendWindows(pool: pg.Pool, spec: PipelineSpec, options: AmendOptions = {}): Promise<Amended> {
  const share = {
    panes: options.panesPerTransaction ?? PANES_A_TRANSACTION,
    events: options.eventsPerTransaction ?? EVENTS_A_TRANSACTION,
  };
  let fromMs: number | null = null;
  let total: Amended = { panes: 0, windows: 0, rows: 0 };
  // Asked before the clock is held: mostly there is nothing to amend.
  if ((await lateEventsWaiting(pool, spec)) === 0) return total;
  for (;;) {
    const step = await withClockHeld(pool, spec, async (client, { writtenThroughMs }) => {
      const panes = await waitingPanes(client, spec.schema, { ...share, fromMs, writtenThroughMs });
      const last = panes.at(-1);
      if (last === undefined || writtenThroughMs === null) return null;
      return { ...(await amendPanes(client, spec, { panes, writtenThroughMs })), throughMs: last.endMs };
    });
    if (step === null) return total;
    total = {
      panes: total.panes + step.panes,
      windows: total.windows + step.windows,
      rows: total.rows + step.rows,
    };
    fromMs = step.throughMs;
    options.onPanes?.(total);
  }
}

async function amendPanes(
  client: pg.PoolClient,
  { schema }: PipelineSpec,
  { panes, writtenThroughMs }: { panes: readonly Span[]; writtenThroughMs: number },
): Promise<Amended> {
  const statements: string[] = [];
  for (const aggregate of AGGREGATES) {
    const windows = writtenWindowsOver(aggregate.window, panes, writtenThroughMs);
    const last = windows.at(-1);
    if (last) statements.push(amendRowsSql(aggregate, schema, { panes, windows, lastStartMs: last.startMs }));
  }
  const answers = await runTogether(client, [
    rewriteFactsSql(schema, panes),
    ...statements,
    markAppliedSql(schema, panes),
  ]);
  return { panes: panes.length, windows: sumOf(answers, 'windows'), rows: sumOf(answers, 'rows') };
}

/** The windows that hold one of the panes and end by `writtenThroughMs`, each once. Later ones are not written yet. */
function writtenWindowsOver(window: WindowKind, panes: readonly Span[], writtenThroughMs: number): Span[] {
  const byStart = new Map<number, Span>();
  for (const pane of panes) {
    for (const span of windowsOf(window, pane.startMs)) {
      if (span.endMs <= writtenThroughMs) byStart.set(span.startMs, span);
    }
  }
  return [...byStart.values()].toSorted((one, other) => one.startMs - other.startMs);
}
