// The result tables and the declared aggregates name the same columns, with the types that a recount yields.
import { expect, it } from 'vitest';

import { AGGREGATES } from '../../pipeline/aggregates.ts';
import { instant, toMs } from '../../postgres/instant.ts';
import { keyColumns, recomputeSql, resultColumns } from '../../postgres/result-sql.ts';
import { freshDatabase } from '../support/database.ts';

it.each(AGGREGATES.map((aggregate) => [aggregate.name, aggregate] as const))(
  '%s: declaration and table have the same columns and types',
  async (name, aggregate) => {
    const { pool, schema } = await freshDatabase();
    const { rows } = await pool.query<{ column_name: string; udt_name: string }>(
      'select column_name, udt_name from information_schema.columns where table_schema = $1 and table_name = $2 order by ordinal_position',
      [schema, name],
    );
    expect(rows.map(({ column_name }) => column_name)).toEqual([...resultColumns(aggregate), 'revision', 'closed_at']);
    await pool.query(
      `create view "${schema}".recount as ${recomputeSql(aggregate, schema).replaceAll(/\$[12]/g, "timestamptz 'epoch'")}`,
    );
    const recount = await pool.query<{ column_name: string; udt_name: string }>(
      `select column_name, udt_name from information_schema.columns where table_schema = $1 and table_name = 'recount' order by ordinal_position`,
      [schema],
    );
    expect(recount.rows).toEqual(rows.slice(0, recount.rows.length));
    const { rows: unique } = await pool.query<{ columns: string }>(
      `select pg_get_indexdef(indexrelid) as columns from pg_index where indrelid = ($1 || '.' || $2)::regclass and indisunique`,
      [schema, name],
    );
    for (const key of keyColumns(aggregate)) expect(unique[0]?.columns).toContain(key);
  },
);

it.each([
  '2026-11-01T10:00:00.123Z',
  '1970-01-01T00:00:00.000Z',
  '0001-01-01T00:00:00.000Z',
  '0000-06-01T00:00:00.000Z',
  '-000100-01-01T00:00:00.000Z',
  '+010000-01-01T00:00:00.000Z',
])('the instant %s comes back from PostgreSQL as it was written', async (text) => {
  const { pool } = await freshDatabase();
  const { rows } = await pool.query<{ ms: number }>(`select ${toMs(instant(Date.parse(text)))} as ms`);
  expect(rows[0]?.ms).toBe(Date.parse(text));
});
