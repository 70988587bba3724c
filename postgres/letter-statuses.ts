// How many dead letters there are of each status, for those who ask again and again: counted by their index, and not to the end.
import { LETTER_STATUSES } from '../pipeline/dead-letter.ts';
import type { LetterStatus } from '../pipeline/dead-letter.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

const MOST_COUNTED = 100_000;

/** Letters by status, each counted up to 100,000. */
export async function countLettersByStatus(db: Queryable, schema: string): Promise<Record<LetterStatus, number>> {
  const counted = LETTER_STATUSES.map(
    (status) =>
      `(select count(*) from (select from ${quoteSchema(schema)}.dead_letters where status = '${status}' limit ${MOST_COUNTED}) as counted)::float8 as ${status}`,
  );
  const { rows } = await db.query<Record<LetterStatus, number>>(`select ${counted.join(', ')}`);
  return rows[0] ?? { open: 0, sent: 0, recovered: 0, replaced: 0, parked: 0, discarded: 0 };
}
