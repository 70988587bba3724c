// The letters of one replay: which ones it means, a page of them with their bytes, their mark once they are sent, their outcomes.
import type pg from 'pg';

import { UNDECIDED } from '../pipeline/dead-letter.ts';
import type { LetterSummary } from '../pipeline/dead-letter.ts';
import type { LetterSelection } from '../pipeline/letter-selection.ts';
import type { Header } from '../pipeline/message.ts';
import type { ReplayOutcomes, ReplayPlan } from '../pipeline/replay.ts';
import { SUMMARY_COLUMNS, toSummary } from './letter-pages.ts';
import type { LetterRow } from './letter-pages.ts';
import { whereSql } from './letter-where.ts';
import { headersFrom } from './letter.ts';
import { withTransaction } from './pool.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

/** A letter with the bytes of its message. */
export type LetterToReplay = LetterSummary & {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
};

/** How many letters the selection has now, the oldest first, at most `limit` (null: all), and up to which id they go. */
export async function planReplay(
  db: Queryable,
  schema: string,
  { selection, limit }: { selection: LetterSelection; limit: number | null },
): Promise<ReplayPlan> {
  const params: unknown[] = [limit];
  const { rows } = await db.query<{ letters: number; through: string }>(
    `select count(*)::float8 as letters, coalesce(max(id), 0)::text as through from (
       select l.id from ${quoteSchema(schema)}.dead_letters l where ${whereSql(selection, params)}
       order by l.id limit $1::bigint
     ) as meant`,
    params,
  );
  return { letters: rows[0]?.letters ?? 0, throughId: rows[0]?.through ?? '0' };
}

/** `after`: id of the last letter of the page before, "0" for the first page. `replay`: letters that it has sent are left out. */
export type ReplayPage = {
  readonly selection: LetterSelection;
  readonly replay: string;
  readonly after: string;
  readonly throughId: string;
  readonly limit: number;
};

/** Of keys, values and headers together; one larger letter still comes, alone. */
const MOST_PAGE_BYTES = 8 * 1_048_576;

/** One page by id, ended early by the size of its letters; empty when there are no more. */
export async function readReplayPage(db: Queryable, schema: string, page: ReplayPage): Promise<LetterToReplay[]> {
  const letters = `${quoteSchema(schema)}.dead_letters`;
  const params: unknown[] = [page.after, page.throughId, page.replay];
  type Row = LetterRow & { key: Buffer | null; value: Buffer | null; headers: unknown };
  const { rows } = await db.query<Row>(
    `with page as materialized (
       select l.id, coalesce(octet_length(l.value), 0) + coalesce(octet_length(l.key), 0) + pg_column_size(l.headers) as bytes
       from ${letters} l
       where ${whereSql(page.selection, params)} and l.id > $1::bigint and l.id <= $2::bigint and l.replay is distinct from $3
       order by l.id limit ${page.limit}
     ), sized as (
       select id, sum(bytes) over (order by id) - bytes as before from page
     )
     select ${SUMMARY_COLUMNS}, l.key, l.value, l.headers
     from sized join ${letters} l on l.id = sized.id where sized.before < ${MOST_PAGE_BYTES} order by l.id`,
    params,
  );
  return rows.map((row) =>
    Object.assign(toSummary(row), { key: row.key, value: row.value, headers: headersFrom(row.headers) }),
  );
}

/**
 * Marks letters as sent by this replay. The pipeline may have been faster: what it has written about a letter stays. Held by
 * id, as ingestion holds them, so that the two never wait for each other.
 */
export async function markSent(
  pool: pg.Pool,
  schema: string,
  { replay, ids }: { replay: string; ids: readonly string[] },
): Promise<void> {
  if (ids.length === 0) return;
  const letters = `${quoteSchema(schema)}.dead_letters`;
  await withTransaction(pool, {}, async (client) => {
    await client.query(`select from ${letters} where id = any($1::bigint[]) order by id for update`, [ids]);
    await client.query(
      `update ${letters}
          set replay = $2, sent_at = clock_timestamp(), status = case when status = any($3) then 'sent' else status end
        where id = any($1::bigint[])`,
      [ids, replay, UNDECIDED],
    );
  });
}

/** What became of all letters that this replay has sent. */
export async function countOutcomes(db: Queryable, schema: string, replay: string): Promise<ReplayOutcomes> {
  const letters = `${quoteSchema(schema)}.dead_letters`;
  const { rows } = await db.query<ReplayOutcomes>(
    `select count(*)::float8 as sent,
       count(*) filter (where status = 'recovered')::float8 as recovered,
       count(*) filter (where status = 'replaced')::float8 as replaced,
       count(*) filter (where status = 'sent')::float8 as undecided,
       (select count(*) from ${letters} c join ${letters} p on p.id = c.parent
         where p.replay = $1 and p.status = 'replaced' and c.status = 'parked')::float8 as parked
     from ${letters} where replay = $1`,
    [replay],
  );
  return rows[0] ?? { sent: 0, recovered: 0, replaced: 0, parked: 0, undecided: 0 };
}

/** Letters of this replay whose outcome is not known yet; cheap, however many it has sent. */
export async function countUndecided(db: Queryable, schema: string, replay: string): Promise<number> {
  const { rows } = await db.query<{ letters: number }>(
    `select count(*)::float8 as letters from ${quoteSchema(schema)}.dead_letters where status = 'sent' and replay = $1`,
    [replay],
  );
  return rows[0]?.letters ?? 0;
}
