// The SQL that amends the windows of one aggregate: recounts the rows that late events touch, and where a row differs writes
// it with the window's next revision and lists it in `amendments`.
import type { Aggregate } from '../pipeline/aggregates.ts';
import type { Span } from '../pipeline/window.ts';
import { inSpans, instant, interval, isAmong } from './instant.ts';
import { lateEventsSql } from './late-events.ts';
import { eventsColumn, keyColumns, measureColumns, measuresFromFacts } from './result-sql.ts';
import { ofItsTypes, resultColumns, windowStartsOf } from './result-sql.ts';
import { quoteSchema } from './schema-name.ts';

/** The dirty panes, the written windows that hold one of them (neither is empty), and the start of the last such window. */
export type Dirt = { readonly panes: readonly Span[]; readonly windows: readonly Span[]; readonly lastStartMs: number };

/**
 * One statement that answers with `windows` and `rows`, the numbers of those amended. Only rows whose group a waiting late
 * event names can differ, so only they are recounted, from pane facts that hold the late events already; none of them can
 * vanish, because each holds that event. To be run before those late events are marked as applied.
 */
export function amendRowsSql(aggregate: Aggregate, schema: string, dirt: Dirt): string {
  return `with ${touchedRows(aggregate, schema, dirt)}, ${freshRows(aggregate, schema, dirt)},
    ${changedRows(aggregate, schema)}, ${writtenRows(aggregate, schema)}, ${listedAmendments(aggregate, schema)}
    select (select count(*)::float8 from renewed) as windows, (select count(*)::float8 from listed) as rows`;
}

/** `touched`: the rows (window and group) of written windows that the late events belong to. */
function touchedRows(aggregate: Aggregate, schema: string, { panes, lastStartMs }: Dirt): string {
  const { from, start } = windowStartsOf(aggregate, 'late.occurred_at');
  return `
    touched as materialized (
      select distinct ${start} as window_start, ${aggregate.groupBy.map((column) => `late.${column}`).join(', ')}
      from (${lateEventsSql(schema, panes)}) as late ${from}
      where ${start} <= ${instant(lastStartMs)} and ${ofItsTypes(aggregate, 'late')}
    )`;
}

/** `fresh`: the touched rows as the pane facts now have them. */
function freshRows(aggregate: Aggregate, schema: string, { windows }: Dirt): string {
  const { from, start } = windowStartsOf(aggregate, 'f.pane');
  const groups = aggregate.groupBy.map((column) => `f.${column}`);
  const touched = `select ${keyColumns(aggregate).join(', ')} from touched`;
  return `
    fresh as materialized (
      select ${start} as window_start, ${start} + ${interval(aggregate.window.lengthMs)} as window_end,
        ${groups.join(', ')}, ${measuresFromFacts(aggregate)}
      from ${quoteSchema(schema)}.pane_facts f ${from}
      where ${inSpans('f.pane', windows)} and ${ofItsTypes(aggregate, 'f')} and ${isAmong([start, ...groups], touched)}
      group by ${start}, ${groups.join(', ')}
    )`;
}

/** `changed`: the fresh rows that differ, with what stands in the result table; and `revisions`: their windows' next. */
function changedRows(aggregate: Aggregate, schema: string): string {
  const tables = quoteSchema(schema);
  const measures = measureColumns(aggregate);
  const events = eventsColumn(aggregate);
  const list = (alias: string): string => measures.map((measure) => `${alias}.${measure}`).join(', ');
  return `
    changed as materialized (
      select f.*, r.${events} is null as is_new, to_jsonb(r) as before, f.${events} - coalesce(r.${events}, 0) as more_events
      from fresh f left join ${tables}.${aggregate.name} r using (${keyColumns(aggregate).join(', ')})
      where row(${list('f')}) is distinct from row(${list('r')})
    ),
    revisions as materialized (
      select c.window_start, c.window_end, coalesce(w.revision, 1) + 1 as revision, coalesce(w.closed_at, now()) as closed_at,
        c.more_events
      from (select window_start, window_end, sum(more_events) as more_events from changed group by 1, 2) c
      left join ${tables}.windows w on w.aggregate = '${aggregate.name}' and w.window_start = c.window_start
    )`;
}

/**
 * Writes the changed rows into the result table. Update and insert apart rather than "on conflict": every part of a WITH
 * sees the table as it was, and the clock is held, so `is_new` is exact. Each returns what `amendments` says of its rows.
 */
function writtenRows(aggregate: Aggregate, schema: string): string {
  const result = `${quoteSchema(schema)}.${aggregate.name}`;
  const sameKey = keyColumns(aggregate).map((key) => `r.${key} = c.${key}`);
  const columns = resultColumns(aggregate);
  const sets = measureColumns(aggregate).map((measure) => `${measure} = c.${measure}`);
  const groupKey = `jsonb_build_object(${aggregate.groupBy.map((column) => `'${column}', r.${column}`).join(', ')})`;
  return `
    updated as (
      update ${result} r set ${sets.join(', ')}, revision = v.revision
      from changed c join revisions v using (window_start)
      where not c.is_new and ${sameKey.join(' and ')}
      returning r.window_start, ${groupKey} as group_key, r.revision, c.before, to_jsonb(r) as after
    ),
    inserted as (
      insert into ${result} as r (${columns.join(', ')}, revision, closed_at)
      select ${columns.map((column) => `c.${column}`).join(', ')}, v.revision, v.closed_at
      from changed c join revisions v using (window_start)
      where c.is_new
      returning r.window_start, ${groupKey} as group_key, r.revision, null::jsonb as before, to_jsonb(r) as after
    )`;
}

/** Lists each changed row in `amendments`, and gives its window the new revision and number of events. */
function listedAmendments(aggregate: Aggregate, schema: string): string {
  const tables = quoteSchema(schema);
  return `
    listed as (
      insert into ${tables}.amendments (aggregate, window_start, group_key, revision, before, after, cause)
      select '${aggregate.name}', n.*, 'late event' from (select * from updated union all select * from inserted) n
      returning 1
    ),
    renewed as (
      insert into ${tables}.windows as w (aggregate, window_start, window_end, revision, events, closed_at)
      select '${aggregate.name}', v.window_start, v.window_end, v.revision, v.more_events, v.closed_at from revisions v
      on conflict (aggregate, window_start)
        do update set revision = excluded.revision, events = w.events + excluded.events
      returning 1
    )`;
}
