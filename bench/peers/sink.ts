// How the peers reach PostgreSQL: the JDBC address, and the tables that they write into.
import { readFileSync } from 'node:fs';

import type { Queryable } from '../../postgres/pool.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { fileHere } from './install.ts';

export const APPLICATION_NAME = 'weir-peer';

export type Jdbc = { readonly url: string; readonly user: string; readonly password: string };

/**
 * reWriteBatchedInserts: batches go as multi-row INSERTs, which all three need to be fast. stringtype=unspecified: text goes
 * into columns of type uuid and jsonb without a cast.
 */
export function jdbcOf(postgresUrl: string, schema: string): Jdbc {
  const { hostname, port, pathname, username, password } = new URL(postgresUrl);
  const settings = new URLSearchParams({
    currentSchema: schema,
    ApplicationName: APPLICATION_NAME,
    reWriteBatchedInserts: 'true',
    stringtype: 'unspecified',
  });
  return {
    url: `jdbc:postgresql://${hostname}:${port || '5432'}${pathname}?${settings.toString()}`,
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
  };
}

export type PeerTables = {
  /** `native`: text[] and int[]; `text`: JSON text. */
  readonly arrays: 'native' | 'text';
  /** Whether event_id is the primary key of `raw`. */
  readonly keyed: boolean;
};

/** Makes the tables of tables.sql in a schema that is there. */
export async function makeTables(db: Queryable, schema: string, { arrays, keyed }: PeerTables): Promise<void> {
  const types = arrays === 'native' ? { ARRAYS: 'text[]', NUMBERS: 'int[]' } : { ARRAYS: 'text', NUMBERS: 'text' };
  const sql = readFileSync(fileHere('tables.sql'), 'utf8')
    .replaceAll(/\$\{(ARRAYS|NUMBERS)\}/g, (_, name: keyof typeof types) => types[name])
    .replaceAll('create table ', `create table ${quoteSchema(schema)}.`);
  await db.query(sql);
  if (keyed) await db.query(`alter table ${quoteSchema(schema)}.raw add primary key (event_id)`);
}

/** The rows of `raw`, as the diff wants them. */
export function rawRows(schema: string): string {
  return `select event_id, "timestamp" as occurred_at, event_type, user_id, total_amount, xmin from ${quoteSchema(schema)}.raw`;
}
