// A database schema of a test's own: migrated, empty, and dropped when the test file is over.
import { randomBytes } from 'node:crypto';

import type pg from 'pg';
import { afterAll, inject } from 'vitest';

import { migrate } from '../../postgres/migrate.ts';
import { openPool } from '../../postgres/pool.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { isConflict } from '../../postgres/sqlstate.ts';

export type TestDatabase = { readonly url: string; readonly schema: string; readonly pool: pg.Pool };

/** Opens a freshly migrated schema with a random name. Call inside a test file; it cleans up after the file's last test. */
export async function freshDatabase(): Promise<TestDatabase> {
  const url = inject('servers').postgresUrl;
  const schema = `t_${randomBytes(6).toString('hex')}`;
  await migrate({ url, schema });
  const pool = openPool({ url, applicationName: schema });
  cleanUps.push(async () => {
    await dropSchema(pool, schema);
    await pool.end();
  });
  return { url, schema, pool };
}

const MOST_TRIES = 5;

/** It locks hundreds of tables, in an order of its own: what a test left behind, or autovacuum, may stand crosswise. */
async function dropSchema(pool: pg.Pool, schema: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await pool.query(`drop schema ${quoteSchema(schema)} cascade`);
      return;
    } catch (error) {
      if (!isConflict(error) || tries === MOST_TRIES) throw error;
    }
  }
}

const cleanUps: (() => Promise<void>)[] = [];

afterAll(async () => {
  await Promise.all(cleanUps.map((cleanUp) => cleanUp()));
});
