// Amending: late events that came after their pane was written are taken into its facts and into every written window over
// it, so that the results always converge to a recount of all events.
import { setTimeout as wait } from 'node:timers/promises';

import type pg from 'pg';

import { AGGREGATES } from '../pipeline/aggregates.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { sessionRulesOf } from '../pipeline/session.ts';
import type { Span } from '../pipeline/window.ts';
import { amendRowsSql } from './amended-rows.ts';
import { amendSessionsSql, lateMinutesSql } from './amended-sessions.ts';
import { closeSessions } from './close-sessions.ts';
import { withClockHeld } from './closed-through.ts';
import { clearHorizonMarksSql, lateEventsWaiting, markAppliedSql, waitingPanes } from './late-events.ts';
import { FACT_TABLES } from './fact-tables.ts';
import { addLateFactsSql } from './facts.ts';
import type { Cause } from './revised-rows.ts';
import { runTogether, sumOf } from './run-together.ts';
import { settleFunnelsSql } from './settle-funnels.ts';

/** `panes` were dirty; `windows` got a new revision; `rows` of result tables were written or added; late `events` are in now. */
export type Amended = {
  readonly panes: number;
  readonly windows: number;
  readonly rows: number;
  readonly events: number;
};

export const NOTHING_AMENDED: Amended = { panes: 0, windows: 0, rows: 0, events: 0 };

export type AmendOptions = {
  /** Only late events of these panes (epoch ms of event time); all when absent. */
  readonly range?: Span;
  /** Takes in those beyond the amend horizon too, and clears their mark. */
  readonly includeBeyondHorizon?: boolean;
  /** What `amendments` gives as the cause; "late event" when absent. */
  readonly cause?: Cause;
  /** Waits for its turn where a closer is at work, instead of giving up; the topic must have a clock. */
  readonly patient?: boolean;
  /** Most panes amended in one transaction; 50 when absent. */
  readonly panesPerTransaction?: number;
  /** Late events whose panes make up one transaction; 500 when absent. */
  readonly eventsPerTransaction?: number;
  /** So many may make up one transaction where they share a window; 3,000 when absent. */
  readonly eventsTogether?: number;
  /** Told after every transaction, and while it waits for its turn, what was amended so far. */
  readonly onPanes?: (amended: Amended) => void;
};

/** What a transaction costs is told by its late events, not by what their panes hold: this many take about half a second. */
const EVENTS_A_TRANSACTION = 500;
const EVENTS_TOGETHER = 3_000;
const PANES_A_TRANSACTION = 50;
const BUSY_WAIT_MS = 200;

/**
 * Amends the windows that waiting late events touch, and marks those events as applied in the same transaction, so that
 * doing it again changes nothing. Goes over the dirty panes once, from the earliest on: events that come late behind it are
 * the next call's. Gives up quietly where a closer is at work. Throws what PostgreSQL throws, and what `onPanes` throws
 * between two transactions.
 */
export async function amendWindows(pool: pg.Pool, spec: PipelineSpec, options: AmendOptions = {}): Promise<Amended> {
  const { range, includeBeyondHorizon = false, cause = 'late event' } = options;
  const share = {
    panes: options.panesPerTransaction ?? PANES_A_TRANSACTION,
    events: options.eventsPerTransaction ?? EVENTS_A_TRANSACTION,
    together: options.eventsTogether ?? EVENTS_TOGETHER,
    includeBeyondHorizon,
  };
  let fromMs: number | null = range?.startMs ?? null;
  let total = NOTHING_AMENDED;
  // Asked before the clock is held: mostly there is nothing to amend.
  if (!includeBeyondHorizon && (await lateEventsWaiting(pool, spec)) === 0) return total;
  for (;;) {
    const step = await withClockHeld(pool, spec, async (client, position) => {
      const { panesThroughMs } = position;
      if (panesThroughMs === null) return 'nothing left';
      const toMs = Math.min(panesThroughMs, range?.endMs ?? Infinity);
      const panes = await waitingPanes(client, spec.schema, { ...share, fromMs, toMs });
      const last = panes.at(-1);
      if (last === undefined) return 'nothing left';
      if (includeBeyondHorizon) await client.query(clearHorizonMarksSql(spec.schema, panes));
      await closeSessions(client, spec, position);
      const dirty = { panes, writtenThroughMs: panesThroughMs, cause };
      return { ...(await amendPanes(client, spec, dirty)), throughMs: last.endMs };
    });
    if (step === 'nothing left' || (step === null && !options.patient)) return total;
    if (step === null) {
      options.onPanes?.(total);
      await wait(BUSY_WAIT_MS);
      continue;
    }
    total = {
      panes: total.panes + step.panes,
      windows: total.windows + step.windows,
      rows: total.rows + step.rows,
      events: total.events + step.events,
    };
    fromMs = step.throughMs;
    options.onPanes?.(total);
  }
}

type DirtyPanes = { readonly panes: readonly Span[]; readonly writtenThroughMs: number; readonly cause: Cause };

async function amendPanes(
  client: pg.PoolClient,
  spec: PipelineSpec,
  { panes, writtenThroughMs, cause }: DirtyPanes,
): Promise<Amended> {
  const { schema } = spec;
  const answers = await runTogether(client, [
    // The late events are few and everything is looked up by its key: a table that grew since it was last analyzed must not
    // be read as a whole because the planner believes it small.
    'set local enable_seqscan = off',
    ...AGGREGATES.map((aggregate) => amendRowsSql(aggregate, schema, { panes, writtenThroughMs, cause })),
    ...FACT_TABLES.map((table) => addLateFactsSql(table, schema, panes)),
    amendSessionsSql(schema, {
      touched: lateMinutesSql(schema, panes),
      throughMs: writtenThroughMs,
      rules: sessionRulesOf(spec),
      cause,
    }),
    ...settleFunnelsSql(schema, writtenThroughMs, cause),
    markAppliedSql(schema, panes),
  ]);
  return {
    panes: panes.length,
    windows: sumOf(answers, 'windows'),
    rows: ['rows', 'changed_rows', 'new_rows', 'vanished_rows'].reduce((sum, name) => sum + sumOf(answers, name), 0),
    events: answers.at(-1)?.rowCount ?? 0,
  };
}
