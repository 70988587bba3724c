// Schemas that a test's snapshots and restores make beside its own: looked into, and dropped when the test file is over.
import type pg from 'pg';
import { afterAll } from 'vitest';

import type { TestDatabase } from './database.ts';
import { openPool } from '../../postgres/pool.ts';

const owners: TestDatabase[] = [];

/** Drops every schema whose name goes on behind this one's, after the file's last test. */
export function dropSchemasOf(database: TestDatabase): void {
  owners.push(database);
}

afterAll(async () => {
  for (const { url, schema } of owners) {
    const pool = openPool({ url, max: 1 });
    const { rows } = await pool.query<{ name: string }>(
      `select quote_ident(nspname) as name from pg_namespace where starts_with(nspname, $1)`,
      [`${schema}_`],
    );
    for (const { name } of rows) await pool.query(`drop schema ${name} cascade`);
    await pool.end();
  }
});

/** All rows of the tables, each as text, sorted. */
export async function rowsIn(
  pool: pg.Pool,
  schema: string,
  tables: readonly string[],
): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const table of tables) {
    const { rows } = await pool.query<{ row: string }>(`select t::text as row from ${schema}.${table} t`);
    found[table] = rows.map(({ row }) => row).toSorted();
  }
  return found;
}
