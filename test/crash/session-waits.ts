// Waits for what the sessions of a test's own schema are doing in PostgreSQL.
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';

const SOON_MS = 30_000;

/** Waits until a session is in the middle of the COPY into `table`; with rows: some of them have come. */
export async function untilInCopy(
  { pool, schema }: TestDatabase,
  { table, withRows }: { table: 'events' | 'dead_letters'; withRows: boolean },
): Promise<void> {
  const inCopy = async (): Promise<boolean> => {
    const { rows } = await pool.query(
      'select from pg_stat_progress_copy where relid = $1::regclass and (bytes_processed > 0 or not $2)',
      [`${schema}.${table}`, withRows],
    );
    return rows.length > 0;
  };
  await eventually(inCopy, { deadlineMs: SOON_MS, what: `a session is in the middle of the COPY into ${table}` });
}

/** Waits until no session is at work any more: what was cut off is over. */
export async function untilQuiet({ pool, schema }: TestDatabase): Promise<void> {
  const isQuiet = async (): Promise<boolean> => {
    const { rows } = await pool.query(
      `select from pg_stat_activity where position($1 in query) > 0 and state = 'active' and pid <> pg_backend_pid()`,
      [schema],
    );
    return rows.length === 0;
  };
  await eventually(isQuiet, { deadlineMs: SOON_MS, what: 'the sessions that were cut off are over' });
}
