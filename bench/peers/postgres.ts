// Short connections of the bench itself to PostgreSQL.
import { Client } from 'pg';

import type { StackAddresses } from '../../local/stack.ts';
import { clientConfig } from '../../postgres/pool.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';

/** What every comparison needs, and no server's usual settings give it. */
const SESSION = `set work_mem = '256MB'; set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; set jit = off`;

/** Runs `work` on one connection, and closes it. */
export async function withPostgres<T>(
  { addresses }: { addresses: StackAddresses },
  work: (db: Client) => Promise<T>,
): Promise<T> {
  const db = new Client(clientConfig({ url: addresses.postgres.url, applicationName: 'weir bench' }));
  db.on('error', () => {});
  await db.connect();
  try {
    await db.query(SESSION);
    return await work(db);
  } finally {
    await db.end();
  }
}

/** Makes an empty schema, runs `work`, drops the schema unless it is to be kept. */
export async function withSchema<T>(
  place: { addresses: StackAddresses; schema: string; keep: boolean },
  work: () => Promise<T>,
): Promise<T> {
  const schema = quoteSchema(place.schema);
  await withPostgres(
    place,
    async (db) => await db.query(`drop schema if exists ${schema} cascade; create schema ${schema}`),
  );
  try {
    return await work();
  } finally {
    if (!place.keep) await withPostgres(place, async (db) => await db.query(`drop schema if exists ${schema} cascade`));
  }
}
