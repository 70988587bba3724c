// The door to PostgreSQL: pools and transactions with the session settings that every statement here relies on.
import { Pool } from 'pg';
import type pg from 'pg';

/** Anything that runs one statement: a pool or a client inside a transaction. */
export type Queryable = Pick<pg.Pool, 'query'>;

export type PoolOptions = {
  readonly url: string;
  /** Most connections at once; 10 when absent. */
  readonly max?: number;
  /** Shown in pg_stat_activity; "weir" when absent. */
  readonly applicationName?: string;
};

/**
 * No transaction here waits for anything but PostgreSQL. One that is silent for this long belongs to a process that was
 * stopped or cut off, and holds locks (the closer's clock) that others wait for.
 */
const FROZEN_AFTER_MS = 30_000;

/** Session settings of every connection: UTC, so that no text form of a time depends on the server's configuration. */
export function clientConfig({ url, applicationName }: PoolOptions): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: applicationName ?? 'weir',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    options: `-c timezone=UTC -c datestyle=ISO,YMD -c client_min_messages=warning -c idle_in_transaction_session_timeout=${FROZEN_AFTER_MS}`,
  };
}

/** Opens a pool. Connections that break are dropped: the statement under way reports it, or the next one opens a new one. */
export function openPool(options: PoolOptions): pg.Pool {
  const pool = new Pool({ ...clientConfig(options), max: options.max ?? 10, idleTimeoutMillis: 30_000 });
  pool.on('error', () => {});
  // The pool listens to idle connections only. One that dies inside a transaction would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

export type Isolation = 'read committed' | 'repeatable read';

/** Runs `work` in one transaction: commits what it returns, rolls back what it throws. A broken connection is not reused. */
export async function withTransaction<T>(
  pool: pg.Pool,
  { isolation = 'read committed' }: { isolation?: Isolation },
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(`begin isolation level ${isolation}`);
    const result = await work(client);
    const { command } = await client.query('commit');
    // PostgreSQL answers COMMIT of a failed transaction with ROLLBACK and no error.
    if (command === 'ROLLBACK')
      throw new Error('The transaction was rolled back because a statement in it had failed.');
    return result;
  } catch (error) {
    await client.query('rollback').catch((rollbackError: unknown) => {
      broken = rollbackError instanceof Error ? rollbackError : new Error(String(rollbackError));
    });
    throw error;
  } finally {
    client.release(broken);
  }
}
