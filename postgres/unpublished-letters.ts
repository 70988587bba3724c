// The dead letters that the topic of dead letters does not hold yet, in the order of their ids.
//
// published_at says how far a letter is: null (it waits; the index dead_letters_unpublished holds these), a time (Kafka has
// confirmed it), or -infinity (Kafka refused it for its size; it no longer waits, so that it cannot hold others back). After
// the topic was given a larger max.message.bytes, setting -infinity to null again publishes those too.
import { must } from '../pipeline/ensure.ts';
import type { LetterToPublish } from '../pipeline/published-letter.ts';
import { headersFrom } from './letter.ts';
import { SUMMARY_COLUMNS, toSummary } from './letter-pages.ts';
import type { LetterRow } from './letter-pages.ts';
import { toMs } from './instant.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

/**
 * At most `letters` of at most `bytes` in all, but always one. `longestBytes`: what a larger letter holds is not read; it
 * comes without.
 */
export type PageLimits = { readonly letters: number; readonly bytes: number; readonly longestBytes: number };

/** `letter` null: it is larger than was asked for. `bytes`: of key, value and headers. */
export type UnpublishedLetter = {
  readonly id: string;
  readonly bytes: number;
  readonly letter: LetterToPublish | null;
};

/** `isLast`: nothing waited behind this page when it was read. */
export type UnpublishedPage = { readonly letters: readonly UnpublishedLetter[]; readonly isLast: boolean };

type Row = LetterRow & { bytes: number; key: Buffer | null; value: Buffer | null; headers: unknown };

/**
 * The first page of letters that wait. There is no place to go on from: a transaction that commits late brings lower ids,
 * so the first page is asked for again once these are marked.
 */
export async function readUnpublishedLetters(
  db: Queryable,
  schema: string,
  { letters: most, bytes: mostBytes, longestBytes }: PageLimits,
): Promise<UnpublishedPage> {
  const whole = (column: string): string => `case when l.bytes <= ${longestBytes} then l.${column} end as ${column}`;
  const { rows } = await db.query<Row>(
    `select ${SUMMARY_COLUMNS}, l.bytes::float8 as bytes, ${['key', 'value', 'headers'].map(whole).join(', ')}
       from (
         select w.*, sum(w.bytes) over (order by w.id) as bytes_so_far
           from (
             select *, coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0) + octet_length(headers::text) as bytes
               from ${quoteSchema(schema)}.dead_letters where published_at is null order by id limit ${most}
           ) as w
       ) as l
      where l.bytes_so_far - l.bytes < ${mostBytes} order by l.id`,
  );
  const letters = rows.map((row) => {
    const { id, bytes, key, value } = row;
    if (bytes > longestBytes) return { id, bytes, letter: null };
    return { id, bytes, letter: { ...toSummary(row), key, value, headers: headersFrom(row.headers) } };
  });
  const total = letters.reduce((sum, { bytes }) => sum + bytes, 0);
  return { letters, isLast: letters.length < most && total < mostBytes };
}

/**
 * Marks letters that Kafka has confirmed. One that a batch holds just now (its replay is being read) is passed over: waiting
 * for it could end in a deadlock, and it is only published twice.
 */
export async function markPublished(db: Queryable, schema: string, ids: readonly string[]): Promise<void> {
  const letters = `${quoteSchema(schema)}.dead_letters`;
  await db.query(
    `with free as (
       select id from ${letters} where id = any($1::bigint[]) and published_at is null order by id for update skip locked
     )
     update ${letters} d set published_at = now() from free where d.id = free.id`,
    [ids],
  );
}

/** Marks a letter that Kafka will not take; `why` becomes its note unless it has one. */
export async function markRefused(
  db: Queryable,
  schema: string,
  { id, why }: { readonly id: string; readonly why: string },
): Promise<void> {
  await db.query(
    `update ${quoteSchema(schema)}.dead_letters set published_at = '-infinity', note = coalesce(note, $2)
      where id = $1::bigint and published_at is null`,
    [id, why],
  );
}

/** Letters that wait, counted often: `atLeast` when there are more than were counted. `waitedMs`: the first by id; 0 of none. */
export type WaitingLetters = { readonly letters: number; readonly atLeast: boolean; readonly waitedMs: number };

const MOST_COUNTED = 100_000;

export async function countUnpublishedLetters(db: Queryable, schema: string): Promise<WaitingLetters> {
  const waiting = `from ${quoteSchema(schema)}.dead_letters where published_at is null`;
  const { rows } = await db.query<{ letters: number; waited_ms: number | null }>(
    `select (select count(*) from (select ${waiting} limit ${MOST_COUNTED}) as counted)::float8 as letters,
       (select ${toMs('now() - created_at')} ${waiting} order by id limit 1) as waited_ms`,
  );
  const { letters, waited_ms: waitedMs } = must(rows[0], 'the row of a count');
  return { letters, atLeast: letters === MOST_COUNTED, waitedMs: waitedMs ?? 0 };
}
