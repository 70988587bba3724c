// One window as people ask about it: its row, what it holds so far, and what amended it since it closed.
import type { Aggregate } from '../pipeline/aggregates.ts';
import type { Span } from '../pipeline/window.ts';
import type { ClosedWindow } from './closed-windows.ts';
import { inSpans, instant, toMs } from './instant.ts';
import type { Queryable } from './pool.ts';
import { eventsColumn } from './result-sql.ts';
import { quoteSchema } from './schema-name.ts';

/**
 * Rows of a window that one revision changed, made and removed, for one cause. `amendedAtMs`: PostgreSQL's clock.
 * `moreEvents`: events (of the funnels: sessions) that it added, less those that it took away.
 */
export type WindowAmendment = {
  readonly revision: number;
  readonly cause: string;
  readonly amendedAtMs: number;
  readonly changedRows: number;
  readonly newRows: number;
  readonly vanishedRows: number;
  readonly moreEvents: number;
};

/** `events` counts those that its result would hold now; late ones that wait and those beyond the horizon are told apart. */
export type WindowHistory = {
  readonly closed: ClosedWindow | null;
  readonly amendments: readonly WindowAmendment[];
  readonly events: number;
  readonly lateWaiting: number;
  readonly lateLeftOut: number;
};

/** What is known of the window of an aggregate that spans `span`. */
export async function readWindowHistory(
  db: Queryable,
  schema: string,
  { aggregate, span }: { aggregate: Aggregate; span: Span },
): Promise<WindowHistory> {
  const [closed, amendments, held] = await Promise.all([
    closedWindow(db, schema, { aggregate: aggregate.name, span }),
    amendmentsOfWindow(db, schema, { aggregate: aggregate.name, span, counted: eventsOfRow(aggregate) }),
    heldEvents(db, schema, { aggregate, span }),
  ]);
  return { closed, amendments, ...held };
}

/** SQL expression over a row as jsonb: how many events it counts. */
const eventsOfRow =
  (aggregate: Aggregate) =>
  (row: string): string =>
    `(${row} ->> '${eventsColumn(aggregate)}')::numeric`;

type OfWindow = { readonly aggregate: string; readonly span: Span };

/** Its row in `windows`; null before its close, and where it held nothing. */
export async function closedWindow(
  db: Queryable,
  schema: string,
  { aggregate, span }: OfWindow,
): Promise<ClosedWindow | null> {
  const { rows } = await db.query<ClosedWindow>(
    `select aggregate, ${toMs('window_start')} as "startMs", ${toMs('window_end')} as "endMs", revision,
       events::float8 as events, ${toMs('closed_at')} as "closedAtMs"
     from ${quoteSchema(schema)}.windows where aggregate = $1 and window_start = ${instant(span.startMs)}`,
    [aggregate],
  );
  return rows[0] ?? null;
}

type Counting = OfWindow & { readonly counted: (row: string) => string };

/** What amended it, oldest first. `counted`: SQL expression of what a row, as jsonb, counts. */
export async function amendmentsOfWindow(
  db: Queryable,
  schema: string,
  { aggregate, span, counted }: Counting,
): Promise<WindowAmendment[]> {
  const rowsWhere = (condition: string): string => `count(*) filter (where ${condition})::float8`;
  const { rows } = await db.query<WindowAmendment>(
    `select revision, cause, ${toMs('max(amended_at)')} as "amendedAtMs",
       ${rowsWhere('before is not null and after is not null')} as "changedRows",
       ${rowsWhere('before is null')} as "newRows", ${rowsWhere('after is null')} as "vanishedRows",
       sum(coalesce(${counted('after')}, 0) - coalesce(${counted('before')}, 0))::float8 as "moreEvents"
     from ${quoteSchema(schema)}.amendments where aggregate = $1 and window_start = ${instant(span.startMs)}
     group by revision, cause order by revision, max(amended_at)`,
    [aggregate],
  );
  return rows;
}

async function heldEvents(
  db: Queryable,
  schema: string,
  { aggregate, span }: { aggregate: Aggregate; span: Span },
): Promise<Pick<WindowHistory, 'events' | 'lateWaiting' | 'lateLeftOut'>> {
  const tables = quoteSchema(schema);
  const { rows } = await db.query<{ events: number; waiting: number; left_out: number }>(
    `select count(*)::float8 as events,
       count(*) filter (where not l.beyond_horizon and l.applied_at is null)::float8 as waiting,
       count(*) filter (where l.beyond_horizon)::float8 as left_out
     from ${tables}.events e left join ${tables}.late_events l
       on l.occurred_at = e.occurred_at and l.event_id = e.event_id and ${inSpans('l.occurred_at', [span])}
     where ${inSpans('e.occurred_at', [span])} and ($1::text[] is null or e.event_type = any($1))`,
    [aggregate.eventTypes],
  );
  const { events = 0, waiting = 0, left_out = 0 } = rows[0] ?? {};
  return { events: events - left_out, lateWaiting: waiting, lateLeftOut: left_out };
}
