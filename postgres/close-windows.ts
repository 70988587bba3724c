// Step (b) of a close: the next panes become facts, every window that ends there becomes rows with revision 1, and
// written_through moves over them, all in one transaction. Done again after a crash it changes nothing.
import type pg from 'pg';

import { AGGREGATES, LONGEST_WINDOW_MS, lastWindowEndOfAny } from '../pipeline/aggregates.ts';
import { must } from '../pipeline/ensure.ts';
import { PANE_MS, paneStart } from '../pipeline/pane.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { windowsEndingIn } from '../pipeline/window.ts';
import type { Span } from '../pipeline/window.ts';
import { readClock, withClockHeld } from './closed-through.ts';
import type { WritePosition } from './closed-through.ts';
import { inSpans, instant, msOrNull, toMs } from './instant.ts';
import { markAppliedSql } from './late-events.ts';
import { paneOf, writeFactsSql } from './pane-facts.ts';
import { closeWindowsSql } from './result-sql.ts';
import { runTogether } from './run-together.ts';
import { quoteSchema } from './schema-name.ts';

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
  /** Told after every transaction what was written so far. */
  readonly onPane?: (closed: Closed) => void;
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
  let total: Closed = { writtenThroughMs: null, panes: 0, windows: 0, events: 0 };
  for (;;) {
    const step = await withClockHeld(pool, spec, async (client, position) => {
      const span = await nextSpan(client, spec, { position, throughMs: options.throughMs });
      return span === null ? null : await writeSpan(client, spec, span);
    });
    if (step === null) break;
    total = {
      writtenThroughMs: step.writtenThroughMs,
      panes: total.panes + step.panes,
      windows: total.windows + step.windows,
      events: total.events + step.events,
    };
    options.onPane?.(total);
  }
  return { ...total, writtenThroughMs: (await readClock(pool, spec)).writtenThroughMs };
}

/**
 * The panes that the next transaction writes; null when there is nothing left to do. Time without events and without open
 * windows is jumped over: the span then starts later than written_through, and is empty when no event follows at all.
 */
async function nextSpan(
  client: pg.PoolClient,
  spec: PipelineSpec,
  { position, throughMs }: { position: WritePosition; throughMs: number },
): Promise<Span | null> {
  const { writtenThroughMs, closedThroughMs } = position;
  if (closedThroughMs === null) return null;
  const limitMs = paneStart(Math.min(throughMs, closedThroughMs));
  if (writtenThroughMs !== null && limitMs <= writtenThroughMs) return null;
  const found = await probe(client, spec, { writtenThroughMs, limitMs });
  const windowsOpen =
    writtenThroughMs !== null && found.lastPaneMs !== null && lastWindowEndOfAny(found.lastPaneMs) > writtenThroughMs;
  const startMs = windowsOpen ? writtenThroughMs : (found.firstPaneMs ?? limitMs);
  const denseMs = found.densePaneMs === null ? limitMs : Math.max(found.densePaneMs, startMs + PANE_MS);
  // With no event left, only the open windows remain: after their ends nothing is worth a step of its own.
  const shortMs = found.firstPaneMs === null ? limitMs : startMs + MOST_PANES_A_TRANSACTION * PANE_MS;
  return { startMs, endMs: Math.min(limitMs, denseMs, shortMs) };
}

/**
 * Looks ahead from written_through: the pane of the next event, the pane where a transaction's share of events ends (null:
 * fewer are left), and the last pane before that was not empty.
 */
async function probe(
  client: pg.PoolClient,
  { schema }: PipelineSpec,
  { writtenThroughMs, limitMs }: { writtenThroughMs: number | null; limitMs: number },
): Promise<{ firstPaneMs: number | null; densePaneMs: number | null; lastPaneMs: number | null }> {
  const tables = quoteSchema(schema);
  const ahead = `select ${toMs(paneOf('occurred_at'))} from ${tables}.events
    where occurred_at >= ${instant(writtenThroughMs)} and occurred_at < ${instant(limitMs)} order by occurred_at`;
  const earliestMs = writtenThroughMs === null ? null : writtenThroughMs - LONGEST_WINDOW_MS;
  const { rows } = await client.query<{ first: number | null; dense: number | null; last: number | null }>(
    `select (${ahead} limit 1) as first, (${ahead} offset ${EVENTS_A_TRANSACTION} limit 1) as dense,
       (select ${toMs('max(pane)')} from ${tables}.pane_facts
        where pane >= ${instant(earliestMs)} and pane < ${instant(writtenThroughMs)}) as last`,
  );
  const row = must(rows[0], 'the answer of a look ahead');
  return { firstPaneMs: row.first, densePaneMs: row.dense, lastPaneMs: msOrNull(row.last) };
}

async function writeSpan(client: pg.PoolClient, { schema, topic }: PipelineSpec, span: Span): Promise<Closed> {
  const tables = quoteSchema(schema);
  const closes = AGGREGATES.map((aggregate) => ({ aggregate, windows: windowsEndingIn(aggregate.window, span) }))
    .filter(({ windows }) => windows.length > 0)
    .map(({ aggregate, windows }) => closeWindowsSql(aggregate, schema, windows));
  const results = await runTogether(client, [
    writeFactsSql(schema, span),
    `select count(distinct pane)::float8 as panes, coalesce(sum(events), 0)::float8 as events
     from ${tables}.pane_facts where ${inSpans('pane', [span])}`,
    markAppliedSql(schema, [span]),
    `update ${tables}.closed_through set written_through = ${instant(span.endMs)} where topic = ${client.escapeLiteral(topic)}`,
    ...closes,
  ]);
  const [, count, , , ...written] = results;
  const { panes, events } = must(count?.rows[0], 'the count of the panes just written') as { panes: number; events: number };
  const windows = written.reduce((sum, result) => sum + (result.rowCount ?? 0), 0);
  return { writtenThroughMs: span.endMs, panes, windows, events };
}
