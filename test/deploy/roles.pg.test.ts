// deploy/postgres/roles.sh on a PostgreSQL of its own, because users belong to a whole server: who may enter what afterwards.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Client } from 'pg';
import { beforeAll, describe, expect, inject, test } from 'vitest';

import { logFile } from '../../local/home-folder.ts';
import { findTool, toolEnvironment } from '../../local/machine.ts';
import { startStack } from '../../local/stack.ts';
import { migrate } from '../../postgres/migrate.ts';
import { temporaryHome } from '../local/temporary-home.ts';
import { ROOT } from './compose-file.ts';

const home = temporaryHome();
const PASSWORDS = {
  OWNER_PASSWORD: 'owner-secret',
  WORKER_PASSWORD: "worker's \\secret",
  READER_PASSWORD: 'reader-secret',
  TEMPORAL_PASSWORD: 'temporal-secret',
};
let administrator: URL;

function runScript(passwords: Readonly<Record<string, string>>): { status: number | null; said: string } {
  const { hostname, port, username, password } = administrator;
  const env = toolEnvironment({ PGHOST: hostname, PGPORT: port, PGUSER: username, PGPASSWORD: password, ...passwords });
  const script = join(ROOT, 'deploy', 'postgres', 'roles.sh');
  const { status, stdout, stderr } = spawnSync('bash', [script], { env, encoding: 'utf8' });
  return { status, said: `${stdout}${stderr}` };
}

function urlOf(user: string, password: string, database: string): string {
  const url = new URL(`postgres://${administrator.host}/${database}`);
  url.username = user;
  url.password = encodeURIComponent(password);
  return url.href;
}

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe.skipIf(findTool('psql') === null)('the users of the stack (needs psql, which is not on PATH)', () => {
  beforeAll(async () => {
    const { kafkaBrokers, temporalAddress } = inject('servers');
    const { postgres } = await startStack({ home: home.path, ports: 'any', kafkaBrokers, temporalAddress });
    administrator = new URL(postgres.url);
    // Whatever the server logs, no password is in it: here it logs everything.
    await ask(postgres.url, `alter system set log_statement = 'all'`);
    await ask(postgres.url, `alter system set log_min_duration_statement = 0`);
    await ask(postgres.url, 'select pg_reload_conf()');
  }, 180_000);

  test('the script makes them', () => {
    expect(runScript(PASSWORDS)).toEqual({ status: 0, said: 'Users and databases are there.\n' });
  });

  test('the owner makes the tables in its database, and is no administrator', async () => {
    const url = urlOf('weir_owner', PASSWORDS.OWNER_PASSWORD, 'weir');
    expect((await migrate({ url, schema: 'weir' })).version).toBeGreaterThan(0);
    await expect(ask(url, 'create role somebody')).rejects.toThrow(/permission denied/);
    await expect(ask(url, 'create database another')).rejects.toThrow(/permission denied/);
  });

  test('workers and readers enter, and can make no tables', async () => {
    for (const [user, password] of [
      ['weir_worker', PASSWORDS.WORKER_PASSWORD],
      ['weir_reader', PASSWORDS.READER_PASSWORD],
    ] as const) {
      const url = urlOf(user, password, 'weir');
      expect(await ask(url, 'select current_user as me')).toEqual([{ me: user }]);
      await expect(ask(url, 'create schema another')).rejects.toThrow(/permission denied/);
      await expect(ask(url, 'create table public.another ()')).rejects.toThrow(/permission denied/);
    }
  });

  test('Temporal and Weir have no way into each other', async () => {
    const temporal = (database: string) => urlOf('temporal', PASSWORDS.TEMPORAL_PASSWORD, database);
    for (const database of ['temporal', 'temporal_visibility']) {
      expect(await ask(temporal(database), 'create table mine as select 1 as one')).toEqual([]);
      const worker = urlOf('weir_worker', PASSWORDS.WORKER_PASSWORD, database);
      await expect(ask(worker, 'select 1')).rejects.toThrow(/permission denied for database/);
    }
    await expect(ask(temporal('weir'), 'select 1')).rejects.toThrow(/permission denied for database/);
  });

  test('run again, it gives the users the passwords of now', async () => {
    expect(runScript({ ...PASSWORDS, READER_PASSWORD: 'another' }).status).toBe(0);
    expect(await ask(urlOf('weir_reader', 'another', 'weir'), 'select 1 as one')).toEqual([{ one: 1 }]);
    const former = urlOf('weir_reader', PASSWORDS.READER_PASSWORD, 'weir');
    await expect(ask(former, 'select 1')).rejects.toThrow(/password authentication failed/);
  });

  test('the log of a server that logs everything has no password', () => {
    const log = readFileSync(logFile(home, 'postgres'), 'utf8');
    expect(log).toContain('create table mine');
    for (const password of Object.values(PASSWORDS)) expect(log).not.toContain(password);
  });

  test('without a password it changes nothing and says which is missing', () => {
    const { TEMPORAL_PASSWORD: _, ...others } = PASSWORDS;
    expect(runScript(others)).toEqual({ status: 1, said: expect.stringContaining('TEMPORAL_PASSWORD is not set') });
  });
});
