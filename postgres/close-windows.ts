// Step (b) of a close: the next panes become facts, every window that ends there becomes rows with revision 1, and
// written_through moves over them, all in one transaction. Done again after a crash it changes nothing.
import type pg from 'pg';

import { AGGREGATES } from '../pipeline/aggregates.ts';
import { must } from '../pipeline/ensure.ts';
import { PANE_MS, paneStart } from '../pipeline/pane.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { FUNNEL, SESSIONS, lastEndOfPane, openBackMs, sessionRulesOf } from '../pipeline/session.ts';
import { windowsEndingIn } from '../pipeline/window.ts';
import type { Span } from '../pipeline/window.ts';
import { readClock, withClockHeld } from './closed-through.ts';
import type { WritePosition } from './closed-through.ts';
import { advanceSessionsSql } from './advance-sessions.ts';
import { closeSessions } from './close-sessions.ts';
import { FACT_TABLES } from './fact-tables.ts';
import { writeFactsSql } from './facts.ts';
import { inSpans, instant, msOrNull, paneOf, toMs } from './instant.ts';
import { markAppliedSql } from './late-events.ts';
import { closeWindowsSql } from './result-sql.ts';
import { runTogether, sumOf } from './run-together.ts';
import { quoteSchema } from './schema-name.ts';
import { keepSessionRulesSql } from './session-rules.ts';

/**
 * `panes`, `windows` and `events` count what was written: panes and windows that hold events. `writtenThroughMs`: how far all
 * results are.
 */
export type Closed = {
  readonly writtenThroughMs: number | null;
  readonly panes: number;
  readonly windows: number;
  readonly events: number;
};

export type CloseOptions = {
  /** Close up to here (or up to closed_through, if that is earlier). */
  readonly throughMs: number;
  /** Told after every transaction what was written so far, and what the transaction itself wrote. */
  readonly onPane?: (closed: Closed, transaction: Written) => void;
};

/** What one transaction wrote, with its windows and the rows of its results by aggregate. */
type Written = Omit<Closed, 'writtenThroughMs'> & {
  readonly windowsByAggregate: Readonly<Record<string, number>>;
  readonly rowsByAggregate: Readonly<Record<string, number>>;
};

/**
 * One transaction takes the panes of about this many events, at least one pane: sparse minutes cost little each, and a
 * dense minute is a transaction of its own.
 */
const EVENTS_A_TRANSACTION = 10_000;
const MOST_PANES_A_TRANSACTION = 240;
/** Sessions close behind the last pane that waits; where many wait, behind this many transactions. */
const MOST_AHEAD_OF_SESSIONS = 8;

/**
 * Writes all panes and windows that end by `throughMs` and are closed (step (a), `moveClosedThrough`), and behind them
 * the sessions that have ended. Gives up quietly where another closer is at work: `writtenThroughMs` says how far the results
 * are. Throws what PostgreSQL throws.
 */
export async function closeNextPanes(pool: pg.Pool, spec: PipelineSpec, options: CloseOptions): Promise<Closed> {
  let total = { panes: 0, windows: 0, events: 0 };
  let ahead = 0;
  for (;;) {
    const clock = await readClock(pool, spec);
    const { panesThroughMs, writtenThroughMs } = clock;
    const areLeft = limitOf(clock, options.throughMs) !== null;
    const areSessionsDue = panesThroughMs !== writtenThroughMs && (!areLeft || ahead >= MOST_AHEAD_OF_SESSIONS);
    const step =
      areLeft || areSessionsDue
        ? await withClockHeld(pool, spec, async (client, position) =>
            areSessionsDue
              ? await writeSessions(client, spec, position)
              : await writePanes(client, spec, { ...position, ...options }),
          )
        : null;
    if (step === null) return { writtenThroughMs, ...total };
    ahead = areSessionsDue ? 0 : ahead + 1;
    total = {
      panes: total.panes + step.panes,
      windows: total.windows + step.windows,
      events: total.events + step.events,
    };
    options.onPane?.({ writtenThroughMs, ...total }, step);
  }
}

/** The boundary up to which panes may be written now; null when they are. */
function limitOf({ panesThroughMs, closedThroughMs }: WritePosition, throughMs: number): number | null {
  if (closedThroughMs === null) return null;
  const limitMs = paneStart(Math.min(throughMs, closedThroughMs));
  return panesThroughMs !== null && limitMs <= panesThroughMs ? null : limitMs;
}

type Turn = WritePosition & { readonly throughMs: number };

async function writePanes(client: pg.PoolClient, spec: PipelineSpec, turn: Turn): Promise<Written | null> {
  const limitMs = limitOf(turn, turn.throughMs);
  if (limitMs === null) return null;
  const { panesThroughMs } = turn;
  return await writeSpan(client, spec, await nextSpan(client, spec, { panesThroughMs, limitMs }));
}

async function writeSessions(client: pg.PoolClient, spec: PipelineSpec, position: WritePosition): Promise<Written> {
  const answers = await closeSessions(client, spec, position);
  const [sessions, windows] = [sumOf(answers, 'sessions'), sumOf(answers, 'windows')];
  return {
    panes: 0,
    windows,
    events: 0,
    windowsByAggregate: { [FUNNEL]: windows, [SESSIONS]: sessions },
    rowsByAggregate: { [FUNNEL]: sumOf(answers, 'new_rows'), [SESSIONS]: sessions },
  };
}

/**
 * The panes that the next transaction writes. Time without events and without open windows is jumped over: the span then
 * starts later than written_through, and is empty when no event follows at all.
 */
async function nextSpan(
  client: pg.PoolClient,
  spec: PipelineSpec,
  { panesThroughMs, limitMs }: { panesThroughMs: number | null; limitMs: number },
): Promise<Span> {
  const found = await probe(client, spec, { panesThroughMs, limitMs });
  const openUntilMs = found.lastPaneMs === null ? -Infinity : lastEndOfPane(found.lastPaneMs, sessionRulesOf(spec));
  const windowsOpen = panesThroughMs !== null && openUntilMs > panesThroughMs;
  const startMs = windowsOpen ? panesThroughMs : (found.firstPaneMs ?? limitMs);
  const denseMs = found.densePaneMs === null ? limitMs : Math.max(found.densePaneMs, startMs + PANE_MS);
  // Stop where the open windows end, when the next event lies beyond: the next span starts at that event.
  const onlyOpenWindows = windowsOpen && (found.firstPaneMs ?? Infinity) >= openUntilMs;
  const shortMs = onlyOpenWindows ? openUntilMs : startMs + MOST_PANES_A_TRANSACTION * PANE_MS;
  return { startMs, endMs: Math.min(limitMs, denseMs, shortMs) };
}

/**
 * Looks ahead from written_through: the pane of the next event, the pane where a transaction's share of events ends (null:
 * fewer are left), and the last pane before that was not empty.
 */
async function probe(
  client: pg.PoolClient,
  spec: PipelineSpec,
  { panesThroughMs, limitMs }: { panesThroughMs: number | null; limitMs: number },
): Promise<{ firstPaneMs: number | null; densePaneMs: number | null; lastPaneMs: number | null }> {
  const tables = quoteSchema(spec.schema);
  const ahead = `select ${toMs(paneOf('occurred_at'))} from ${tables}.events
    where occurred_at >= ${instant(panesThroughMs)} and occurred_at < ${instant(limitMs)} order by occurred_at`;
  const earliestMs = panesThroughMs === null ? null : panesThroughMs - openBackMs(sessionRulesOf(spec));
  const { rows } = await client.query<{ first: number | null; dense: number | null; last: number | null }>(
    `select (${ahead} limit 1) as first, (${ahead} offset ${EVENTS_A_TRANSACTION} limit 1) as dense,
       (select ${toMs('max(pane)')} from ${tables}.pane_facts
        where pane >= ${instant(earliestMs)} and pane < ${instant(panesThroughMs)}) as last`,
  );
  const row = must(rows[0], 'the answer of a look ahead');
  return { firstPaneMs: row.first, densePaneMs: row.dense, lastPaneMs: msOrNull(row.last) };
}

async function writeSpan(client: pg.PoolClient, spec: PipelineSpec, span: Span): Promise<Written> {
  const { schema, topic } = spec;
  const tables = quoteSchema(schema);
  const closes = AGGREGATES.map((aggregate) => ({
    aggregate,
    windows: windowsEndingIn(aggregate.window, span),
  })).filter(({ windows }) => windows.length > 0);
  await runTogether(
    client,
    FACT_TABLES.map((table) => writeFactsSql(table, schema, span)),
  );
  const answers = await runTogether(client, [
    `select count(distinct pane)::float8 as panes, coalesce(sum(events), 0)::float8 as events
     from ${tables}.pane_facts where ${inSpans('pane', [span])}`,
    ...closes.map(({ aggregate, windows }) => closeWindowsSql(aggregate, schema, windows)),
    ...advanceSessionsSql(schema, span, sessionRulesOf(spec)),
    keepSessionRulesSql(spec, sessionRulesOf(spec)),
    markAppliedSql(schema, [span]),
    `update ${tables}.closed_through set written_through = ${instant(span.endMs)} where topic = ${client.escapeLiteral(topic)}`,
  ]);
  const ofAggregates = (what: 'closed_windows' | 'written_rows') =>
    Object.fromEntries(
      closes.map(({ aggregate }, index) => [aggregate.name, answers[index + 1]?.rows[0]?.[what] ?? 0]),
    );
  const windowsByAggregate = ofAggregates('closed_windows');
  // Of users who are in another one already.
  const sessions = { [SESSIONS]: sumOf(answers, 'sessions') };
  return {
    panes: sumOf(answers, 'panes'),
    windows: Object.values(windowsByAggregate).reduce((sum, closed) => sum + closed, 0),
    events: sumOf(answers, 'events'),
    windowsByAggregate: { ...windowsByAggregate, ...sessions },
    rowsByAggregate: { ...ofAggregates('written_rows'), ...sessions },
  };
}
