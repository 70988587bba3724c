// The table `windows`: which windows are closed, and what is still open, for people and for the end of a stream.
import { AGGREGATES } from '../pipeline/aggregates.ts';
import { must } from '../pipeline/ensure.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { PANE_MS } from '../pipeline/pane.ts';
import { lastEndOfAny, openBackMs, sessionClosesAt, sessionRulesOf } from '../pipeline/session.ts';
import type { SessionSettings } from '../pipeline/session.ts';
import { windowsOf } from '../pipeline/window.ts';
import { readClock } from './closed-through.ts';
import { instant, paneOf, toMs } from './instant.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

type Where = Pick<PipelineSpec, 'schema' | 'topic'>;

/** A closed window that holds events. `closedAtMs`: PostgreSQL's clock when its first result was written. */
export type ClosedWindow = {
  readonly aggregate: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly revision: number;
  readonly events: number;
  readonly closedAtMs: number;
};

type WindowRow = {
  aggregate: string;
  start_ms: number;
  end_ms: number;
  revision: number;
  events: number;
  closed_at_ms: number;
};

/** The latest closed windows, newest end first; of all aggregates unless one is named. */
export async function readWindows(
  db: Queryable,
  { schema }: Pick<PipelineSpec, 'schema'>,
  { aggregate = null, limit }: { aggregate?: string | null; limit: number },
): Promise<ClosedWindow[]> {
  const { rows } = await db.query<WindowRow>(
    `select aggregate, ${toMs('window_start')} as start_ms, ${toMs('window_end')} as end_ms, revision,
       events::float8 as events, ${toMs('closed_at')} as closed_at_ms
     from ${quoteSchema(schema)}.windows where aggregate = $1 or $1 is null
     order by window_end desc, aggregate limit $2`,
    [aggregate, limit],
  );
  return rows.map((row) => ({
    aggregate: row.aggregate,
    startMs: row.start_ms,
    endMs: row.end_ms,
    revision: row.revision,
    events: row.events,
    closedAtMs: row.closed_at_ms,
  }));
}

/**
 * End of the earliest window or session by `boundaryMs` that holds a non-empty pane and is not written yet; null when all are
 * written. A pane counts for every aggregate, whether or not its filter keeps an event there, and as the end of a session,
 * whether or not its users went on: at worst it answers a minute early.
 */
export async function nextClosable(
  db: Queryable,
  where: Where & SessionSettings,
  boundaryMs: number,
): Promise<number | null> {
  const rules = sessionRulesOf(where);
  const { writtenThroughMs } = await readClock(db, where);
  if (writtenThroughMs !== null && boundaryMs <= writtenThroughMs) return null;
  const tables = quoteSchema(where.schema);
  const earliestMs = writtenThroughMs === null ? null : writtenThroughMs - openBackMs(rules);
  const { rows } = await db.query<{ pane_ms: number | null }>(
    // From one pane to the next: "distinct" read all facts of half an hour.
    `with recursive panes as (
       select min(pane) as pane from ${tables}.pane_facts
       where pane >= ${instant(earliestMs)} and pane < ${instant(writtenThroughMs)}
       union all
       select (select min(f.pane) from ${tables}.pane_facts f where f.pane > p.pane and f.pane < ${instant(writtenThroughMs)})
       from panes p where p.pane is not null
     )
     select ${toMs('pane')} as pane_ms from panes where pane is not null
     union all
     (select ${toMs(paneOf('occurred_at'))} from ${tables}.events
      where occurred_at >= ${instant(writtenThroughMs)} and occurred_at < ${instant(boundaryMs)}
      order by occurred_at limit 1)`,
  );
  const panes = rows.map(({ pane_ms }) => must(pane_ms, 'a pane'));
  const windows = panes.flatMap((paneMs) => AGGREGATES.flatMap(({ window }) => windowsOf(window, paneMs)));
  const ends = windows
    .map(({ endMs }) => endMs)
    .concat(panes.map((paneMs) => sessionClosesAt(paneMs + PANE_MS - 1, rules)))
    .filter((endMs) => endMs > (writtenThroughMs ?? -Infinity) && endMs <= boundaryMs);
  return ends.length === 0 ? null : Math.min(...ends);
}

/** End of the last window or session that holds the latest event, where the stream ends; null when there is no event. */
export async function lastWindowEnd(
  db: Queryable,
  { schema, ...settings }: Pick<PipelineSpec, 'schema'> & SessionSettings,
): Promise<number | null> {
  const newestMs = await newestEvent(db, { schema });
  return newestMs === null ? null : lastEndOfAny(newestMs, sessionRulesOf(settings));
}

/** Event time of the newest event; null when there is none. */
export async function newestEvent(db: Queryable, where: Pick<PipelineSpec, 'schema'>): Promise<number | null> {
  return await eventAtEdge(db, where, 'desc');
}

/** Event time of the first event; null when there is none. */
export async function firstEvent(db: Queryable, where: Pick<PipelineSpec, 'schema'>): Promise<number | null> {
  return await eventAtEdge(db, where, 'asc');
}

async function eventAtEdge(
  db: Queryable,
  { schema }: Pick<PipelineSpec, 'schema'>,
  order: 'asc' | 'desc',
): Promise<number | null> {
  const { rows } = await db.query<{ at_ms: number }>(
    `select ${toMs('occurred_at')} as at_ms from ${quoteSchema(schema)}.events order by occurred_at ${order} limit 1`,
  );
  return rows[0]?.at_ms ?? null;
}
