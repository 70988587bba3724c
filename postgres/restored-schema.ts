// A schema restored from a snapshot: results to look at, and no pipeline. Its checkpoints say that messages were read whose
// events are not there, so whatever went on in it would close windows without them.
import { escapeLiteral } from 'pg';
import type pg from 'pg';

import { ForeignSchemaError } from './checkpoints.ts';
import { toMs } from './instant.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';
import type { Snapshot } from './snapshots.ts';
import { RESTORED } from './sqlstate.ts';

/** What was to be done needs the events, and this schema has none. */
class RestoredSchemaError extends ForeignSchemaError {
  override readonly name = 'RestoredSchemaError';
}

const sentence = (schema: string, { name, schema: of }: Pick<Snapshot, 'name' | 'schema'>): string =>
  `Schema ${schema} was restored from snapshot ${name} of schema ${of}, to be read and compared: its events are not there, so nothing can be ingested, closed, rebuilt or verified in it; name the schema of a pipeline (WEIR_SCHEMA).`;

/**
 * Marks the schema, and makes it refuse what a lease, a close, an amendment, a rebuild and a rewind begin with. The refusal is
 * the tables' own, so that workers of every build meet it.
 */
export async function markRestored(client: pg.ClientBase, schema: string, snapshot: Snapshot): Promise<void> {
  const tables = quoteSchema(schema);
  await client.query(
    `create table ${tables}.restored_from (only_row boolean primary key default true check (only_row), snapshot text not null,
       of_schema text not null, taken_at timestamptz not null, restored_at timestamptz not null default now())`,
  );
  await client.query(
    `insert into ${tables}.restored_from (snapshot, of_schema, taken_at) values ($1, $2, to_timestamp($3 / 1000.0))`,
    [snapshot.name, snapshot.schema, snapshot.takenAtMs],
  );
  await client.query(`
    create function ${tables}.refuse_to_go_on() returns trigger language plpgsql as $$ begin
      raise exception using message = ${escapeLiteral(sentence(schema, snapshot))}, errcode = '${RESTORED}';
    end $$;
    create trigger restored before insert or update of next_offset, epoch on ${tables}.checkpoints
      for each statement execute function ${tables}.refuse_to_go_on();
    create trigger restored before insert or update on ${tables}.closed_through
      for each statement execute function ${tables}.refuse_to_go_on()`);
}

type RestoredFrom = Pick<Snapshot, 'name' | 'schema' | 'takenAtMs'>;

/** The snapshot that a schema was restored from, and of which schema it is; null for the schema of a pipeline, or none. */
export async function readRestored(db: Queryable, schema: string): Promise<RestoredFrom | null> {
  const table = `${quoteSchema(schema)}.restored_from`;
  const { rows: there } = await db.query<{ is_there: boolean }>('select to_regclass($1) is not null as is_there', [
    table,
  ]);
  if (!there[0]?.is_there) return null;
  const { rows } = await db.query<RestoredFrom>(
    `select snapshot as name, of_schema as schema, ${toMs('taken_at')} as "takenAtMs" from ${table}`,
  );
  return rows[0] ?? null;
}

/** Throws RestoredSchemaError when the schema was restored from a snapshot. */
export async function refuseRestored(db: Queryable, schema: string): Promise<void> {
  const restored = await readRestored(db, schema);
  if (restored !== null) throw new RestoredSchemaError(sentence(schema, restored));
}
