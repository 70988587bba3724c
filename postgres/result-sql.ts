// The SQL of the declared aggregates: what each measure is in terms of facts and in terms of events, and the
// statements that close windows and recount them.
import { EVENT_TYPES } from '../pipeline/event.ts';
import type { EventType } from '../pipeline/event.ts';
import { must } from '../pipeline/ensure.ts';
import type { Aggregate, Measure } from '../pipeline/aggregates.ts';
import type { Span } from '../pipeline/window.ts';
import { factsOf } from './fact-source.ts';
import { instant, interval } from './instant.ts';
import { COUNT_COLUMNS } from './pane-facts.ts';
import { quoteSchema } from './schema-name.ts';

/** A table of results of windows: an aggregate's, or another one whose windows are listed and revised in the same way. */
export type ResultTable = {
  readonly name: string;
  readonly groupBy: readonly string[];
  /** By column. */
  readonly measures: Readonly<Record<string, unknown>>;
};

/** Columns of a result table that say what was measured, in the order of its declaration. */
export function measureColumns(aggregate: ResultTable): string[] {
  return Object.keys(aggregate.measures);
}

/** Columns that identify a row of the result table: the window's start and the group. */
export function keyColumns(aggregate: ResultTable): string[] {
  return ['window_start', ...aggregate.groupBy];
}

/** Columns that a recount yields: all of the result table but `revision` and `closed_at`. */
export function resultColumns(aggregate: ResultTable): string[] {
  return ['window_start', 'window_end', ...aggregate.groupBy, ...measureColumns(aggregate)];
}

/** The column that counts a row's events. Throws when the declaration has none. */
export function eventsColumn(aggregate: Aggregate): string {
  const found = Object.entries(aggregate.measures).find(([, measure]) => measure.kind === 'events');
  return must(found, `aggregate ${aggregate.name} declares no measure of kind "events"`)[0];
}

/** SQL condition that keeps the aggregate's event types of the table alias `from`. */
export function ofItsTypes(aggregate: Aggregate, from: string): string {
  if (aggregate.eventTypes === null) return 'true';
  return `${from}.event_type in (${aggregate.eventTypes.map((type) => `'${type}'`).join(', ')})`;
}

/** The measures as a select list over rows `f` of the aggregate's facts, each named as its column. */
export function measuresFromFacts(aggregate: Aggregate): string {
  return namedMeasures(aggregate, factsMeasure);
}

/**
 * Closes windows of one aggregate: writes their rows with revision 1, and a row of `windows` for each that holds events, and
 * answers with how many of each (`written_rows`, `closed_windows`).
 * `windows` must not be empty and must not have been written before; the facts of their panes must be.
 */
export function closeWindowsSql(aggregate: Aggregate, schema: string, windows: readonly Span[]): string {
  const tables = quoteSchema(schema);
  const columns = resultColumns(aggregate);
  const groups = aggregate.groupBy.map((column) => `f.${column}`);
  return `
    with written as (
      insert into ${tables}.${aggregate.name} (${columns.join(', ')}, revision, closed_at)
      select w.window_start, w.window_end, ${groups.join(', ')}, ${measuresFromFacts(aggregate)}, 1, now()
      from ${windowRows(windows)}
      join ${factsOf(aggregate, schema)} on f.pane >= w.window_start and f.pane < w.window_end
      group by w.window_start, w.window_end, ${groups.join(', ')}
      returning window_start, window_end, ${eventsColumn(aggregate)} as events
    ),
    listed as (
      insert into ${tables}.windows (aggregate, window_start, window_end, revision, events)
      select '${aggregate.name}', window_start, window_end, 1, sum(events) from written group by 2, 3 returning 1
    )
    select (select count(*) from listed)::float8 as closed_windows, (select count(*) from written)::float8 as written_rows`;
}

function windowRows(windows: readonly Span[]): string {
  const rows = windows.map(({ startMs, endMs }) => `(${instant(startMs)}, ${instant(endMs)})`);
  return `(values ${rows.join(', ')}) as w (window_start, window_end)`;
}

/**
 * The starts of all windows that hold the instant `at`, as a FROM item `k` and an expression of its rows: the other way
 * round than `windowRows`, for joins by equality.
 */
export function windowStartsOf(aggregate: Aggregate, at: string): { from: string; start: string } {
  const { lengthMs, slideMs } = aggregate.window;
  const last = `date_bin(${interval(slideMs)}, ${at}, timestamptz 'epoch')`;
  if (slideMs === lengthMs) return { from: '', start: last };
  const from = `cross join generate_series(0, ${lengthMs / slideMs - 1}) as k (slides)`;
  return { from, start: `${last} - k.slides * ${interval(slideMs)}` };
}

/**
 * Recounts an aggregate straight from `events`, without facts: one SELECT of `resultColumns` over the windows whose
 * start lies in [$1, $2). It leaves out the late events that no result holds yet (not applied, or beyond the horizon), so
 * that its rows equal those of the result table for every window that ends by `written_through` in the same snapshot.
 */
export function recomputeSql(aggregate: Aggregate, schema: string): string {
  const tables = quoteSchema(schema);
  const { from, start } = windowStartsOf(aggregate, 'e.occurred_at');
  const { lengthMs, slideMs } = aggregate.window;
  const groups = aggregate.groupBy.join(', ');
  return `
    select window_start, window_start + ${interval(lengthMs)} as window_end, ${groups},
      ${namedMeasures(aggregate, eventsMeasure)}
    from (
      select ${start} as window_start, e.occurred_at, e.total_amount, e.user_id collate "C" as user_id,
        e.session_id collate "C" as session_id, e.event_type collate "C" as event_type, e.device collate "C" as device,
        e.location collate "C" as location, e.currency collate "C" as currency
      from ${tables}.events e ${from}
      where e.occurred_at >= $1::timestamptz and e.occurred_at < $2::timestamptz + ${interval(lengthMs - slideMs)}
        and ${ofItsTypes(aggregate, 'e')}
        and not exists (
          select from ${tables}.late_events l
          where l.applied_at is null and l.occurred_at = e.occurred_at and l.event_id = e.event_id
        )
    ) as e
    where window_start >= $1::timestamptz and window_start < $2::timestamptz
    group by window_start, ${groups}`;
}

/** The measures as a select list, each named as its column. */
export function namedMeasures(aggregate: Aggregate, expression: (measure: Measure, column: string) => string): string {
  return Object.entries(aggregate.measures)
    .map(([column, measure]) => `${expression(measure, column)} as ${column}`)
    .join(', ');
}

function factsMeasure(measure: Measure): string {
  switch (measure.kind) {
    case 'events':
      return 'sum(f.events)';
    case 'eventsByType':
      return countsByType((type) => `nullif(sum(f.${COUNT_COLUMNS[type]}), 0)`);
    case 'firstAt':
      return 'min(f.first_at)';
    case 'lastAt':
      return 'max(f.last_at)';
    case 'durationSeconds':
      return 'extract(epoch from max(f.last_at) - min(f.first_at))::double precision';
    case 'uniques':
      return `count(distinct f.${measure.of})`;
    case 'least':
      return `min(f.${measure.of})`;
    default:
      return {
        sum: 'sum(f.revenue)',
        average: 'round(sum(f.revenue) / sum(f.events), 2)',
        min: 'min(f.min_amount)',
        max: 'max(f.max_amount)',
      }[measure.take];
  }
}

/** A measure of a group of events whose columns are named as in `events`. */
export function eventsMeasure(measure: Measure): string {
  switch (measure.kind) {
    case 'events':
      return 'count(*)';
    case 'eventsByType':
      return countsByType((type) => `nullif(count(*) filter (where event_type = '${type}'), 0)`);
    case 'firstAt':
      return 'min(occurred_at)';
    case 'lastAt':
      return 'max(occurred_at)';
    case 'durationSeconds':
      return 'extract(epoch from max(occurred_at) - min(occurred_at))::double precision';
    case 'uniques':
      return `count(distinct ${measure.of})`;
    case 'least':
      return `min(${measure.of})`;
    default:
      return measure.take === 'average' ? 'round(sum(total_amount) / count(*), 2)' : `${measure.take}(total_amount)`;
  }
}

/** `{type: count}` in one pass; types whose count is null are absent. */
export function countsByType(count: (type: EventType) => string): string {
  const entries = EVENT_TYPES.map((type) => `'${type}', ${count(type)}`);
  return `jsonb_strip_nulls(jsonb_build_object(${entries.join(', ')}))`;
}
