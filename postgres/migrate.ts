// Brings a schema's tables to the newest version: numbered SQL files, in order, once, all of a run in one transaction, and
// behind them the views and the rights that are made from declarations.
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { Client } from 'pg';
import Postgrator from 'postgrator';

import { messageOf } from '../pipeline/ensure.ts';
import { createLiveViews } from './live-views.ts';
import { clientConfig } from './pool.ts';
import { runPromotions } from './promotions.ts';
import type { Promotion } from './promotions.ts';
import { OWNER, applyRights } from './rights.ts';
import { quoteSchema } from './schema-name.ts';
import { INSUFFICIENT_PRIVILEGE, LOCK_NOT_AVAILABLE, sqlState } from './sqlstate.ts';

const MIGRATIONS = fileURLToPath(new URL('./migrations/*.sql', import.meta.url));

/** A change of a table queues behind whoever uses it, and everybody else behind the change: it gives up early and tries again. */
const LOCK_TIMEOUT_MS = 3_000;
const BETWEEN_TRIES_MS = 1_000;
const TRIES = 60;

type Applied = { readonly applied: string[]; readonly version: number };
/**
 * `promoted`: the fields that this run moved from `extra` into columns of their own. `notice`: what this user may not do about
 * the roles, and who has to; null: nothing.
 */
export type MigrationResult = Applied & { readonly promoted: Promotion[]; readonly notice: string | null };

/**
 * Applies what is missing and returns the names of the files applied and the version reached. Processes that migrate at
 * once wait for each other. Throws one sentence when a file fails (nothing of this run stays) or was changed after it ran.
 * Rows are promoted afterwards, in small transactions: the next call goes on with what an interrupted one left.
 */
export async function migrate({ url, schema }: { url: string; schema: string }): Promise<MigrationResult> {
  const client = new Client(clientConfig({ url, applicationName: 'weir migrate' }));
  // A broken connection also fails the statement under way; without a listener it would end the process.
  client.on('error', () => {});
  await client.connect();
  try {
    const migrated = await applyAll(client, schema).catch((error: unknown) => {
      const hint = sqlState(error) === INSUFFICIENT_PRIVILEGE ? `; migrate as a member of ${OWNER}.` : '';
      throw new Error(`Migrating schema ${schema} failed and changed nothing: ${messageOf(error)}${hint}`, {
        cause: error,
      });
    });
    return { ...migrated, promoted: await runPromotions(client, schema) };
  } finally {
    await client.end();
  }
}

type Migrated = Applied & Pick<MigrationResult, 'notice'>;

async function applyAll(client: Client, schema: string): Promise<Migrated> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await applyOnce(client, schema);
    } catch (error) {
      if (sqlState(error) !== LOCK_NOT_AVAILABLE || tries === TRIES) throw error;
      await client.query('rollback');
      await wait(BETWEEN_TRIES_MS);
    }
  }
}

async function applyOnce(client: Client, schema: string): Promise<Migrated> {
  await client.query('begin');
  await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`${quoteSchema(schema)}/migrate`]);
  await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
  const applied = await applyMigrations(client, schema);
  await createLiveViews(client, schema);
  const notice = await applyRights(client, schema);
  await client.query('commit');
  return { ...applied, notice };
}

/** Applies what is missing, of the versions up to `through` where it is given, in the transaction that the client is in. */
export async function applyMigrations(client: Client, schema: string, through?: number): Promise<Applied> {
  const quoted = quoteSchema(schema);
  await client.query(`create schema if not exists ${quoted}`);
  const postgrator = new Postgrator({
    migrationPattern: MIGRATIONS,
    driver: 'pg',
    database: '',
    schemaTable: `${schema}.schema_version`,
    currentSchema: schema,
    execQuery: async (sql: string) => await client.query(sql.replaceAll('@schema@', quoted)),
  });
  const applied = await postgrator.migrate(through === undefined ? '' : String(through));
  const version = await postgrator.getDatabaseVersion();
  return { applied: applied.map(({ filename }) => filename.slice(filename.lastIndexOf('/') + 1)), version };
}
