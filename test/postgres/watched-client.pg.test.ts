// Connections to PostgreSQL over a line that breaks in silence: who notices, when, and with what sentence.
import type pg from 'pg';
import { describe, expect, inject, onTestFinished, test } from 'vitest';

import { fusedCopy } from '../../postgres/fused-copy.ts';
import { clientConfig, endPool, openLeaseSession, openPool } from '../../postgres/pool.ts';
import { WatchedClient } from '../../postgres/watched-client.ts';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';

/** Ten seconds of silence, then a question that may take five. */
const NOTICED_WITHIN_MS = 20_000;

async function lineToServer(): Promise<{ proxy: TcpProxy; url: string }> {
  const url = new URL(inject('servers').postgresUrl);
  const proxy = await openTcpProxy({ target: url.host });
  onTestFinished(async () => await proxy.close());
  url.host = proxy.address;
  return { proxy, url: url.href };
}

async function connected(url: string, settings: pg.ClientConfig = {}): Promise<WatchedClient> {
  const client = new WatchedClient({ ...clientConfig({ url }), ...settings });
  client.on('error', () => {});
  onTestFinished(() => client.cut());
  return await client.connect();
}

async function lasted(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

describe.concurrent('a line that falls silent', () => {
  test('fails the statement under way, with a sentence that names the server and what is unknown', async () => {
    const { proxy, url } = await lineToServer();
    const client = await connected(url);
    proxy.blackhole();
    const tookMs = await lasted(async () => {
      await expect(client.query('select 1')).rejects.toThrow(
        new RegExp(`PostgreSQL at ${proxy.address} .*without an answer for 10 s.*looked up`),
      );
    });
    expect(tookMs).toBeLessThan(NOTICED_WITHIN_MS);
    expect(await lasted(async () => await client.end())).toBeLessThan(1_000);
  });

  test('fails a statement that was carried out but whose answer was lost', async () => {
    const { proxy, url } = await lineToServer();
    const client = await connected(url);
    proxy.dropReplies();
    await expect(client.query('select 1')).rejects.toThrow(/without an answer/);
  });

  test('fails statements of a pool in the same way, and the pool goes on once the line is back', async () => {
    const { proxy, url } = await lineToServer();
    const pool = openPool({ url });
    onTestFinished(async () => await endPool(pool, 0));
    await pool.query('select 1');
    proxy.blackhole();
    await expect(pool.query('select 1')).rejects.toThrow(/without an answer/);
    await proxy.heal();
    expect((await pool.query('select 2 as two')).rows).toEqual([{ two: 2 }]);
  });

  test('does not hold up the end of a connection', async () => {
    const { proxy, url } = await lineToServer();
    const client = await connected(url);
    proxy.blackhole();
    expect(await lasted(async () => await client.end())).toBeLessThan(5_000);
  });
});

describe.concurrent('a line on which PostgreSQL is at work', () => {
  test('is kept however long the statement waits', async () => {
    const client = await connected(inject('servers').postgresUrl);
    expect((await client.query(`select 'done' as said from pg_sleep(14)`)).rows).toEqual([{ said: 'done' }]);
  });

  test('is kept by a lease until PostgreSQL itself ends what waits too long for a lock, and says why', async () => {
    const { pool, url, schema } = await freshDatabase();
    const holder = await pool.connect();
    onTestFinished(() => holder.release());
    await holder.query('select pg_advisory_lock(hashtextextended($1, 0))', [schema]);
    const lease = await openLeaseSession({ url, partition: 0 });
    const waiting = lease.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [schema]);
    await expect(waiting).rejects.toThrow('canceling statement due to lock timeout');
    expect((await lease.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await lease.end();
  });

  test('is cut when PostgreSQL in its turn waits for what this side never sends', async () => {
    const { schema, url } = await freshDatabase();
    const client = await connected(url);
    await expect(fusedCopy(client, `copy "${schema}".gaps from stdin`, [])).rejects.toThrow(/waits for this one/);
  });
});

describe('a server that is not there', () => {
  test('is named, with what to do', async () => {
    const { proxy, url } = await lineToServer();
    await proxy.refuse();
    const pool = openPool({ url });
    onTestFinished(async () => await endPool(pool, 0));
    await expect(pool.query('select 1')).rejects.toThrow(
      new RegExp(`PostgreSQL at ${proxy.address} does not answer \\(.*ECONNREFUSED.*WEIR_POSTGRES_URL`),
    );
  });

  test('is named also when it takes the connection and says nothing', async () => {
    const { proxy, url } = await lineToServer();
    proxy.blackhole();
    const pool = openPool({ url });
    onTestFinished(async () => await endPool(pool, 0));
    await expect(pool.query('select 1')).rejects.toThrow(/does not answer \(timeout expired\)/);
  });

  test('and one that refuses a user is told in its own words', async () => {
    const url = new URL(inject('servers').postgresUrl);
    url.pathname = '/no_such_database';
    const pool = openPool({ url: url.href });
    onTestFinished(async () => await endPool(pool, 0));
    await expect(pool.query('select 1')).rejects.toThrow('database "no_such_database" does not exist');
  });
});

test('the end of a pool waits for what runs on it, and no longer than it was told', async () => {
  const { pool, url, schema } = await freshDatabase();
  const ending = openPool({ url, applicationName: `${schema}_ending` });
  const asleep = ending.query('select pg_sleep(60)').catch((error: unknown) => String(error));
  const sleeps = async (): Promise<boolean> =>
    (
      await pool.query(`select from pg_stat_activity where application_name = $1 and wait_event = 'PgSleep'`, [
        `${schema}_ending`,
      ])
    ).rowCount === 1;
  await eventually(sleeps, { deadlineMs: 10_000, what: 'the statement runs' });
  expect(await lasted(async () => await endPool(ending, 200))).toBeLessThan(5_000);
  expect(await asleep).toMatch(/terminated/);
});
