// A PostgreSQL of the test's own with a certificate: what each sslmode checks, what the refused are told, and how roles come to
// be on a server that has none.
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

import { checkPostgres } from '../../local/postgres-health.ts';
import { resetStack, startStack } from '../../local/stack.ts';
import { must } from '../../pipeline/ensure.ts';
import { migrate } from '../../postgres/migrate.ts';
import { PostgresPing } from '../../postgres/ping.ts';
import { openLeaseSession, openPool } from '../../postgres/pool.ts';
import { hasOpenssl, makeAuthority } from '../support/certificates.ts';
import type { Authority } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';

const SECRET = 'secret-a8f3';

describe.skipIf(!hasOpenssl())('a PostgreSQL with a certificate for 127.0.0.1 (openssl must be installed)', () => {
  const home = mkdtempSync(join(tmpdir(), 'weir-tls-'));
  let authority: Authority;
  let stranger: Authority;
  let base: URL;

  beforeAll(async () => {
    chmodSync(home, 0o755);
    authority = makeAuthority();
    stranger = makeAuthority();
    const { kafkaBrokers, temporalAddress } = inject('servers');
    const addresses = await startStack({ home, ports: 'any', kafkaBrokers, temporalAddress, report: () => {} });
    base = new URL(addresses.postgres.url);
    const { cert, key } = authority.sign('postgres', ['IP:127.0.0.1', 'DNS:database.test']);
    const pool = openPool({ url: base.href, max: 1 });
    const { rows } = await pool.query<{ folder: string }>(`select current_setting('data_directory') as folder`);
    const { uid, gid } = statSync(must(rows[0], 'the folder of the server').folder);
    chownSync(key, uid, gid);
    chmodSync(key, 0o600);
    for (const [name, value] of Object.entries({ ssl_cert_file: cert, ssl_key_file: key, ssl: 'on' })) {
      await pool.query(`alter system set ${name} = '${value}'`);
    }
    await pool.query('select pg_reload_conf()');
    await pool.query(`create role weir_login login superuser password '${SECRET}'`);
    await pool.end();
    base.username = 'weir_login';
    base.password = SECRET;
    await eventually(async () => await isEncrypted('sslmode=require'), { deadlineMs: 30_000, what: 'TLS is on' });
  }, 300_000);

  afterAll(async () => {
    await resetStack({ home });
    rmSync(home, { recursive: true, force: true });
    authority.remove();
    stranger.remove();
  }, 120_000);

  const urlWith = (query: string, host = '127.0.0.1'): string => {
    const url = new URL(base);
    url.hostname = host;
    return `${url.href}?${query}`;
  };

  /** A login with a database of its own, on this server where it is the first to migrate anything. */
  const aloneInDatabase = async (name: string, may: string): Promise<{ url: string; schema: string }> => {
    const pool = openPool({ url: base.href, max: 1 });
    await pool.query(`create role ${name} login password '${SECRET}' ${may}`);
    await pool.query(`create database ${name} owner ${name}`);
    await pool.end();
    const url = new URL(base);
    Object.assign(url, { username: name, pathname: `/${name}` });
    return { url: url.href, schema: 'alone' };
  };

  const isEncrypted = async (query: string, host?: string): Promise<boolean> => {
    const pool = openPool({ url: urlWith(query, host), max: 1 });
    try {
      const { rows } = await pool.query<{ ssl: boolean }>('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
      return rows[0]?.ssl ?? false;
    } finally {
      await pool.end();
    }
  };

  it('roles that nobody has made and the user may not make are asked for, and the tables are there all the same', async () => {
    const { url, schema } = await aloneInDatabase('plain', '');
    const { notice } = await migrate({ url, schema });
    expect(notice).toMatch(/^The roles weir_owner, weir_worker, weir_reader are missing, and plain may not make them/);
    expect(notice).toContain(
      '"create role weir_owner nologin; create role weir_worker nologin; create role weir_reader nologin"',
    );
    const pool = openPool({ url, max: 1 });
    await pool.query(`select ${schema}.ensure_event_days('{2026-11-01}')`);
    await pool.end();
  });

  it('roles are made by a user who may make roles, though no superuser, and the schema is given to weir_owner', async () => {
    const { url, schema } = await aloneInDatabase('creator', 'createrole');
    expect(await migrate({ url, schema })).toMatchObject({ notice: null });
    expect(await migrate({ url, schema })).toMatchObject({ applied: [], notice: null });
    const pool = openPool({ url, max: 1 });
    const { rows } = await pool.query('select nspowner::regrole::text as owner from pg_namespace where nspname = $1', [
      schema,
    ]);
    await pool.end();
    expect(rows).toEqual([{ owner: 'weir_owner' }]);
  });

  it.each([
    [
      'verify-full with the right authority and host',
      () => `sslmode=verify-full&sslrootcert=${authority.ca}`,
      '127.0.0.1',
    ],
    [
      'verify-ca with the right authority, whatever the host',
      () => `sslmode=verify-ca&sslrootcert=${authority.ca}`,
      'localhost',
    ],
    ['require, whoever signed the certificate', () => 'sslmode=require', '127.0.0.1'],
  ])('encrypts with %s', async (_what, query, host) => {
    expect(await isEncrypted(query(), host)).toBe(true);
  });

  it('does not encrypt with disable, nor where the URL says nothing', async () => {
    expect(await isEncrypted('sslmode=disable')).toBe(false);
    expect(await isEncrypted('')).toBe(false);
  });

  it('is reached by lease, probe, doctor and migration with verify-full', async () => {
    const url = urlWith(`sslmode=verify-full&sslrootcert=${authority.ca}`);
    const lease = await openLeaseSession({ url, partition: 0 });
    const { rows } = await lease.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    expect(rows).toEqual([{ ssl: true }]);
    await lease.end();
    const ping = new PostgresPing(url);
    await ping.ask();
    ping.cut('the test is over');
    expect((await checkPostgres(url)).version).not.toBe('');
    expect(await migrate({ url, schema: 'over_tls' })).toMatchObject({ notice: null });
  });

  it.each([
    [
      'verify-full and another authority',
      () => `sslmode=verify-full&sslrootcert=${stranger.ca}`,
      { host: '127.0.0.1', says: /sslrootcert/ },
    ],
    [
      'verify-full and the authorities of Node',
      () => 'sslmode=verify-full',
      { host: '127.0.0.1', says: /sslrootcert/ },
    ],
    [
      'verify-full and another host',
      () => `sslmode=verify-full&sslrootcert=${authority.ca}`,
      { host: 'localhost', says: /set the host in/ },
    ],
    [
      'verify-ca and another authority',
      () => `sslmode=verify-ca&sslrootcert=${stranger.ca}`,
      { host: '127.0.0.1', says: /sslrootcert/ },
    ],
    [
      'require with another authority, which makes it verify-ca',
      () => `sslmode=require&sslrootcert=${stranger.ca}`,
      { host: '127.0.0.1', says: /sslrootcert/ },
    ],
    [
      'an authority whose file is not there',
      () => 'sslmode=verify-full&sslrootcert=/none.crt',
      { host: '127.0.0.1', says: /sslrootcert=\/none.crt .* cannot be read/ },
    ],
  ])('is not believed with %s, and says what to set and no password', async (_what, query, { host, says }) => {
    const url = urlWith(query(), host);
    const asked = [
      async () => await isEncrypted(query(), host),
      async () => await new PostgresPing(url).ask(),
      async () => await checkPostgres(url),
    ];
    for (const ask of asked) {
      const said = await ask().then(String, String);
      expect(said).toMatch(says);
      expect(said).not.toContain(SECRET);
    }
  });

  it('a server without TLS is refused by whoever requires it', async () => {
    const url = `${inject('servers').postgresUrl}?sslmode=require`;
    await expect(openPool({ url }).query('select 1')).rejects.toThrow(/does not support SSL.*sslmode=disable/);
  });
});
