// The pool: what becomes of transactions whose connection dies.
import { expect, test } from 'vitest';

import { withTransaction } from '../../postgres/pool.ts';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';

test('a session that dies inside a transaction fails the transaction and nothing else', async () => {
  const { pool } = await freshDatabase();
  const reports: unknown[] = [];
  const report = (error: unknown): void => void reports.push(error);
  process.once('uncaughtException', report);
  try {
    for (const work of ['select pg_sleep(60)', 'select 1']) {
      const transaction = withTransaction(pool, {}, async (client) => {
        const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
        const asked = client.query(work);
        // It may fail before it is waited for.
        asked.catch(() => {});
        await pool.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
        await asked;
        const isGone = async (): Promise<boolean> =>
          (await pool.query('select from pg_stat_activity where pid = $1', [rows[0]?.pid])).rowCount === 0;
        await eventually(isGone, { deadlineMs: 10_000, what: 'the session is over' });
        await client.query('select 2');
      });
      await expect(transaction).rejects.toThrow(/terminat|not queryable|ECONNRESET/);
    }
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    expect(reports).toEqual([]);
  } finally {
    process.removeListener('uncaughtException', report);
  }
});

test('a process that freezes inside a transaction does not hold its locks for ever', async () => {
  const { pool } = await freshDatabase();
  const { rows } = await pool.query<{ ms: number }>(
    `select setting::int as ms from pg_settings where name = 'idle_in_transaction_session_timeout'`,
  );
  expect(rows[0]?.ms).toBeGreaterThan(0);
});
