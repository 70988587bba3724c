// The SQL that replaces the rows of some windows by fresh ones: rows that differ, are missing or should not be there get the
// next revision, and `windows` follows.
import { keyColumns, measureColumns } from './result-sql.ts';
import type { ResultTable } from './result-sql.ts';
import { revisedRowsSql } from './revised-rows.ts';
import type { Revising } from './revised-rows.ts';
import { quoteSchema } from './schema-name.ts';

/**
 * `before`: parts of a WITH that yield `fresh`, all rows of the windows as they are to be. `starts`: SQL condition on
 * `window_start`, the windows. `events`: aggregate over the fresh rows of one window, what `windows` says of it.
 */
type Replacing = Revising & { readonly before: string; readonly starts: string; readonly events: string };

/** One statement. Answers with the counts of RebuildCounts less `panes`; all are 0 when everything was right. */
export function replaceRowsSql(table: ResultTable, schema: string, replacing: Replacing): string {
  return `with ${replacing.before}, ${changedRows(table, schema, replacing.starts)},
    ${revisedRowsSql(table, schema, replacing)}, ${relistedWindows(table, schema, replacing)}
    select (select count(*)::float8 from revisions) as windows,
      (select count(*)::float8 from relisted where not revised) as listings,
      count(*) filter (where not is_new and not is_gone)::float8 as changed_rows,
      count(*) filter (where is_new)::float8 as new_rows, count(*) filter (where is_gone)::float8 as vanished_rows
    from changed`;
}

/**
 * `stored`: what stands in the result table. `changed`: the rows in which the two differ, or that only one of them has: the
 * other one's end of the window is null then, which none is.
 */
function changedRows(aggregate: ResultTable, schema: string, starts: string): string {
  const keys = keyColumns(aggregate);
  const compared = ['window_end', ...measureColumns(aggregate)];
  const list = (alias: string): string => compared.map((column) => `${alias}.${column}`).join(', ');
  return `
    stored as materialized (
      select * from ${quoteSchema(schema)}.${aggregate.name} where ${starts}
    ),
    changed as materialized (
      select ${keys.map((key) => `coalesce(f.${key}, s.${key}) as ${key}`).join(', ')},
        coalesce(f.window_end, s.window_end) as window_end,
        ${measureColumns(aggregate)
          .map((measure) => `f.${measure}`)
          .join(', ')},
        s.window_start is null as is_new, f.window_start is null as is_gone, to_jsonb(s) as before
      from fresh f full join stored s on ${keys.map((key) => `f.${key} = s.${key}`).join(' and ')}
      where row(${list('f')}) is distinct from row(${list('s')})
    )`;
}

/**
 * `relisted`: the rows of `windows` that had to change, and whether the window was revised. A window that has become empty
 * stays listed with 0 events, so that its revisions go on being counted.
 */
function relistedWindows({ name }: ResultTable, schema: string, { starts, events }: Replacing): string {
  const windows = `${quoteSchema(schema)}.windows`;
  const listed = `select * from ${windows} where aggregate = '${name}' and ${starts}`;
  return `
    relisted as materialized (
      select window_start, coalesce(f.window_end, v.window_end, w.window_end) as window_end,
        coalesce(v.revision, w.revision, s.revision) as revision, coalesce(f.events, 0) as events,
        coalesce(w.closed_at, v.closed_at, s.closed_at) as closed_at, v.revision is not null as revised
      from (select window_start, window_end, ${events} as events from fresh group by 1, 2) f
      full join (${listed}) w using (window_start)
      full join revisions v using (window_start)
      left join (select window_start, max(revision) as revision, min(closed_at) as closed_at from stored group by 1) s
        using (window_start)
      where row(coalesce(f.window_end, v.window_end, w.window_end), coalesce(v.revision, w.revision), coalesce(f.events, 0))
        is distinct from row(w.window_end, w.revision, w.events)
    ),
    written as (
      insert into ${windows} (aggregate, window_start, window_end, revision, events, closed_at)
      select '${name}', window_start, window_end, revision, events, closed_at from relisted
      on conflict (aggregate, window_start)
        do update set window_end = excluded.window_end, revision = excluded.revision, events = excluded.events
    )`;
}
