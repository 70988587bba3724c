// What PostgreSQL's errors mean, each of them a real one: whether a row, a conflict or the server is to blame.
import { Client } from 'pg';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { fusedCopy } from '../../postgres/fused-copy.ts';
import { clientConfig } from '../../postgres/pool.ts';
import { serverTrouble } from '../../postgres/server-trouble.ts';
import { isConflict, isDataError, isDuplicate, sqlState } from '../../postgres/sqlstate.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';

let database: TestDatabase;
let client: Client;
const clients: Client[] = [];

beforeAll(async () => {
  database = await freshDatabase();
  client = await connect();
  await client.query(`create table ${database.schema}.rows (id int primary key, note text unique)`);
  await client.query(`insert into ${database.schema}.rows values (1, 'one'), (2, 'two')`);
});

afterAll(async () => {
  await Promise.all(clients.map((each) => each.end()));
});

async function connect(url = database.url): Promise<Client> {
  const opened = new Client(clientConfig({ url }));
  opened.on('error', () => {});
  clients.push(opened);
  await opened.connect();
  return opened;
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => null,
    (error: unknown) => error,
  );
}

/** The verdicts on what a failed piece of work threw. */
async function verdictOn(work: Promise<unknown>): Promise<Record<string, unknown>> {
  const error = await failureOf(work);
  return {
    state: sqlState(error),
    blames: isDataError(error) ? 'a row' : isConflict(error) ? 'a conflict' : isDuplicate(error) ? 'a duplicate' : null,
  };
}

test.each([
  ['22003', `select 1e10::int4`],
  ['22008', `select '2026-02-30'::date`],
  ['22021', `select convert_from('\\xff', 'UTF8')`],
  ['22P02', `select 'x'::int`],
  ['22P05', `select '"\\u0000"'::jsonb`],
  ['54001', `select repeat('[', 1000000)::jsonb`],
])('%s blames a row', async (state, sql) => {
  expect(await verdictOn(client.query(sql))).toEqual({ state, blames: 'a row' });
});

test('54000 blames a row: its key does not fit the index', async () => {
  const insert = `insert into ${database.schema}.rows select 3, string_agg(gen_random_uuid()::text, '') from generate_series(1, 1000)`;
  expect(await verdictOn(client.query(insert))).toEqual({ state: '54000', blames: 'a row' });
});

test('23505 says that a row is there already', async () => {
  const insert = `insert into ${database.schema}.rows values (1)`;
  expect(await verdictOn(client.query(insert))).toEqual({ state: '23505', blames: 'a duplicate' });
});

test('what this program wrote wrongly around the values blames no row', async () => {
  const copy = `copy ${database.schema}.rows (id) from stdin (format binary)`;
  const head = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
  const long = Buffer.from([0, 1, 0, 0, 0, 5, 0, 0, 0, 7, 0, 0xff, 0xff]);
  expect(await verdictOn(fusedCopy(client, copy, [Buffer.from('no copy data')]))).toEqual({
    state: '22P04',
    blames: null,
  });
  expect(await verdictOn(fusedCopy(client, copy, [Buffer.concat([head, long])]))).toEqual({
    state: '22P03',
    blames: null,
  });
  expect(await verdictOn(client.query(`set timezone = 'nowhere'`))).toEqual({ state: '22023', blames: null });
});

test('40001 is a conflict: the row changed after the snapshot was taken', async () => {
  const other = await connect();
  await other.query('begin isolation level repeatable read');
  await other.query(`select * from ${database.schema}.rows`);
  await client.query(`update ${database.schema}.rows set note = 'changed' where id = 1`);
  const update = other.query(`update ${database.schema}.rows set note = 'mine' where id = 1`);
  expect(await verdictOn(update)).toEqual({ state: '40001', blames: 'a conflict' });
});

test('40P01 is a conflict: two transactions waited for each other', async () => {
  const sessions: [pg.Client, pg.Client] = [await connect(), await connect()];
  const touch = async (session: pg.Client, id: number): Promise<unknown> =>
    await session.query(`update ${database.schema}.rows set id = id where id = $1`, [id]);
  for (const session of sessions) await session.query('begin');
  await touch(sessions[0], 1);
  await touch(sessions[1], 2);
  const verdicts = await Promise.all(
    [touch(sessions[0], 2), touch(sessions[1], 1)].map(async (work, index) => {
      const verdict = await verdictOn(work);
      await sessions[index]?.query('rollback');
      return verdict;
    }),
  );
  expect(verdicts).toContainEqual({ state: '40P01', blames: 'a conflict' });
});

test.each([
  ['25006', `begin read only; create table ROWS_2 (); commit`, 'takes no writes'],
  ['57014', `set statement_timeout = 20; select pg_sleep(10)`, 'cancelled'],
])('%s is the trouble of the server, and the sentence says what ends it', async (state, sql, meaning) => {
  const failure = await failureOf((await connect()).query(sql.replace('ROWS', `${database.schema}.rows`)));
  expect(sqlState(failure)).toBe(state);
  expect([isDataError(failure), isConflict(failure), isDuplicate(failure)]).toEqual([false, false, false]);
  expect(serverTrouble(failure)).toContain(meaning);
});

test('55P03 is the trouble of the server: somebody holds a lock', async () => {
  const holder = await connect();
  await holder.query(`begin; lock table ${database.schema}.rows`);
  const failure = await failureOf(client.query(`begin; lock table ${database.schema}.rows nowait`));
  await client.query('rollback');
  await holder.query('rollback');
  expect([sqlState(failure), isConflict(failure)]).toEqual(['55P03', false]);
  expect(serverTrouble(failure)).toContain('pg_locks');
});

test('53300 is the trouble of the server: it has no connection left', async () => {
  const role = `few_${database.schema}`;
  await client.query(`create role ${role} login connection limit 0 password 'x'`);
  const url = new URL(database.url);
  Object.assign(url, { username: role, password: 'x' });
  const failure = await failureOf(connect(url.href));
  await client.query(`drop role ${role}`);
  expect(sqlState(failure)).toBe('53300');
  expect(serverTrouble(failure)).toContain('max_connections');
});

test('57P01 is the trouble of the server: the session was ended', async () => {
  const victim = await connect();
  const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid');
  const asleep = failureOf(victim.query('select pg_sleep(60)'));
  await eventually(
    async () => {
      const { rowCount } = await client.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and state = 'active'`,
        [rows[0]?.pid],
      );
      return rowCount === 1;
    },
    { deadlineMs: 10_000, what: 'the session sleeps' },
  );
  const failure = await asleep;
  expect(sqlState(failure)).toBe('57P01');
  expect(serverTrouble(failure)).toContain('nothing is to be done');
});

test('a session that ended while it had nothing to do says so, instead of the words of a library', async () => {
  const victim = await connect();
  const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid');
  await client.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
  const isGone = async (): Promise<boolean> =>
    (await client.query('select from pg_stat_activity where pid = $1', [rows[0]?.pid])).rowCount === 0;
  await eventually(isGone, { deadlineMs: 10_000, what: 'the session is over' });
  expect(serverTrouble(await failureOf(victim.query('select 1')))).toContain('has ended under this work');
});

test("Node's names of errors are no SQLSTATE, even those of five letters", () => {
  const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
  expect([sqlState(broken), isDataError(broken), serverTrouble(broken)]).toEqual([null, false, null]);
});
