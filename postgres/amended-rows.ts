// The SQL that amends the windows of one aggregate: recounts the rows that late events touch, and where a row differs writes
// it with the window's next revision and lists it in `amendments`.
import type { Aggregate } from '../pipeline/aggregates.ts';
import type { Span } from '../pipeline/window.ts';
import { inSpans, instant, interval, isAmong } from './instant.ts';
import { lateEventsSql } from './late-events.ts';
import { eventsColumn, keyColumns, measureColumns, measuresFromFacts } from './result-sql.ts';
import { ofItsTypes, windowStartsOf } from './result-sql.ts';
import { revisedRowsSql } from './revised-rows.ts';
import type { Cause } from './revised-rows.ts';
import { quoteSchema } from './schema-name.ts';

/** The dirty panes, the written windows that hold one of them (neither is empty), and the start of the last such window. */
export type Dirt = {
  readonly panes: readonly Span[];
  readonly windows: readonly Span[];
  readonly lastStartMs: number;
  readonly cause: Cause;
};

/**
 * One statement that answers with `windows` and `rows`, the numbers of those amended. Only rows whose group a waiting late
 * event names can differ, so only they are recounted, from pane facts that hold the late events already; none of them can
 * vanish, because each holds that event. To be run before those late events are marked as applied.
 */
export function amendRowsSql(aggregate: Aggregate, schema: string, dirt: Dirt): string {
  return `with ${touchedRows(aggregate, schema, dirt)}, ${freshRows(aggregate, schema, dirt)},
    ${changedRows(aggregate, schema)}, ${revisedRowsSql(aggregate, schema, dirt.cause)}, ${renewedWindows(aggregate, schema)}
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

/** `changed`: the fresh rows that differ, with what stands in the result table. */
function changedRows(aggregate: Aggregate, schema: string): string {
  const measures = measureColumns(aggregate);
  const events = eventsColumn(aggregate);
  const list = (alias: string): string => measures.map((measure) => `${alias}.${measure}`).join(', ');
  return `
    changed as materialized (
      select f.*, r.${events} is null as is_new, false as is_gone, to_jsonb(r) as before,
        f.${events} - coalesce(r.${events}, 0) as more_events
      from fresh f left join ${quoteSchema(schema)}.${aggregate.name} r using (${keyColumns(aggregate).join(', ')})
      where row(${list('f')}) is distinct from row(${list('r')})
    )`;
}

/** Gives the amended windows their new revision and number of events. */
function renewedWindows({ name }: Aggregate, schema: string): string {
  return `
    renewed as (
      insert into ${quoteSchema(schema)}.windows as w (aggregate, window_start, window_end, revision, events, closed_at)
      select '${name}', v.window_start, v.window_end, v.revision, c.more_events, v.closed_at
      from revisions v join (select window_start, sum(more_events) as more_events from changed group by 1) c using (window_start)
      on conflict (aggregate, window_start)
        do update set revision = excluded.revision, events = w.events + excluded.events
      returning 1
    )`;
}
