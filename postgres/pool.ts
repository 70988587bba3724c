// The door to PostgreSQL: pools and transactions with the session settings that every statement here relies on.
import { Pool } from 'pg';
import type pg from 'pg';

import { withTlsOf } from './tls.ts';
import { WatchedClient } from './watched-client.ts';

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

/**
 * How long the server waits for a client's machine or network that is gone, seconds. Its own defaults are hours, and so long
 * a session that was cut off in the middle of a batch would keep its locks. Without effect on a Unix socket.
 */
const DEAD_LINE = { idleS: 10, intervalS: 5, count: 3, unackedS: 30 };
const deadLineOptions = `-c tcp_keepalives_idle=${DEAD_LINE.idleS} -c tcp_keepalives_interval=${DEAD_LINE.intervalS} -c tcp_keepalives_count=${DEAD_LINE.count} -c tcp_user_timeout=${DEAD_LINE.unackedS * 1_000}`;

/**
 * Session settings of every connection, whatever the server, the database or the role say: UTC, so that no text form of a
 * time depends on them; read committed, because a commit that has waited for the clock must see closed_through as it is
 * then. In the snapshot of a stricter level it would be the old one, and a late event would go unmarked.
 */
export function clientConfig({ url, applicationName }: PoolOptions): pg.ClientConfig {
  return {
    connectionString: withTlsOf(url),
    application_name: applicationName ?? 'weir',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: DEAD_LINE.idleS * 1_000,
    options: `-c timezone=UTC -c datestyle=ISO,YMD -c client_min_messages=warning -c default_transaction_isolation=read\\ committed -c idle_in_transaction_session_timeout=${FROZEN_AFTER_MS} ${deadLineOptions}`,
  };
}

/** For a lease: longer than any healthy commit waits, and sooner than Temporal takes the lease for stuck. */
const LONGEST_LOCK_WAIT_MS = 10_000;
const LONGEST_STATEMENT_MS = 30_000;

/**
 * Opens the connection that one lease commits over. What takes too long PostgreSQL itself ends, and says why; where it says
 * nothing at all, the connection notices (watched-client.ts).
 */
export async function openLeaseSession({ url, partition }: { url: string; partition: number }): Promise<WatchedClient> {
  const client = new WatchedClient({
    ...clientConfig({ url, applicationName: `weir partition ${partition}` }),
    lock_timeout: LONGEST_LOCK_WAIT_MS,
    statement_timeout: LONGEST_STATEMENT_MS,
  });
  // A connection that breaks also fails the statement under way; without a listener it would end the process.
  client.on('error', () => {});
  return await client.connect();
}

/** Opens a pool. Connections that break are dropped: the statement under way reports it, or the next one opens a new one. */
export function openPool(options: PoolOptions): pg.Pool {
  const config = { ...clientConfig(options), max: options.max ?? 10, idleTimeoutMillis: 30_000 };
  const pool = new Pool({ ...config, Client: WatchedClient });
  const open = new Set<pg.PoolClient>();
  connectionsOf.set(pool, open);
  pool.on('connect', (client) => open.add(client));
  pool.on('remove', (client) => open.delete(client));
  pool.on('error', () => {});
  // The pool listens to idle connections only. One that dies inside a transaction would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

const connectionsOf = new WeakMap<pg.Pool, Set<pg.PoolClient>>();

/** Ends a pool once nothing runs on it any more; after `withinMs` cuts off what still does: PostgreSQL rolls that back. */
export async function endPool(pool: pg.Pool, withinMs: number): Promise<void> {
  const timer = setTimeout(() => {
    for (const client of connectionsOf.get(pool) ?? []) client.connection.stream.destroy();
  }, withinMs);
  try {
    await pool.end();
  } finally {
    clearTimeout(timer);
  }
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
