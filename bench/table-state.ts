// What time does to PostgreSQL: dead rows and size of the tables, autovacuum's runs, WAL and the size of it all.
import { must } from '../pipeline/ensure.ts';
import type { Queryable } from '../postgres/pool.ts';

/** One table; all days of `events` are one. Sizes with indexes. Rows are PostgreSQL's own estimates. */
export type TableState = {
  readonly mib: number;
  readonly heapMib: number;
  readonly liveRows: number;
  readonly deadRows: number;
  readonly updates: number;
  readonly hotUpdates: number;
  readonly autovacuums: number;
  readonly autoanalyzes: number;
};

export type StorageState = {
  readonly tables: Readonly<Record<string, TableState>>;
  /** Of the whole server since it was made. */
  readonly walBytes: number;
  readonly databaseMib: number;
  /** This server's clock, epoch ms. */
  readonly atMs: number;
};

type Row = TableState & { readonly name: string };

/** Reads the state of every table of a schema. */
export async function readStorage(db: Queryable, schema: string): Promise<StorageState> {
  const { rows } = await db.query<Row>(
    `select case when relname like 'events\\_%' then 'events' else relname end as name,
       round(sum(pg_total_relation_size(relid)) / 1048576.0, 2)::float8 as mib,
       round(sum(pg_relation_size(relid)) / 1048576.0, 2)::float8 as "heapMib",
       sum(n_live_tup)::float8 as "liveRows", sum(n_dead_tup)::float8 as "deadRows",
       sum(n_tup_upd)::float8 as updates, sum(n_tup_hot_upd)::float8 as "hotUpdates",
       sum(autovacuum_count)::float8 as autovacuums, sum(autoanalyze_count)::float8 as autoanalyzes
     from pg_stat_user_tables where schemaname = $1 group by 1 order by 1`,
    [schema],
  );
  const whole = await db.query<Omit<StorageState, 'tables'>>(
    `select (pg_current_wal_insert_lsn() - '0/0')::float8 as "walBytes",
       round(pg_database_size(current_database()) / 1048576.0)::float8 as "databaseMib",
       (extract(epoch from clock_timestamp()) * 1000)::float8 as "atMs"`,
  );
  const tables = Object.fromEntries(rows.map(({ name, ...state }) => [name, state]));
  return { tables, ...must(whole.rows[0], 'the row of the server') };
}

/** All tables in one. */
export function allTables({ tables }: StorageState): Pick<TableState, 'deadRows' | 'autovacuums'> {
  const sum = (of: 'deadRows' | 'autovacuums'): number =>
    Object.values(tables).reduce((total, table) => total + table[of], 0);
  return { deadRows: sum('deadRows'), autovacuums: sum('autovacuums') };
}
