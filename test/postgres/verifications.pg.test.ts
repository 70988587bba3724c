// Recorded verifications: the newest outcome is what metrics show; a run that could not find out changes no verdict.
import { randomBytes } from 'node:crypto';

import { Client } from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';

import { recordOutcome } from '../../cli/record-verification.ts';
import { resolveSettings } from '../../pipeline/settings.ts';
import type { Settings } from '../../pipeline/settings.ts';
import { readLastVerification, recordVerification } from '../../postgres/verifications.ts';
import type { VerificationRun } from '../../postgres/verifications.ts';
import { freshDatabase } from '../support/database.ts';

const { pool, schema, url } = await freshDatabase();
const WHERE = { schema, topic: 'orders' };
const CHECK = { name: 'offsets', claim: 'they add up', expected: 10, found: 10, differences: 0, examples: [] };
const CLEAN = { verification: { clean: true, differences: 0, checks: [CHECK] } };
const WRONG = { verification: { clean: false, differences: 2, checks: [{ ...CHECK, found: 8, differences: 2 }] } };
const run = (outcome: VerificationRun['outcome']): VerificationRun => ({ elapsedMs: 1500, version: '1.2.3', outcome });

beforeEach(async () => {
  await pool.query(`delete from ${schema}.verifications`);
});

describe('the table of verifications', () => {
  test('knows nothing before the first run, nor of another topic', async () => {
    expect(await readLastVerification(pool, WHERE)).toBeNull();
    await recordVerification(pool, { ...WHERE, topic: 'others' }, run(WRONG));
    expect(await readLastVerification(pool, WHERE)).toBeNull();
  });

  test('gives the newest outcome, and the time of its end', async () => {
    await recordVerification(pool, WHERE, run(WRONG));
    expect(await readLastVerification(pool, WHERE)).toMatchObject({ clean: false });
    await recordVerification(pool, WHERE, run(CLEAN));
    const last = await readLastVerification(pool, WHERE);
    const { rows } = await pool.query<{ at: Date }>('select clock_timestamp() as at');
    expect(last?.clean).toBe(true);
    expect(Math.abs((rows[0]?.at.getTime() ?? 0) - (last?.atMs ?? 0))).toBeLessThan(10_000);
  });

  test('keeps what ran, how long it took, by which version, and how much was wrong', async () => {
    await recordVerification(pool, WHERE, run(WRONG));
    const { rows } = await pool.query(
      `select topic, clean, differences::int, checks, version, problem,
         extract(epoch from finished_at - started_at)::float8 as seconds from ${schema}.verifications`,
    );
    expect(rows).toEqual([
      {
        topic: 'orders',
        clean: false,
        differences: 2,
        checks: [{ name: 'offsets', expected: 10, found: 8, differences: 2 }],
        version: '1.2.3',
        problem: null,
        seconds: 1.5,
      },
    ]);
  });

  test('lists a run that could not find out, and keeps the verdict of the one before', async () => {
    await recordVerification(pool, WHERE, run(CLEAN));
    await recordVerification(pool, WHERE, run({ problem: 'No broker answers.' }));
    expect(await readLastVerification(pool, WHERE)).toMatchObject({ clean: true });
    const { rows } = await pool.query(`select problem from ${schema}.verifications where clean is null`);
    expect(rows).toEqual([{ problem: 'No broker answers.' }]);
  });
});

describe('an outcome that cannot be recorded', () => {
  const settings = (changes: Partial<Settings>): Settings => ({
    ...resolveSettings({ flags: {}, env: {} }).settings,
    kafkaBrokers: ['127.0.0.1:1'],
    temporalAddress: '127.0.0.1:1',
    topic: 'orders',
    schema,
    postgresUrl: url,
    ...changes,
  });
  const record = (changes: Partial<Settings>): Promise<string | null> =>
    recordOutcome(settings(changes), { elapsedMs: 1, outcome: CLEAN });

  test('is recorded where nothing stands in the way', async () => {
    expect(await record({})).toBeNull();
    expect(await readLastVerification(pool, WHERE)).toMatchObject({ clean: true });
  });

  test('says that the schema is older, and an older schema shows no verification', async () => {
    const older = `${schema}_older`;
    await pool.query(`create schema ${older}`);
    try {
      expect(await record({ schema: older })).toMatch(/is of an older version; `weir migrate --schema \w+` adds it\.$/);
      expect(await readLastVerification(pool, { schema: older, topic: 'orders' })).toBeNull();
    } finally {
      await pool.query(`drop schema ${older}`);
    }
  });

  test('says that the role may only read', async () => {
    const role = `reader_${randomBytes(4).toString('hex')}`;
    await pool.query(`create role ${role} login password 'only-reads'`);
    try {
      await pool.query(`grant usage on schema ${schema} to ${role}`);
      await pool.query(`grant select on ${schema}.verifications to ${role}`);
      const asReader = new URL(url);
      asReader.username = role;
      asReader.password = 'only-reads';
      expect(await record({ postgresUrl: asReader.href })).toMatch(
        /the role may not write there; set WEIR_POSTGRES_URL to a login of weir_worker/,
      );
      const client = new Client({ connectionString: asReader.href });
      await client.connect();
      expect(await readLastVerification(client, WHERE)).toBeNull();
      await client.end();
    } finally {
      await pool.query(`drop owned by ${role}`);
      await pool.query(`drop role ${role}`);
    }
  });

  test('says so too when PostgreSQL is gone', async () => {
    expect(await record({ postgresUrl: 'postgres://nobody@127.0.0.1:1/none' })).toMatch(/could not be recorded/);
  });
});
