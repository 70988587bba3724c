// Brings a schema's tables to the newest version: numbered SQL files, in order, once, all of a run in one transaction.
import { fileURLToPath } from 'node:url';

import { Client } from 'pg';
import Postgrator from 'postgrator';

import { messageOf } from '../pipeline/ensure.ts';
import { clientConfig } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

const MIGRATIONS = fileURLToPath(new URL('./migrations/*.sql', import.meta.url));

export type MigrationResult = { readonly applied: string[]; readonly version: number };

/**
 * Applies what is missing and returns the names of the files applied and the version reached. Processes that migrate at
 * once wait for each other. Throws one sentence when a file fails (nothing of this run stays) or was changed after it ran.
 */
export async function migrate({ url, schema }: { url: string; schema: string }): Promise<MigrationResult> {
  const quoted = quoteSchema(schema);
  const client = new Client(clientConfig({ url, applicationName: 'weir migrate' }));
  // A broken connection also fails the statement under way; without a listener it would end the process.
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`${quoted}/migrate`]);
    await client.query(`create schema if not exists ${quoted}`);
    const postgrator = new Postgrator({
      migrationPattern: MIGRATIONS,
      driver: 'pg',
      database: '',
      schemaTable: `${schema}.schema_version`,
      currentSchema: schema,
      execQuery: async (sql: string) => await client.query(sql.replaceAll('@schema@', quoted)),
    });
    const applied = await postgrator.migrate();
    const version = await postgrator.getDatabaseVersion();
    await client.query('commit');
    return { applied: applied.map(({ filename }) => filename.slice(filename.lastIndexOf('/') + 1)), version };
  } catch (error) {
    throw new Error(`Migrating schema ${schema} failed and changed nothing: ${messageOf(error)}`, { cause: error });
  } finally {
    await client.end();
  }
}
