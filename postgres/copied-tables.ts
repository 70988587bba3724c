// Tables copied from one schema into another, a stretch of pages at a time, so that a person sees how far it is.
import type pg from 'pg';

import { must } from '../pipeline/ensure.ts';

/** `done` and `of` are bytes of all tables together; `table` is the one in hand. */
export type CopyProgress = { readonly table: string; readonly done: number; readonly of: number };

type CopyInput = {
  /** Both quoted; the tables are there in both, and have the columns of `from`. */
  readonly from: string;
  readonly to: string;
  readonly tables: readonly string[];
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
};

/** 64 MiB: about a second. */
const PAGES_AT_ONCE = 8_192;

type Measured = { readonly name: string; readonly pages: number; readonly pageBytes: number; readonly columns: string };

/**
 * Copies all rows of the tables that the transaction sees, and says how many each has. In a snapshot of one moment
 * (REPEATABLE READ) no row is missed: what it sees lies in pages that are there when they are counted.
 */
export async function copyTables(
  client: pg.ClientBase,
  { from, to, tables, onProgress }: CopyInput,
): Promise<{ name: string; rows: number }[]> {
  const measured: Measured[] = [];
  for (const name of tables) measured.push(await measure(client, from, name));
  const of = measured.reduce((sum, { pages, pageBytes }) => sum + pages * pageBytes, 0);
  const copied: { name: string; rows: number }[] = [];
  let done = 0;
  for (const { name, pages, pageBytes, columns } of measured) {
    let rows = 0;
    for (let page = 0; page < pages; page += PAGES_AT_ONCE) {
      onProgress?.({ table: name, done: done + page * pageBytes, of });
      // A number that was generated on the one side is kept on the other.
      const { rowCount } = await client.query(
        `insert into ${to}.${name} (${columns}) overriding system value select ${columns} from ${from}.${name}
         where ctid >= '(${page},0)' and ctid < '(${page + PAGES_AT_ONCE},0)'`,
      );
      rows += rowCount ?? 0;
    }
    done += pages * pageBytes;
    copied.push({ name, rows });
  }
  return copied;
}

async function measure(client: pg.ClientBase, from: string, name: string): Promise<Measured> {
  const { rows } = await client.query<{ bytes: number; page_bytes: number; columns: string }>(
    `select pg_relation_size($1::regclass)::float8 as bytes, current_setting('block_size')::float8 as page_bytes,
       (select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
        where attrelid = $1::regclass and attnum > 0 and not attisdropped) as columns`,
    [`${from}.${name}`],
  );
  const { bytes, page_bytes: pageBytes, columns } = must(rows[0], 'the row of a select without a table');
  return { name, pages: Math.ceil(bytes / pageBytes), pageBytes, columns };
}
