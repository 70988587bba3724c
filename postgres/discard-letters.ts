// Giving up dead letters: they stay, marked as discarded with the reason and the time, in transactions of a bounded size.
import { UNDECIDED } from '../pipeline/dead-letter.ts';
import type { LetterSelection } from '../pipeline/letter-selection.ts';
import { whereSql } from './letter-where.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

const LETTERS_A_TRANSACTION = 5_000;

/** `throughId`: younger letters, which nobody has seen yet, are left alone. `note`: why, for those who come later. */
export type Discard = {
  readonly selection: LetterSelection;
  readonly throughId: string;
  readonly note: string;
  readonly perTransaction?: number;
  /** Told after every transaction how many are discarded so far. */
  readonly onProgress?: (discarded: number) => void;
};

/**
 * Discards the letters of the selection that are open or parked; answers how many. Doing it again finds none of them, so that
 * a call that was cut off is simply repeated.
 */
export async function discardLetters(db: Queryable, schema: string, discard: Discard): Promise<number> {
  const { perTransaction = LETTERS_A_TRANSACTION, onProgress } = discard;
  let discarded = 0;
  let after = '0';
  for (;;) {
    const done = await discardNext(db, schema, { ...discard, after, perTransaction });
    discarded += done.length;
    if (done.length > 0) onProgress?.(discarded);
    const last = done.at(-1);
    if (last === undefined || done.length < perTransaction) return discarded;
    after = last;
  }
}

type Step = Discard & { readonly after: string; readonly perTransaction: number };

/** One transaction; the ids it discarded, ascending. A replay that takes a letter at the same moment wins, or comes too late. */
async function discardNext(db: Queryable, schema: string, step: Step): Promise<string[]> {
  const letters = `${quoteSchema(schema)}.dead_letters`;
  const params: unknown[] = [step.note, UNDECIDED, step.after, step.throughId];
  const { rows } = await db.query<{ id: string }>(
    `with next as materialized (
       select l.id from ${letters} l
       where ${whereSql(step.selection, params)} and l.status = any($2::text[]) and l.id > $3::bigint and l.id <= $4::bigint
       order by l.id limit ${step.perTransaction} for update
     ), discarded as (
       update ${letters} l set status = 'discarded', note = $1, closed_at = clock_timestamp()
       from next where l.id = next.id returning l.id
     )
     select id::text as id from discarded order by discarded.id`,
    params,
  );
  return rows.map(({ id }) => id);
}

/** The youngest letter, "0" where there is none. */
export async function youngestLetter(db: Queryable, schema: string): Promise<string> {
  const { rows } = await db.query<{ id: string }>(
    `select coalesce(max(id), 0)::text as id from ${quoteSchema(schema)}.dead_letters`,
  );
  return rows[0]?.id ?? '0';
}

/** Of these letters, the state of those that exist. */
export async function letterStates(
  db: Queryable,
  schema: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await db.query<{ id: string; status: string }>(
    `select id::text as id, status from ${quoteSchema(schema)}.dead_letters where id = any($1::bigint[])`,
    [ids],
  );
  return new Map(rows.map(({ id, status }) => [id, status]));
}
