// Logins of a test's own on the real PostgreSQL, each a member of one of Weir's group roles; gone when the test file is over.
import { randomBytes } from 'node:crypto';

import type pg from 'pg';
import { afterAll, inject } from 'vitest';

import { openPool } from '../../postgres/pool.ts';

export type Login = { readonly name: string; readonly password: string; readonly url: string; readonly pool: pg.Pool };

/** A login that is a member of `role` and of nothing else; of nothing at all where none is named. `may`: further attributes. */
export async function loginOf(role: string | null, { may = '' }: { may?: string } = {}): Promise<Login> {
  const url = new URL(inject('servers').postgresUrl);
  const name = `login_${randomBytes(5).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  const admin = openPool({ url: url.href, max: 1 });
  const membership = role === null ? '' : `in role ${role}`;
  await admin.query(`create role ${name} login password '${password}' ${may} ${membership}`);
  Object.assign(url, { username: name, password });
  const pool = openPool({ url: url.href, max: 4, applicationName: name });
  cleanUps.push(async () => {
    await pool.end();
    await admin.query(`drop owned by ${name} cascade; drop role ${name}`);
    await admin.end();
  });
  return { name, password, url: url.href, pool };
}

/** The login in a database that belongs to it. */
export async function ownDatabase(login: Login): Promise<Login> {
  const database = `db_${randomBytes(5).toString('hex')}`;
  const admin = openPool({ url: inject('servers').postgresUrl, max: 1 });
  await admin.query(`create database ${database} owner ${login.name}`);
  const url = new URL(login.url);
  url.pathname = database;
  const pool = openPool({ url: url.href, max: 1 });
  // Before its owner goes.
  cleanUps.unshift(async () => {
    await pool.end();
    await admin.query(`drop database ${database} with (force)`);
    await admin.end();
  });
  return { ...login, url: url.href, pool };
}

const cleanUps: (() => Promise<void>)[] = [];

afterAll(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
});
