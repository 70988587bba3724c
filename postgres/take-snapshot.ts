// Taking a snapshot: checkpoints and results of a pipeline copied as they are at one moment, while it goes on.
import type pg from 'pg';

import { AGGREGATES } from '../pipeline/aggregates.ts';
import { FUNNEL, SESSIONS } from '../pipeline/session.ts';
import { copyTables } from './copied-tables.ts';
import type { CopyProgress } from './copied-tables.ts';
import { withTransaction } from './pool.ts';
import { quoteSchema } from './schema-name.ts';
import { SnapshotError, describeItself, quoteHome, readSnapshot, snapshotHome } from './snapshots.ts';
import type { Snapshot } from './snapshots.ts';
import { LOCK_NOT_AVAILABLE, isConflict, sqlState } from './sqlstate.ts';

type TakeInput = {
  readonly schema: string;
  readonly name: string;
  readonly onProgress?: (progress: CopyProgress) => void;
};

/** What a snapshot holds: where the pipeline stands, and what it has found out. Not what it has read. */
const SNAPSHOT_TABLES: readonly string[] = [
  'checkpoints',
  'checkpoint_runs',
  'gaps',
  'closed_through',
  'windows',
  'amendments',
  ...AGGREGATES.map(({ name }) => name),
  SESSIONS,
  'open_sessions',
  FUNNEL,
  'pending_funnels',
];

/** A migration under way holds the tables for seconds. */
const LOCK_WITHIN_MS = 10_000;

/** The copying transaction: no limit of time, the cores stay ingestion's, and compiling takes longer than what it saves. */
export const COPY_SESSION = `set local lock_timeout = ${LOCK_WITHIN_MS}; set local statement_timeout = 0; set local jit = off;
  set local max_parallel_workers_per_gather = 0`;

/**
 * Takes a snapshot and returns it. One REPEATABLE READ transaction, so all of it is of one moment and a crash leaves nothing.
 * It does not hold the clock, and so keeps nobody from committing or closing: whatever these tables have in common, a batch,
 * a close and an amendment each change in one transaction, and one is seen whole or not at all. Throws SnapshotError when the
 * name is taken.
 */
export async function takeSnapshot(pool: pg.Pool, { schema, name, onProgress }: TakeInput): Promise<Snapshot> {
  const home = snapshotHome(schema, name);
  const [live, copy] = [quoteSchema(schema), quoteHome(home)];
  const qualified = SNAPSHOT_TABLES.map((table) => `${live}.${table}`).join(', ');
  try {
    return await withTransaction(pool, { isolation: 'repeatable read' }, async (client) => {
      await client.query(COPY_SESSION);
      // Before the first statement that reads, and so before the moment is fixed: a table that a migration rewrites after
      // that moment would look empty. Only migrations wait for this lock, and only for them it waits.
      await client.query(`lock table ${qualified} in access share mode`);
      await client.query(`create schema ${copy}`);
      for (const table of SNAPSHOT_TABLES) await client.query(`create table ${copy}.${table} (like ${live}.${table})`);
      const tables = await copyTables(client, { from: live, to: copy, tables: SNAPSHOT_TABLES, onProgress });
      await describeItself(client, { name, schema, home, tables });
      await client.query(`analyze ${SNAPSHOT_TABLES.map((table) => `${copy}.${table}`).join(', ')}`);
      return await readSnapshot(client, schema, name);
    });
  } catch (error) {
    throw refusal(error, { schema, name, home }) ?? error;
  }
}

/** Another snapshot with this name, made before or at this very time. */
const NAME_TAKEN = new Set(['42P06', '23505']);

function refusal(error: unknown, { schema, name, home }: { schema: string; name: string; home: string }): Error | null {
  if (NAME_TAKEN.has(sqlState(error) ?? '')) {
    return new SnapshotError(
      `There is a schema ${home} already; choose another name, or drop the snapshot with \`weir snapshot drop ${name}\`.`,
      { cause: error },
    );
  }
  if (sqlState(error) === LOCK_NOT_AVAILABLE || isConflict(error)) {
    return new SnapshotError(
      `The tables of schema ${schema} are being migrated; take the snapshot when that is over.`,
      {
        cause: error,
      },
    );
  }
  return null;
}
