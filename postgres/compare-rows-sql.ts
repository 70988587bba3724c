// The SQL that holds recounted rows against stored ones: which are missing, which are too many, which cells differ.

/** `recounted` and `stored`: SELECTs that have the columns of `key` and `columns`, no key twice. Text of a key compares by code point. */
export type RowComparison = {
  readonly recounted: string;
  readonly stored: string;
  readonly key: readonly string[];
  readonly columns: readonly string[];
  /** SQL expression over the key's columns: what an example says first. */
  readonly named: string;
  readonly maxExamples: number;
};

/** What a comparison answers with (counts are bigint texts). `wrong`: rows missing, rows too many and cells that differ. */
export type ComparedRows = {
  readonly recounted: string;
  readonly stored: string;
  readonly wrong: string;
  readonly examples: readonly string[];
};

/** One row (ComparedRows). Values are compared as their types, so that 1.5 is 1.50 and an instant is itself in every zone. */
export function compareRowsSql(comparison: RowComparison): string {
  const { recounted, stored, key, columns, named, maxExamples } = comparison;
  const keys = key.map((column) => `coalesce(r.${column}, s.${column}) as ${column}`);
  const sameKey = key.map((column) => `r.${column} = s.${column}`);
  const first = key[0] ?? '';
  const cells = columns.map((column) => `case when r.${column} is distinct from s.${column} then '${column}' end`);
  return `
    with recounted as materialized (${recounted}),
    stored as materialized (${stored}),
    different as materialized (
      select * from (
        select ${keys.join(', ')}, s.${first} is null as missing, r.${first} is null as extra, to_jsonb(r) as r, to_jsonb(s) as s,
          case when r.${first} is not null and s.${first} is not null then array_remove(array[${cells.join(', ')}], null) else '{}' end as cells
        from recounted r full join stored s on ${sameKey.join(' and ')}
      ) as pairs where missing or extra or cells <> '{}'
    ),
    sentences as (
      select ${key.join(', ')}, format('%s: the row is %s.', ${named}, case when missing then 'missing' else 'not in the recount' end) as sentence
      from different where missing or extra
      union all
      select ${key.join(', ')}, format('%s: %s is %s, recounted %s.', ${named}, c, s -> c, r -> c)
      from different cross join unnest(cells) as c
    )
    select (select count(*) from recounted) as recounted, (select count(*) from stored) as stored,
      (select coalesce(sum(case when missing or extra then 1 else cardinality(cells) end), 0) from different) as wrong,
      array(select sentence from sentences order by ${key.join(', ')}, sentence limit ${maxExamples}) as examples`;
}
