// The SQL that compares a stretch of a result table, and of `windows`, with a recount of the same windows from `events`.
import type { Aggregate } from '../pipeline/aggregates.ts';
import type { Span } from '../pipeline/window.ts';
import { instant } from './instant.ts';
import { eventsColumn, measureColumns, recomputeSql } from './result-sql.ts';
import { quoteSchema } from './schema-name.ts';

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS"Z"'`;

/** What one comparison found, as PostgreSQL returns it (counts are bigint texts). */
export type Compared = {
  readonly recomputed: string;
  readonly stored: string;
  readonly missing: string;
  readonly extra: string;
  readonly cells: string;
  readonly examples: readonly string[];
  readonly windows_recomputed: string;
  readonly windows_stored: string;
  readonly windows_wrong: string;
  readonly window_examples: readonly string[];
};

/**
 * One row (Compared) for the windows whose start lies in `starts`. Values are compared as their types, so that 1.5 is
 * 1.50 and an instant is itself in every zone. At most `maxExamples` sentences of each kind.
 */
export function compareWindowsSql(
  aggregate: Aggregate,
  schema: string,
  { starts, maxExamples }: { starts: Span; maxExamples: number },
): string {
  const tables = quoteSchema(schema);
  const recompute = recomputeSql(aggregate, schema)
    .replaceAll('$1::timestamptz', instant(starts.startMs))
    .replaceAll('$2::timestamptz', instant(starts.endMs));
  const inStarts = `window_start >= ${instant(starts.startMs)} and window_start < ${instant(starts.endMs)}`;
  return `
    with recomputed as materialized (${recompute}),
    stored as materialized (select * from ${tables}.${aggregate.name} where ${inStarts}),
    different as materialized (${differentRows(aggregate)}),
    windows_recomputed as materialized (
      select window_start, window_end, sum(${eventsColumn(aggregate)}) as events from recomputed group by 1, 2
    ),
    windows_stored as materialized (
      -- One that a rebuild has found empty stays listed with 0 events, for its revisions.
      select window_start, window_end, events from ${tables}.windows
      where aggregate = '${aggregate.name}' and ${inStarts} and events > 0
    ),
    windows_wrong as materialized (
      select coalesce(r.window_start, s.window_start) as window_start, r.events as recomputed, s.events as stored,
        r.window_end is not null and s.window_end is not null and r.window_end <> s.window_end as wrong_end
      from windows_recomputed r full join windows_stored s on r.window_start = s.window_start
      where r.events is distinct from s.events or r.window_end is distinct from s.window_end
    )
    select
      (select count(*) from recomputed) as recomputed,
      (select count(*) from stored) as stored,
      (select count(*) from different where missing) as missing,
      (select count(*) from different where extra) as extra,
      (select coalesce(sum(cardinality(cells)), 0) from different) as cells,
      array(${rowExamples(aggregate)} limit ${maxExamples}) as examples,
      (select count(*) from windows_recomputed) as windows_recomputed,
      (select count(*) from windows_stored) as windows_stored,
      (select count(*) from windows_wrong) as windows_wrong,
      array(
        select format('Window %s of ${aggregate.name} %s: %s events stored, %s recounted%s.', to_char(window_start, ${ISO}),
          case when stored is null then 'is not listed' when recomputed is null then 'should not be listed' else 'is wrong' end,
          coalesce(stored::text, 'none'), coalesce(recomputed::text, 'none'), case when wrong_end then ', and its end is wrong' else '' end)
        from windows_wrong order by window_start limit ${maxExamples}
      ) as window_examples`;
}

/** Text is compared byte by byte whatever collation a table's column has. */
function collated(column: string, aggregate: Aggregate): string {
  const measure = aggregate.measures[column];
  return !measure || measure.kind === 'least' ? `${column} collate "C"` : column;
}

/** SELECT of the rows that are on one side only, or whose cells differ; `cells` names the columns that do. */
function differentRows(aggregate: Aggregate): string {
  const { groupBy } = aggregate;
  const compared = ['window_end', ...measureColumns(aggregate)];
  const cell = (column: string): string => {
    const name = column === 'window_end' ? column : collated(column, aggregate);
    return `case when r.${name} is distinct from s.${name} then '${column}' end`;
  };
  const key = groupBy.map((column) => `'${column}', coalesce(r.${column} collate "C", s.${column} collate "C")`);
  const sameGroup = groupBy.map((column) => `r.${column} collate "C" = s.${column} collate "C"`);
  const onBothSides = 'r.window_start is not null and s.window_start is not null';
  return `
    select d.* from (
      select coalesce(r.window_start, s.window_start) as window_start, jsonb_build_object(${key.join(', ')}) as group_key,
        s.window_start is null as missing, r.window_start is null as extra, to_jsonb(r) as r, to_jsonb(s) as s,
        case when ${onBothSides} then array_remove(array[${compared.map(cell).join(', ')}], null) else '{}' end as cells
      from recomputed r full join stored s on r.window_start = s.window_start and ${sameGroup.join(' and ')}
    ) as d where missing or extra or cells <> '{}'`;
}

function rowExamples(aggregate: Aggregate): string {
  const where = `to_char(window_start, ${ISO}), group_key`;
  return `
    select example from (
      select window_start, format('Window %s of ${aggregate.name}, %s: the row is %s.', ${where},
        case when missing then 'missing' else 'not in the recount' end) as example
      from different where missing or extra
      union all
      select window_start, format('Window %s of ${aggregate.name}, %s: %s is %s, recounted %s.', ${where}, c, s -> c, r -> c)
      from different, unnest(cells) as c
    ) as found order by window_start, example`;
}
