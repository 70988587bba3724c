// Snapshots: schemas beside a pipeline's own, each with its checkpoints and results as they were at one moment. A snapshot
// describes itself in a table `snapshot`, so nothing of it is left anywhere else when its schema is dropped.
import { escapeIdentifier } from 'pg';
import type pg from 'pg';

import { must } from '../pipeline/ensure.ts';
import { snapshotName } from '../pipeline/setting-values.ts';
import { msOrNull, toMs } from './instant.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';
import { UNDEFINED_TABLE, sqlState } from './sqlstate.ts';

/** A snapshot could not be taken, found, restored or compared; `message` says why and what to do next. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

type SnapshotTable = { readonly name: string; readonly rows: number };
type SnapshotPartition = {
  readonly partition: number;
  readonly run: number;
  /** A decimal string, as everywhere behind PostgreSQL. */
  readonly nextOffset: string;
  readonly recorded: number;
};

/**
 * One snapshot. `home`: the schema it lies in; `version`: that of its tables; `bytes`: what it takes on disk. `topic` null:
 * nothing had been ingested. Result tables hold the windows that end by `writtenThroughMs` (null: none was closed yet).
 */
export type Snapshot = {
  readonly name: string;
  readonly schema: string;
  readonly home: string;
  readonly version: number;
  readonly takenAtMs: number;
  readonly topic: string | null;
  readonly closedThroughMs: number | null;
  readonly writtenThroughMs: number | null;
  readonly partitions: readonly SnapshotPartition[];
  readonly tables: readonly SnapshotTable[];
  readonly bytes: number;
};

/** Names of schemas have at most this many bytes; PostgreSQL cuts longer ones off without a word. */
const LONGEST_NAME = 63;

/** The schema that a snapshot of `schema` lies in; needs no quotes. Throws where the two names together are too long. */
export function snapshotHome(schema: string, name: string): string {
  const home = `${prefixOf(schema)}${snapshotName(name)}`;
  if (home.length > LONGEST_NAME) {
    throw new SnapshotError(
      `The schema of the snapshot would be called ${home}, which is longer than PostgreSQL's ${LONGEST_NAME}; choose a name of at most ${LONGEST_NAME - prefixOf(schema).length} characters.`,
    );
  }
  return home;
}

const prefixOf = (schema: string): string => `${schema}_snapshot_`;
/** For SQL. */
export const quoteHome = (home: string): string => escapeIdentifier(home);

/** All snapshots of the schema, oldest first. */
export async function readSnapshots(db: Queryable, schema: string): Promise<Snapshot[]> {
  const { rows } = await db.query<{ home: string }>(
    `select nspname as home from pg_namespace
     where starts_with(nspname, $1) and to_regclass(quote_ident(nspname) || '.snapshot') is not null`,
    [prefixOf(schema)],
  );
  const found: Snapshot[] = [];
  for (const { home } of rows) {
    const snapshot = await describe(db, home);
    if (snapshot?.schema === schema) found.push(snapshot);
  }
  return found.toSorted((one, other) => one.takenAtMs - other.takenAtMs);
}

/** The snapshot with this name. Throws SnapshotError when there is none. */
export async function readSnapshot(db: Queryable, schema: string, name: string): Promise<Snapshot> {
  const snapshot = await describe(db, snapshotHome(schema, name));
  if (snapshot?.schema === schema) return snapshot;
  throw new SnapshotError(`Schema ${schema} has no snapshot ${name}; \`weir snapshot list\` names those there are.`);
}

/** Drops the snapshot with everything in its schema. Schemas that were restored from it stay. Throws when there is none. */
export async function dropSnapshot(db: Queryable, schema: string, name: string): Promise<Snapshot> {
  const snapshot = await readSnapshot(db, schema, name);
  await db.query(`drop schema ${quoteHome(snapshot.home)} cascade`);
  return snapshot;
}

type SnapshotRow = {
  name: string;
  schema: string;
  version: number;
  taken_ms: number;
  topic: string | null;
  closed_ms: number | null;
  written_ms: number | null;
  partitions: SnapshotPartition[];
  tables: SnapshotTable[];
  bytes: number;
};

/** Null where the schema is no snapshot. */
async function describe(db: Queryable, home: string): Promise<Snapshot | null> {
  const tables = quoteHome(home);
  try {
    const { rows } = await db.query<SnapshotRow>(
      `select s.name, s.of_schema as schema, s.version, ${toMs('s.taken_at')} as taken_ms, s.tables,
         (select min(topic) from ${tables}.checkpoints) as topic,
         (select ${toMs('max(closed_through)')} from ${tables}.closed_through) as closed_ms,
         (select ${toMs('max(written_through)')} from ${tables}.closed_through) as written_ms,
         (select coalesce(json_agg(json_build_object('partition', partition, 'run', run, 'nextOffset', next_offset::text,
            'recorded', recorded) order by partition), '[]') from ${tables}.checkpoints) as partitions,
         (select sum(pg_total_relation_size(c.oid))::float8 from pg_class c
          where c.relnamespace = to_regnamespace($1) and c.relkind = 'r') as bytes
       from ${tables}.snapshot s`,
      [tables],
    );
    const { taken_ms: takenAtMs, closed_ms: closed, written_ms: written, ...row } = must(rows[0], `the row of ${home}`);
    return { ...row, home, takenAtMs, closedThroughMs: msOrNull(closed), writtenThroughMs: msOrNull(written) };
  } catch (error) {
    if (sqlState(error) === UNDEFINED_TABLE) return null;
    throw error;
  }
}

/** Writes the row by which a snapshot describes itself. */
export async function describeItself(
  client: pg.ClientBase,
  { name, schema, home, tables }: Pick<Snapshot, 'name' | 'schema' | 'home' | 'tables'>,
): Promise<void> {
  await client.query(
    `create table ${quoteHome(home)}.snapshot (only_row boolean primary key default true check (only_row), name text not null,
       of_schema text not null, version int not null, taken_at timestamptz not null, tables jsonb not null)`,
  );
  await client.query(
    `insert into ${quoteHome(home)}.snapshot (name, of_schema, version, taken_at, tables)
     select $1, $2, (select max(version) from ${quoteSchema(schema)}.schema_version), now(), $3::jsonb`,
    [name, schema, JSON.stringify(tables)],
  );
}
