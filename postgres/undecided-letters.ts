// Dead letters that wait for somebody, counted often: the cost is bounded, however many there are.
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

/** `atLeast`: there are more than were counted. `reasons`: of the open ones, most frequent first. */
export type UndecidedLetters = {
  readonly open: number;
  readonly parked: number;
  readonly atLeast: boolean;
  readonly reasons: readonly { readonly reason: string; readonly letters: number }[];
};

const MOST_COUNTED = 100_000;

export async function countUndecidedLetters(db: Queryable, schema: string): Promise<UndecidedLetters> {
  const counted = (status: string): string =>
    `(select status, reason from ${quoteSchema(schema)}.dead_letters where status = '${status}' limit ${MOST_COUNTED})`;
  const { rows } = await db.query<{ status: string; reason: string; letters: number }>(
    `select status, reason, count(*)::float8 as letters from (${counted('open')} union all ${counted('parked')}) as counted
     group by 1, 2 order by letters desc, reason`,
  );
  const sum = (status: string): number =>
    rows.filter((row) => row.status === status).reduce((total, { letters }) => total + letters, 0);
  const [open, parked] = [sum('open'), sum('parked')];
  return {
    open,
    parked,
    atLeast: open === MOST_COUNTED || parked === MOST_COUNTED,
    reasons: rows.filter(({ status }) => status === 'open').map(({ reason, letters }) => ({ reason, letters })),
  };
}
