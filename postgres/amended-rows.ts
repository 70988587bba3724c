// The SQL that amends the windows of one aggregate: recounts the rows that late events touch, and where a row differs writes
// it with the window's next revision and lists it in `amendments`.
import type { Aggregate } from '../pipeline/aggregates.ts';
import type { Span } from '../pipeline/window.ts';
import { inSpans } from './instant.ts';
import { lateEventsSql } from './late-events.ts';
import { eventsColumn, keyColumns, measureColumns, measuresFromFacts } from './result-sql.ts';
import { ofItsTypes, resultColumns, windowRows, windowStartsOf } from './result-sql.ts';
import { quoteSchema } from './schema-name.ts';

/** The dirty panes and the written windows that hold one of them; neither is empty. */
export type Dirt = { readonly panes: readonly Span[]; readonly windows: readonly Span[] };

/**
 * One statement that answers with `windows` and `rows`, the numbers of those amended. Only rows whose group a waiting late
 * event names can differ, so only they are recounted, from pane facts that hold the late events already. To be run before
 * those late events are marked as applied.
 */
export function amendRowsSql(aggregate: Aggregate, schema: string, dirt: Dirt): string {
  return `with ${touchedRows(aggregate, schema, dirt)}, ${freshRows(aggregate, schema, dirt)},
    ${changedRows(aggregate, schema)}, ${writtenRows(aggregate, schema)}, ${listedAmendments(aggregate, schema)}
    select (select count(*)::float8 from renewed) as windows, (select count(*)::float8 from listed) as rows`;
}

/** `touched`: the rows (window and group) that the late events belong to. */
function touchedRows(aggregate: Aggregate, schema: string, { panes, windows }: Dirt): string {
  const groups = aggregate.groupBy.map((column) => `late.${column}`).join(', ');
  return `
    touched as materialized (
      select distinct w.window_start, w.window_end, ${groups}
      from ${windowRows(windows)}
      join (${lateEventsSql(schema, panes)}) as late
        on late.occurred_at >= w.window_start and late.occurred_at < w.window_end and ${ofItsTypes(aggregate, 'late')}
    )`;
}

/** `fresh`: the touched rows as the pane facts now have them. Joined by equality alone, so that it can be a hash join. */
function freshRows(aggregate: Aggregate, schema: string, { windows }: Dirt): string {
  const { from, start } = windowStartsOf(aggregate, 'f.pane');
  const groups = aggregate.groupBy.map((column) => `f.${column}`);
  const sameGroup = aggregate.groupBy.map((column) => `t.${column} = f.${column}`).join(' and ');
  return `
    fresh as (
      select t.window_start, ${groups.join(', ')}, ${measuresFromFacts(aggregate)}
      from ${quoteSchema(schema)}.pane_facts f ${from}
      join touched t on t.window_start = ${start} and ${sameGroup}
      where ${inSpans('f.pane', windows)} and ${ofItsTypes(aggregate, 'f')}
      group by t.window_start, ${groups.join(', ')}
    )`;
}

/** `changed`: the touched rows that differ, with what stands in the result table; and `revisions`: their windows' next. */
function changedRows(aggregate: Aggregate, schema: string): string {
  const tables = quoteSchema(schema);
  const keys = keyColumns(aggregate).join(', ');
  const measures = measureColumns(aggregate);
  const events = eventsColumn(aggregate);
  const list = (alias: string): string => measures.map((measure) => `${alias}.${measure}`).join(', ');
  return `
    changed as materialized (
      select ${keys}, t.window_end, ${list('f')}, f.${events} is null as is_gone, r.${events} is null as is_new,
        to_jsonb(r) as before, coalesce(f.${events}, 0) - coalesce(r.${events}, 0) as more_events
      from touched t left join fresh f using (${keys}) left join ${tables}.${aggregate.name} r using (${keys})
      where row(${list('f')}) is distinct from row(${list('r')})
    ),
    revisions as materialized (
      select c.window_start, coalesce(max(w.revision), 1) + 1 as revision, coalesce(max(w.closed_at), now()) as closed_at
      from (select distinct window_start from changed) c
      left join ${tables}.windows w on w.aggregate = '${aggregate.name}' and w.window_start = c.window_start
      group by c.window_start
    )`;
}

/**
 * Writes the changed rows into the result table. Update and insert apart rather than "on conflict": every part of a WITH
 * sees the table as it was, and the clock's lock keeps others out, so `is_new` is exact.
 */
function writtenRows(aggregate: Aggregate, schema: string): string {
  const result = `${quoteSchema(schema)}.${aggregate.name}`;
  const keys = keyColumns(aggregate);
  const sameKey = keys.map((key) => `r.${key} = c.${key}`).join(' and ');
  const columns = resultColumns(aggregate);
  const sets = measureColumns(aggregate).map((measure) => `${measure} = c.${measure}`);
  const returned = `returning ${keys.map((key) => `r.${key}`).join(', ')}, to_jsonb(r) as after`;
  return `
    removed as (
      delete from ${result} r using changed c where c.is_gone and ${sameKey}
    ),
    updated as (
      update ${result} r set ${sets.join(', ')}, revision = v.revision
      from changed c join revisions v using (window_start)
      where not c.is_gone and not c.is_new and ${sameKey}
      ${returned}
    ),
    inserted as (
      insert into ${result} as r (${columns.join(', ')}, revision, closed_at)
      select ${columns.map((column) => `c.${column}`).join(', ')}, v.revision, v.closed_at
      from changed c join revisions v using (window_start)
      where c.is_new
      ${returned}
    )`;
}

/** Lists each changed row in `amendments`, and gives its window the new revision and number of events. */
function listedAmendments(aggregate: Aggregate, schema: string): string {
  const tables = quoteSchema(schema);
  const keys = keyColumns(aggregate).join(', ');
  const groupKey = aggregate.groupBy.map((column) => `'${column}', c.${column}`).join(', ');
  return `
    listed as (
      insert into ${tables}.amendments (aggregate, window_start, group_key, revision, before, after, cause)
      select '${aggregate.name}', window_start, jsonb_build_object(${groupKey}), v.revision, c.before, n.after, 'late event'
      from changed c join revisions v using (window_start)
      left join (select * from updated union all select * from inserted) n using (${keys})
      returning 1
    ),
    renewed as (
      insert into ${tables}.windows as w (aggregate, window_start, window_end, revision, events, closed_at)
      select '${aggregate.name}', window_start, c.window_end, v.revision, sum(c.more_events), v.closed_at
      from changed c join revisions v using (window_start)
      group by window_start, c.window_end, v.revision, v.closed_at
      on conflict (aggregate, window_start)
        do update set revision = excluded.revision, events = w.events + excluded.events
      returning 1
    )`;
}
