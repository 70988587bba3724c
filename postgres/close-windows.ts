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
import { closeSessionsSql } from './close-sessions.ts';
import { FACT_TABLES } from './fact-tables.ts';
import { writeFactsSql } from './facts.ts';
import { inSpans, instant, msOrNull, paneOf, toMs } from './instant.ts';
import { markAppliedSql } from './late-events.ts';
import { closeWindowsSql } from './result-sql.ts';
import { runTogether, sumOf } from './run-together.ts';
import { quoteSchema } from './schema-name.ts';
import { keepSessionRulesSql } from './session-rules.ts';
import { settleFunnelsSql } from './settle-funnels.ts';

/** `panes`, `windows` and `events` count what was written: panes and windows that hold events. */
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
  readonly onPane?: (closed: Closed, transaction: ClosedSpan) => void;
};

/** What one transaction wrote, with its windows and the rows of its results by aggregate. */
type ClosedSpan = Closed & {
  readonly windowsByAggregate: Readonly<Record<string, number>>;
  readonly rowsByAggregate: Readonly<Record<string, number>>;
};

/**
 * One transaction takes the panes of about this many events, at least one pane: sparse minutes cost little each, and a
 * dense minute is a transaction of its own.
 */
const EVENTS_A_TRANSACTION = 10_000;
const MOST_PANES_A_TRANSACTION = 240;

/**
 * Writes all panes and windows that end by `throughMs` and are closed (step (a), `moveClosedThrough`). Gives up quietly
 * where another closer is at work: `writtenThroughMs` says how far the results are. Throws what PostgreSQL throws.
 */
export async function closeNextPanes(pool: pg.Pool, spec: PipelineSpec, options: CloseOptions): Promise<Closed> {
  let panes = 0;
  let windows = 0;
  let events = 0;
  for (;;) {
    const clock = await readClock(pool, spec);
    const step =
      limitOf(clock, options.throughMs) === null
        ? null
        : await withClockHeld(pool, spec, async (client, position) => {
            const limitMs = limitOf(position, options.throughMs);
            if (limitMs === null) return null;
            return await writeSpan(client, spec, await nextSpan(client, spec, { ...position, limitMs }));
          });
    if (step === null) return { writtenThroughMs: clock.writtenThroughMs, panes, windows, events };
    panes += step.panes;
    windows += step.windows;
    events += step.events;
    options.onPane?.({ writtenThroughMs: step.writtenThroughMs, panes, windows, events }, step);
  }
}

/** The boundary up to which panes may be written now; null when they are. */
function limitOf({ writtenThroughMs, closedThroughMs }: WritePosition, throughMs: number): number | null {
  if (closedThroughMs === null) return null;
  const limitMs = paneStart(Math.min(throughMs, closedThroughMs));
  return writtenThroughMs !== null && limitMs <= writtenThroughMs ? null : limitMs;
}

/**
 * The panes that the next transaction writes. Time without events and without open windows is jumped over: the span then
 * starts later than written_through, and is empty when no event follows at all.
 */
async function nextSpan(
  client: pg.PoolClient,
  spec: PipelineSpec,
  { writtenThroughMs, limitMs }: { writtenThroughMs: number | null; limitMs: number },
): Promise<Span> {
  const found = await probe(client, spec, { writtenThroughMs, limitMs });
  const openUntilMs = found.lastPaneMs === null ? -Infinity : lastEndOfPane(found.lastPaneMs, sessionRulesOf(spec));
  const windowsOpen = writtenThroughMs !== null && openUntilMs > writtenThroughMs;
  const startMs = windowsOpen ? writtenThroughMs : (found.firstPaneMs ?? limitMs);
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
  { writtenThroughMs, limitMs }: { writtenThroughMs: number | null; limitMs: number },
): Promise<{ firstPaneMs: number | null; densePaneMs: number | null; lastPaneMs: number | null }> {
  const tables = quoteSchema(spec.schema);
  const ahead = `select ${toMs(paneOf('occurred_at'))} from ${tables}.events
    where occurred_at >= ${instant(writtenThroughMs)} and occurred_at < ${instant(limitMs)} order by occurred_at`;
  const earliestMs = writtenThroughMs === null ? null : writtenThroughMs - openBackMs(sessionRulesOf(spec));
  const { rows } = await client.query<{ first: number | null; dense: number | null; last: number | null }>(
    `select (${ahead} limit 1) as first, (${ahead} offset ${EVENTS_A_TRANSACTION} limit 1) as dense,
       (select ${toMs('max(pane)')} from ${tables}.pane_facts
        where pane >= ${instant(earliestMs)} and pane < ${instant(writtenThroughMs)}) as last`,
  );
  const row = must(rows[0], 'the answer of a look ahead');
  return { firstPaneMs: row.first, densePaneMs: row.dense, lastPaneMs: msOrNull(row.last) };
}

async function writeSpan(client: pg.PoolClient, spec: PipelineSpec, span: Span): Promise<ClosedSpan> {
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
    ...closeSessionsSql(schema, span, sessionRulesOf(spec)),
    ...settleFunnelsSql(schema, span.endMs, 'late event'),
    keepSessionRulesSql(spec, sessionRulesOf(spec)),
    markAppliedSql(schema, [span]),
    `update ${tables}.closed_through set written_through = ${instant(span.endMs)} where topic = ${client.escapeLiteral(topic)}`,
  ]);
  const ofAggregates = (what: 'closed_windows' | 'written_rows') =>
    Object.fromEntries(
      closes.map(({ aggregate }, index) => [aggregate.name, answers[index + 1]?.rows[0]?.[what] ?? 0]),
    );
  const sessions = sumOf(answers, 'sessions');
  const byAggregate = {
    ...ofAggregates('closed_windows'),
    [FUNNEL]: sumOf(answers, 'windows'),
    [SESSIONS]: sessions,
  };
  const funnelRows = sumOf(answers, 'new_rows');
  return {
    writtenThroughMs: span.endMs,
    panes: sumOf(answers, 'panes'),
    windows: Object.values(byAggregate).reduce((sum, closed) => sum + closed, 0) - byAggregate[SESSIONS],
    events: sumOf(answers, 'events'),
    windowsByAggregate: byAggregate,
    rowsByAggregate: { ...ofAggregates('written_rows'), [FUNNEL]: funnelRows, [SESSIONS]: sessions },
  };
}
