// What a pipeline's tables take on disk: events, their indexes, facts, results.
import { AGGREGATES } from '../pipeline/aggregates.ts';
import { FUNNEL, SESSIONS } from '../pipeline/session.ts';
import { must } from '../pipeline/ensure.ts';
import { FACT_TABLES } from '../postgres/fact-tables.ts';
import type { Queryable } from '../postgres/pool.ts';

/** Bytes. All days of `events` are one; facts and results (of all aggregates, sessions and funnels) are with their indexes. */
export type TableSizes = {
  readonly eventTable: number;
  readonly eventIndexes: number;
  readonly facts: number;
  readonly results: number;
};

export async function readTableSizes(db: Queryable, schema: string): Promise<TableSizes> {
  const { rows } = await db.query<TableSizes>(
    `select coalesce(sum(pg_table_size(relid)) filter (where is_event), 0)::float8 as "eventTable",
       coalesce(sum(pg_indexes_size(relid)) filter (where is_event), 0)::float8 as "eventIndexes",
       coalesce(sum(pg_total_relation_size(relid)) filter (where relname = any($2)), 0)::float8 as facts,
       coalesce(sum(pg_total_relation_size(relid)) filter (where relname = any($3)), 0)::float8 as results
     from (select relid, relname, relname like 'events\\_%' as is_event from pg_stat_user_tables where schemaname = $1) tables`,
    [schema, FACT_TABLES.map(({ name }) => name), [...AGGREGATES.map(({ name }) => name), SESSIONS, FUNNEL]],
  );
  return must(rows[0], 'the row of an aggregate');
}
