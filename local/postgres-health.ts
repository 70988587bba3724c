// Asks a PostgreSQL whether it answers, by its URL alone, and says which of the usual reasons it is when it does not.
import { Client } from 'pg';

import { messageOf } from '../pipeline/ensure.ts';
import { tlsRemedy, withTlsOf } from '../postgres/tls.ts';
import { withoutPassword } from '../pipeline/url-password.ts';
import { StackError, errorCode } from './stack-error.ts';

const OLDEST_VERSION = 16;

/** Whether it answers a query. Any reason why not is taken as "not yet". */
export async function isPostgresReady(url: string): Promise<boolean> {
  try {
    await askVersion(url);
    return true;
  } catch {
    return false;
  }
}

/** Throws StackError unless the PostgreSQL at this URL (WEIR_POSTGRES_URL) answers and is new enough. */
export async function checkPostgres(url: string): Promise<{ version: string }> {
  let version: string;
  try {
    version = await askVersion(url);
  } catch (error) {
    throw new StackError(`PostgreSQL at ${withoutPassword(url)} (WEIR_POSTGRES_URL) ${reason(error)}.`, {
      cause: error,
    });
  }
  refuseOlder(version, url);
  return { version };
}

/** Throws StackError when `version` ("15.18 (Debian ...)") is too old for the tables. */
export function refuseOlder(version: string, url: string): void {
  if (Number.parseInt(version, 10) >= OLDEST_VERSION) return;
  throw new StackError(
    `PostgreSQL at ${withoutPassword(url)} (WEIR_POSTGRES_URL) is ${version || 'of unknown version'} and weir needs ${OLDEST_VERSION} or newer: ` +
      'upgrade it, name another one in the URL, or unset the variable to have PostgreSQL started here.',
  );
}

/** Runs one statement on a connection of its own. */
export async function queryOnce(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({
    connectionString: withTlsOf(url),
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
    application_name: 'weir health',
  });
  // A connection that breaks while it closes is none of our business any more.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function askVersion(url: string): Promise<string> {
  const [row] = await queryOnce(url, "select current_setting('server_version') as version");
  return typeof row?.['version'] === 'string' ? row['version'] : '';
}

function reason(error: unknown): string {
  const code = errorCode(error);
  if (code === '28P01') return 'refuses the password: correct it in the URL';
  if (code === '28000') return 'refuses this user: correct the user in the URL or allow it in pg_hba.conf';
  if (code === '3D000') return 'has no such database: create it or correct the name at the end of the URL';
  // pg throws an AggregateError with an empty message where a host has several addresses.
  const said = messageOf(error) || code || 'no reason given';
  const usual = 'start it, correct the URL, or unset the variable to have PostgreSQL started here';
  return `does not answer: ${said}; ${tlsRemedy(said) ?? usual}`;
}
