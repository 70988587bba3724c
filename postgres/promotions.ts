// Promotion: a field that was unknown, and so lies in `events.extra`, moves into the column that a migration gave it.
import type pg from 'pg';

import { messageOf } from '../pipeline/ensure.ts';
import { quoteSchema } from './schema-name.ts';

/** `promoted`: rows that moved; `kept`: rows whose value does not fit the column and stays in `extra`. */
export type Promotion = {
  readonly field: string;
  readonly column: string;
  readonly promoted: number;
  readonly kept: number;
};

type Pending = {
  readonly field: string;
  readonly column_name: string;
  readonly cast_to: string;
  readonly event_types: string | null;
};

/**
 * Runs every promotion that has not come to its end, in transactions of a few thousand rows. The client must not be inside
 * a transaction. Whoever comes at the same time waits; the lock ends with the session.
 */
export async function runPromotions(client: pg.Client, schema: string): Promise<Promotion[]> {
  const tables = quoteSchema(schema);
  const promotions: Promotion[] = [];
  await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [`${tables}/promote`]);
  const { rows: pending } = await client.query<Pending>(
    `select field, column_name, cast_to, event_types::text from ${tables}.promotions where finished_at is null order by 1, 2`,
  );
  for (const { field, column_name: column, cast_to: castTo, event_types: eventTypes } of pending) {
    try {
      await client.query(`call ${tables}.promote_extra($1, $2, $3, $4::text[])`, [field, column, castTo, eventTypes]);
    } catch (error) {
      throw new Error(
        `The tables of schema ${schema} are at their newest version, but the field ${field} did not get into its column everywhere (${messageOf(error)}); \`weir migrate\` goes on with it.`,
        { cause: error },
      );
    }
    const { rows } = await client.query<{ promoted: number; kept: number }>(
      `select promoted::float8, kept::float8 from ${tables}.promotions where field = $1 and column_name = $2`,
      [field, column],
    );
    for (const counts of rows) promotions.push({ field, column, ...counts });
  }
  return promotions;
}
