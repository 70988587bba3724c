// The history of a result table: every revision of each row, the present one marked.
import { expect, it, test } from 'vitest';

import { AGGREGATES } from '../../pipeline/aggregates.ts';
import { amendWindows } from '../../postgres/amend-windows.ts';
import { keyColumns } from '../../postgres/result-sql.ts';
import { insertEvents, storedEvent } from '../support/events.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';

type Row = Record<string, unknown>;

it.each(AGGREGATES.map((aggregate) => [aggregate.name, aggregate] as const))(
  '%s_history has the columns of its table and says which row is current',
  async (name, aggregate) => {
    const { pool, schema } = await windowedPipeline();
    const columns = async (table: string): Promise<Row[]> =>
      (
        await pool.query<Row>(
          `select attname, atttypid::regtype::text as type, attcollation from pg_attribute
            where attrelid = $1::regclass and attnum > 0 order by attnum`,
          [`${schema}.${table}`],
        )
      ).rows;
    const ofHistory = await columns(`${name}_history`);
    expect(ofHistory.slice(0, -1)).toEqual(await columns(name));
    expect(ofHistory.at(-1)).toMatchObject({ attname: 'is_current', type: 'boolean' });
    expect(keyColumns(aggregate).every((key) => ofHistory.some(({ attname }) => attname === key))).toBe(true);
  },
);

test('each amendment adds a revision; the newest is current, and older ones are as they were to the last digit', async () => {
  const pipeline = await windowedPipeline();
  const { pool, schema, spec } = pipeline;
  const purchase = (at: string, amount: string) => storedEvent(at, { type: 'purchase', amount, currency: 'EUR' });
  const read = async (table: string): Promise<Row[]> =>
    (await pool.query<Row>(`select * from ${schema}.${table} order by window_start, revision`)).rows;
  await insertEvents(pool, schema, { events: [purchase('2026-11-01T10:00:00.123456Z', '0.10')] });
  await closeThrough(pipeline, '2026-11-01T11:00:00Z');
  const seen: Record<string, Row[]> = {};
  for (const amount of ['9999999999.99', '0.20']) {
    for (const { name } of AGGREGATES) seen[name] = [...(seen[name] ?? []), ...(await read(name))];
    const events = [purchase('2026-11-01T10:01:00.000001Z', amount)];
    await insertEvents(pool, schema, { events, late: { closedThrough: '2026-11-01T11:00:00Z' } });
    await amendWindows(pool, spec);
  }
  for (const { name } of AGGREGATES) {
    const history = await read(`${name}_history`);
    const current = await read(name);
    const rowsWithoutMark = history.map((row) => JSON.stringify({ ...row, is_current: undefined }));
    // All that was ever read of the table, and nothing else, each row once.
    const ever = new Set([...(seen[name] ?? []), ...current].map((row) => JSON.stringify(row)));
    expect(new Set(rowsWithoutMark), name).toEqual(ever);
    expect(rowsWithoutMark, name).toHaveLength(ever.size);
    expect(history.filter(({ is_current }) => is_current).length, name).toBe(current.length);
  }
  const metrics = await read('purchase_metrics_history');
  expect(metrics.map(({ revision, total_revenue, is_current }) => [revision, total_revenue, is_current])).toEqual([
    [1, '0.10', false],
    [2, '10000000000.09', false],
    [3, '10000000000.29', true],
  ]);
});

test('a row that vanished is in the history and in it alone', async () => {
  const pipeline = await windowedPipeline();
  const { pool, schema } = pipeline;
  await insertEvents(pool, schema, { events: [storedEvent('2026-11-01T10:00:00Z')] });
  await closeThrough(pipeline, '2026-11-01T11:00:00Z');
  await pool.query(
    `with gone as (delete from ${schema}.event_counts r returning r.*)
     insert into ${schema}.amendments (aggregate, window_start, group_key, revision, before, after, cause)
     select 'event_counts', window_start, '{}', 2, to_jsonb(gone), null, 'reprocess' from gone`,
  );
  const { rows } = await pool.query<Row>(
    `select event_type, event_count, is_current from ${schema}.event_counts_history`,
  );
  expect(rows).toEqual([{ event_type: 'page_view', event_count: '1', is_current: false }]);
});
