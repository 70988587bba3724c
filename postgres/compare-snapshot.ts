// Comparing a snapshot with the live results, or with another snapshot: which rows of which result tables say something else.
import type pg from 'pg';

import { must } from '../pipeline/ensure.ts';
import { readClock } from './closed-through.ts';
import { COMPARED_RESULTS } from './compared-results.ts';
import type { ComparedResult } from './compared-results.ts';
import { withTransaction } from './pool.ts';
import { quoteSchema } from './schema-name.ts';
import { SnapshotError, quoteHome, readSnapshot } from './snapshots.ts';
import type { Snapshot } from './snapshots.ts';

type CompareInput = {
  readonly schema: string;
  readonly name: string;
  /** Another snapshot of the schema; null: the live tables. */
  readonly other: string | null;
  readonly maxExamples: number;
  readonly onProgress?: (done: number, of: number) => void;
};

/**
 * One result table. `same`, `different`, `missing` (in the snapshot only) and `added` (in the other only) are about windows
 * and sessions that were closed on both sides; `unmatched`: rows on either side of those that were not.
 */
export type ComparedTable = {
  readonly table: string;
  readonly same: number;
  readonly different: number;
  readonly missing: number;
  readonly added: number;
  readonly unmatched: number;
  readonly examples: readonly string[];
};

/** `throughMs`: windows that end by it were closed on both sides; null: there are none. */
export type Comparison = {
  readonly snapshot: Snapshot;
  readonly other: Snapshot | null;
  readonly throughMs: number | null;
  readonly tables: readonly ComparedTable[];
};

/** As for `weir verify`: memory of one sort or hash, and the cores stay ingestion's. */
const SESSION = `set transaction read only; set local work_mem = '96MB'; set local statement_timeout = 0; set local jit = off;
  set local max_parallel_workers_per_gather = 0`;

/**
 * Compares what the rows say, not their revision: a window that was rebuilt to the same result is the same. Both sides are
 * read at one moment, beside live ingestion. Throws SnapshotError when a snapshot is not there or has other columns.
 */
export async function compareSnapshot(pool: pg.Pool, input: CompareInput): Promise<Comparison> {
  const { schema, name, other: otherName, maxExamples, onProgress } = input;
  return await withTransaction(pool, { isolation: 'repeatable read' }, async (client) => {
    await client.query(SESSION);
    const snapshot = await readSnapshot(client, schema, name);
    const other = otherName === null ? null : await readSnapshot(client, schema, otherName);
    const otherThroughMs = other ? other.writtenThroughMs : await liveThrough(client, snapshot);
    const throughMs = earlier(snapshot.writtenThroughMs, otherThroughMs);
    const sides = { left: quoteHome(snapshot.home), right: other ? quoteHome(other.home) : quoteSchema(schema) };
    const held = (of: Snapshot, { needs }: ComparedResult): boolean =>
      needs.every((table) => of.tables.some(({ name: one }) => one === table));
    const compared = COMPARED_RESULTS.filter((one) => held(snapshot, one) && (!other || held(other, one)));
    const tables: ComparedTable[] = [];
    for (const result of compared) {
      onProgress?.(tables.length, compared.length);
      tables.push(await compareTable(client, result, { ...sides, throughMs, maxExamples }));
    }
    return { snapshot, other, throughMs, tables };
  });
}

async function liveThrough(client: pg.PoolClient, { schema, topic }: Snapshot): Promise<number | null> {
  return topic === null ? null : (await readClock(client, { schema, topic })).writtenThroughMs;
}

const earlier = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? null : Math.min(one, other);

type Sides = {
  readonly left: string;
  readonly right: string;
  readonly throughMs: number | null;
  readonly maxExamples: number;
};

type CountedRow = {
  different: number;
  missing: number;
  added: number;
  of_left: number;
  of_right: number;
  rows_left: number;
  rows_right: number;
  examples: string[];
};

async function compareTable(client: pg.PoolClient, result: ComparedResult, sides: Sides): Promise<ComparedTable> {
  const { rows } = await client.query<CountedRow>(await compareSql(client, result, sides));
  const row = must(rows[0], 'the counts of a comparison');
  const { different, missing, added, examples } = row;
  return {
    table: result.name,
    same: row.of_left - missing - different,
    different,
    missing,
    added,
    unmatched: row.rows_left - row.of_left + (row.rows_right - row.of_right),
    examples,
  };
}

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS"Z"'`;

async function compareSql(client: pg.PoolClient, result: ComparedResult, sides: Sides): Promise<string> {
  const { left, right, maxExamples } = sides;
  const { name, keys, closed } = result;
  const onBoth = await columnsOfBoth(client, `${left}.${name}`, `${right}.${name}`);
  const lost = keys.find((key) => !onBoth.has(key));
  if (lost !== undefined) {
    throw new SnapshotError(`Table ${name} has no column ${lost} on both sides: their rows cannot be held together.`);
  }
  // A version that has added a column since does not make every row another one.
  const cells = result.cells.filter((column) => onBoth.has(column));
  const cell = (column: string): string => `case when l.${column} is distinct from r.${column} then '${column}' end`;
  const [time, ...groupBy] = keys;
  const group = groupBy.map((key) => `coalesce(l.${key}, r.${key})`).join(`, `);
  const both = `l.${time} is not null and r.${time} is not null`;
  const list = (alias: string): string => cells.map((column) => `${alias}.${column}`).join(', ');
  const closedOf = (schema: string): string => `select t.* from ${schema}.${name} t where ${closed('t', sides)}`;
  return `
    with l as (${closedOf(left)}), r as (${closedOf(right)}),
    differing as materialized (
      select coalesce(l.${time}, r.${time}) as at, concat_ws(' ', ${group}) as group_key,
        r.${time} is null as missing, l.${time} is null as added, to_jsonb(l) as l, to_jsonb(r) as r,
        case when ${both} then array_remove(array[${cells.map(cell).join(', ')}], null) end as cells
      from l full join r on ${keys.map((key) => `l.${key} = r.${key}`).join(' and ')}
      where l.${time} is null or r.${time} is null or (${list('l')}) is distinct from (${list('r')})
    )
    select count(*) filter (where cells is not null)::float8 as different, count(*) filter (where missing)::float8 as missing,
      count(*) filter (where added)::float8 as added,
      (select count(*) from l)::float8 as of_left, (select count(*) from r)::float8 as of_right,
      (select count(*) from ${left}.${name})::float8 as rows_left, (select count(*) from ${right}.${name})::float8 as rows_right,
      array(
        select format('%s %s: %s', to_char(at, ${ISO}), group_key, case when missing then 'no longer there'
          when added then 'not there before'
          else (select string_agg(format('%s %s -> %s', c, d.l -> c, d.r -> c), ', ') from unnest(cells) as c) end)
        from differing as d order by at, group_key limit ${maxExamples}
      ) as examples
    from differing`;
}

async function columnsOfBoth(client: pg.PoolClient, left: string, right: string): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped
     intersect select attname from pg_attribute where attrelid = $2::regclass and attnum > 0 and not attisdropped`,
    [left, right],
  );
  return new Set(rows.map(({ name }) => name));
}
