// Restoring a snapshot: a whole schema of Weir's tables in which its checkpoints and results stand, beside the live one.
import { Client } from 'pg';

import { copyTables } from './copied-tables.ts';
import type { CopyProgress } from './copied-tables.ts';
import { createLiveViews } from './live-views.ts';
import { applyMigrations } from './migrate.ts';
import { clientConfig } from './pool.ts';
import { runPromotions } from './promotions.ts';
import { applyRights } from './rights.ts';
import { markRestored } from './restored-schema.ts';
import { quoteSchema } from './schema-name.ts';
import { SnapshotError, quoteHome, readSnapshot } from './snapshots.ts';
import type { Snapshot } from './snapshots.ts';
import { sqlState } from './sqlstate.ts';
import { COPY_SESSION } from './take-snapshot.ts';

type RestoreInput = {
  readonly url: string;
  readonly schema: string;
  readonly name: string;
  /** The schema to make. */
  readonly to: string;
  readonly onProgress?: (progress: CopyProgress) => void;
};

/** `rows`: in all tables together. `version`: that of the tables now, which may be newer than the snapshot's. */
type Restored = { readonly snapshot: Snapshot; readonly rows: number; readonly version: number };

/**
 * Makes the schema `to` from a snapshot of `schema`, in one transaction: a crash leaves nothing. The tables are made at the
 * snapshot's version, filled, and then brought to the newest one like any others. Throws SnapshotError when there is no such
 * snapshot, when `to` is there already or cannot be, and when the snapshot is newer than this build.
 */
export async function restoreSnapshot({ url, schema, name, to, onProgress }: RestoreInput): Promise<Restored> {
  const client = new Client(clientConfig({ url, applicationName: 'weir restore' }));
  // A broken connection also fails the statement under way; without a listener it would end the process.
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query('begin');
    await client.query(COPY_SESSION);
    const snapshot = await readSnapshot(client, schema, name);
    const tables = snapshot.tables.map((table) => table.name);
    const from = quoteHome(snapshot.home);
    // Nobody drops it meanwhile.
    await client.query(`lock table ${tables.map((table) => `${from}.${table}`).join(', ')} in access share mode`);
    await makeTables(client, snapshot, to);
    const copied = await copyTables(client, { from, to: quoteSchema(to), tables, onProgress });
    await continueNumbers(client, to);
    const { version } = await applyMigrations(client, to);
    await createLiveViews(client, to);
    await markRestored(client, to, snapshot);
    await applyRights(client, to);
    await client.query(`analyze ${tables.map((table) => `${quoteSchema(to)}.${table}`).join(', ')}`);
    await client.query('commit');
    // Without events it only notes that there is nothing to move.
    await runPromotions(client, to);
    return { snapshot, rows: copied.reduce((sum, { rows }) => sum + rows, 0), version };
  } finally {
    await client.end();
  }
}

async function makeTables(client: Client, { name, version }: Snapshot, to: string): Promise<void> {
  if (to.startsWith('pg_')) {
    throw new SnapshotError(`Names that begin with pg_ are PostgreSQL's own; choose another name than ${to}.`);
  }
  try {
    await client.query(`create schema ${quoteSchema(to)}`);
  } catch (error) {
    if (!['42P06', '23505'].includes(sqlState(error) ?? '')) throw error;
    throw new SnapshotError(
      `There is a schema ${to} already, and nothing was changed in it; choose another name, or drop that schema first.`,
      { cause: error },
    );
  }
  const made = await applyMigrations(client, to, version);
  if (made.version < version) {
    throw new SnapshotError(
      `Snapshot ${name} has tables of version ${version}, and this build of Weir knows versions up to ${made.version}; restore it with the build that took it, or a newer one.`,
    );
  }
}

/** The next amendment's number is behind the copied ones. */
async function continueNumbers(client: Client, to: string): Promise<void> {
  const amendments = `${quoteSchema(to)}.amendments`;
  await client.query(
    `select setval(pg_get_serial_sequence($1, 'id'), max(id)) from ${amendments} having max(id) is not null`,
    [amendments],
  );
}
