// The table `late_events`: events that came after their pane had closed. Waiting ones will amend their windows; those
// beyond the horizon stay listed and are left out of the results.
import { LONGEST_WINDOW_MS, EVENT_KEYS } from '../pipeline/aggregates.ts';
import { PANE_MS } from '../pipeline/pane.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { Span } from '../pipeline/window.ts';
import { inSpans, instant, interval, toMs } from './instant.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

const WAITING = 'l.applied_at is null and not l.beyond_horizon';

/** Number of late events that wait to amend panes which are written already. */
export async function lateEventsWaiting(db: Queryable, spec: Pick<PipelineSpec, 'schema' | 'topic'>): Promise<number> {
  const tables = quoteSchema(spec.schema);
  const { rows } = await db.query<{ waiting: number }>(
    `select count(*)::float8 as waiting from ${tables}.late_events l
     where ${WAITING} and l.occurred_at < (select written_through from ${tables}.closed_through where topic = $1)`,
    [spec.topic],
  );
  return rows[0]?.waiting ?? 0;
}

/** How long the oldest of the late events that wait has waited, ms by PostgreSQL's clock; 0 when none waits. */
export async function oldestLateWaitMs(db: Queryable, spec: Pick<PipelineSpec, 'schema' | 'topic'>): Promise<number> {
  const tables = quoteSchema(spec.schema);
  const { rows } = await db.query<{ waited_ms: number | null }>(
    `select (extract(epoch from clock_timestamp() - min(l.recorded_at)) * 1000)::float8 as waited_ms from ${tables}.late_events l
     where ${WAITING} and l.occurred_at < (select written_through from ${tables}.closed_through where topic = $1)`,
    [spec.topic],
  );
  return Math.max(0, rows[0]?.waited_ms ?? 0);
}

/** Which late events an amendment takes in: those that wait, and where asked also those beyond the horizon. */
type Taken = { readonly includeBeyondHorizon: boolean };

/** Epoch ms of event time: `[fromMs, toMs)`, null: from the beginning. `events`, `together`, `panes`: at most so many of each. */
type WaitingShare = Taken & {
  readonly fromMs: number | null;
  readonly toMs: number;
  readonly events: number;
  readonly together: number;
  readonly panes: number;
};

/**
 * The earliest panes that late events to be taken in lie in: those of the first so many `events`, and up to `together` that
 * share their last window, so that thousands of late events of one window make one amendment of it.
 */
export async function waitingPanes(db: Queryable, schema: string, share: WaitingShare): Promise<Span[]> {
  const { fromMs, toMs: endMs, events, together, panes } = share;
  const block = (at: string): string => `date_bin(${interval(LONGEST_WINDOW_MS)}, ${at}, timestamptz 'epoch')`;
  const { rows } = await db.query<{ pane_ms: number }>(
    `with earliest as materialized (
       select l.occurred_at from ${quoteSchema(schema)}.late_events l
       where ${taken(share)} and l.occurred_at >= ${instant(fromMs)} and l.occurred_at < ${instant(endMs)}
       order by 1 limit ${Math.max(events, together)}
     ),
     share as materialized (select max(occurred_at) as last_at from (select occurred_at from earliest order by 1 limit ${events}) e)
     select distinct ${toMs(`date_bin(${interval(PANE_MS)}, occurred_at, timestamptz 'epoch')`)} as pane_ms
     from earliest cross join share
     where occurred_at <= last_at or occurred_at < ${block('last_at')} + ${interval(LONGEST_WINDOW_MS)}
     order by 1 limit ${panes}`,
  );
  return rows.map(({ pane_ms }) => ({ startMs: pane_ms, endMs: pane_ms + PANE_MS }));
}

function taken({ includeBeyondHorizon }: Taken): string {
  return includeBeyondHorizon ? 'l.applied_at is null' : WAITING;
}

/** Lets the late events of these spans that lie beyond the horizon wait like the others. */
export function clearHorizonMarksSql(schema: string, spans: readonly Span[]): string {
  return `
    update ${quoteSchema(schema)}.late_events l set beyond_horizon = false where l.beyond_horizon and ${inSpans('l.occurred_at', spans)}`;
}

/** SELECT of the waiting late events in these spans: `occurred_at`, `total_amount` and the keys, in the collation of the facts. */
export function lateEventsSql(schema: string, spans: readonly Span[]): string {
  const keys = EVENT_KEYS.map((key) => `e.${key} collate "C" as ${key}`).join(', ');
  return `
    select e.occurred_at, e.total_amount, ${keys} from (${wholeLateEventsSql(schema, spans)}) as e`;
}

/** The same with all columns of `events`. */
export function wholeLateEventsSql(schema: string, spans: readonly Span[]): string {
  return `
    select e.*
    from ${quoteSchema(schema)}.late_events l
    join ${quoteSchema(schema)}.events e on e.occurred_at = l.occurred_at and e.event_id = l.event_id
    where ${WAITING} and ${inSpans('l.occurred_at', spans)} and ${inSpans('e.occurred_at', spans)}`;
}

/** Marks the waiting late events of these spans as applied: the results of this transaction hold them. */
export function markAppliedSql(schema: string, spans: readonly Span[]): string {
  return `
    update ${quoteSchema(schema)}.late_events l set applied_at = now() where ${WAITING} and ${inSpans('l.occurred_at', spans)}`;
}

/** SQL condition on rows `e` of events: not a late event beyond the horizon. */
export function notLeftOut(schema: string, spans: readonly Span[]): string {
  return notAmong(schema, spans, 'l.beyond_horizon');
}

/** SQL condition on rows `e` of events: not a late event that the results do not hold, be it waiting or beyond the horizon. */
export function notWaitingNorLeftOut(schema: string, spans: readonly Span[]): string {
  return notAmong(schema, spans, 'l.applied_at is null');
}

function notAmong(schema: string, spans: readonly Span[], condition: string): string {
  return `not exists (
      select from ${quoteSchema(schema)}.late_events l
      where ${condition} and l.occurred_at = e.occurred_at and l.event_id = e.event_id
        and ${inSpans('l.occurred_at', spans)}
    )`;
}
