// The SQL that gives rows of closed windows their next revision: changed, new and vanished ones, each listed in `amendments`
// with the row before and after.
import { keyColumns, measureColumns, resultColumns } from './result-sql.ts';
import type { ResultTable } from './result-sql.ts';
import { quoteSchema } from './schema-name.ts';

/** Why rows were revised, as `amendments.cause` says it. */
export type Cause = 'late event' | 'reprocess';

/** `firstRevision`: of a window that neither `windows` nor anything else knows yet; 2 where it closed without an event. */
export type Revising = { readonly cause: Cause; readonly firstRevision?: 1 | 2 };

/**
 * Parts of a WITH that write the rows of its part `changed`: columns of the result table as they are to be, `is_new` (it is
 * not in the table yet), `is_gone` (it is to leave it; its measures do not matter) and `before` (the present row as jsonb).
 * Yields `revisions` (window_start, window_end, revision, closed_at), one row a window, and `listed`, one row an amendment.
 *
 * Update, insert and delete apart rather than "on conflict": every part of a WITH sees the table as it was, and the clock is
 * held, so `is_new` is exact.
 */
export function revisedRowsSql(table: ResultTable, schema: string, { cause, firstRevision = 2 }: Revising): string {
  return `${revisions(table, schema, firstRevision)}, ${writtenRows(table, schema)}, ${listedAmendments(table, schema, cause)}`;
}

/** A window that `windows` does not list has its last revision in its rows, or, when they are gone too, in `amendments`. */
function revisions({ name }: ResultTable, schema: string, firstRevision: number): string {
  const tables = quoteSchema(schema);
  const lastAmended = `select max(a.revision) from ${tables}.amendments a
    where a.aggregate = '${name}' and a.window_start = c.window_start`;
  return `
    revisions as materialized (
      select c.window_start, c.window_end, coalesce(w.revision, greatest(c.revision, (${lastAmended}), ${firstRevision - 1})) + 1 as revision,
        coalesce(w.closed_at, c.closed_at, now()) as closed_at
      from (
        select window_start, max(window_end) as window_end, max((before ->> 'revision')::int) as revision,
          min((before ->> 'closed_at')::timestamptz) as closed_at
        from changed group by 1
      ) c left join ${tables}.windows w on w.aggregate = '${name}' and w.window_start = c.window_start
    )`;
}

/** Each returns what `amendments` says of its rows. */
function writtenRows(aggregate: ResultTable, schema: string): string {
  const result = `${quoteSchema(schema)}.${aggregate.name}`;
  const sameKey = keyColumns(aggregate)
    .map((key) => `r.${key} = c.${key}`)
    .join(' and ');
  const columns = resultColumns(aggregate);
  const sets = ['window_end', ...measureColumns(aggregate)].map((column) => `${column} = c.${column}`);
  const groupKey = `jsonb_build_object(${aggregate.groupBy.map((column) => `'${column}', r.${column}`).join(', ')})`;
  return `
    updated as (
      update ${result} r set ${sets.join(', ')}, revision = v.revision
      from changed c join revisions v using (window_start)
      where not c.is_new and not c.is_gone and ${sameKey}
      returning r.window_start, ${groupKey} as group_key, r.revision, c.before, to_jsonb(r) as after
    ),
    inserted as (
      insert into ${result} as r (${columns.join(', ')}, revision, closed_at)
      select ${columns.map((column) => `c.${column}`).join(', ')}, v.revision, v.closed_at
      from changed c join revisions v using (window_start)
      where c.is_new
      returning r.window_start, ${groupKey} as group_key, r.revision, null::jsonb as before, to_jsonb(r) as after
    ),
    removed as (
      delete from ${result} r using changed c join revisions v using (window_start)
      where c.is_gone and ${sameKey}
      returning r.window_start, ${groupKey} as group_key, v.revision, c.before, null::jsonb as after
    )`;
}

function listedAmendments({ name }: ResultTable, schema: string, cause: Cause): string {
  return `
    listed as (
      insert into ${quoteSchema(schema)}.amendments (aggregate, window_start, group_key, revision, before, after, cause)
      select '${name}', n.*, '${cause}'
      from (select * from updated union all select * from inserted union all select * from removed) n
      -- What is written for the first time amends nothing.
      where n.revision > 1
      returning 1
    )`;
}
