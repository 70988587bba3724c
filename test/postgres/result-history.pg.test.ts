// What a reader of SQL sees: a result table holds the newest revision of each row, its history view all of them.
import { beforeAll, describe, expect, it } from 'vitest';

import { AGGREGATES } from '../../pipeline/aggregates.ts';
import { amendWindows } from '../../postgres/amend-windows.ts';
import { rebuildWindows } from '../../postgres/rebuild-windows.ts';
import { insertEvents, storedEvent } from '../support/events.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

const CLOSED = '2026-11-01T11:00:00Z';
const range = { startMs: Date.parse('2026-11-01T10:00:00Z'), endMs: Date.parse(CLOSED) };
const purchase = (at: string, amount: string) =>
  storedEvent(at, { type: 'purchase', amount, currency: 'EUR', user: 'u2', session: 's2' });

let p: WindowedPipeline;

/** Closed with one purchase and one page view; a late purchase amends it; then the page view is taken away, and rebuilt. */
beforeAll(async () => {
  p = await windowedPipeline();
  const gone = storedEvent('2026-11-01T10:02:10Z', { device: 'desktop' });
  await insertEvents(p.pool, p.schema, { events: [gone, purchase('2026-11-01T10:02:20Z', '10.00')] });
  await closeThrough(p, CLOSED);
  const late = purchase('2026-11-01T10:02:30Z', '5.55');
  await insertEvents(p.pool, p.schema, { events: [late], late: { closedThrough: CLOSED } });
  await amendWindows(p.pool, p.spec);
  await p.pool.query(`delete from "${p.schema}".events where event_id = $1`, [gone.id]);
  await rebuildWindows(p.pool, p.spec, { range, positionMs: null });
});

const rowsOf = async (sql: string): Promise<Record<string, unknown>[]> =>
  (await p.pool.query<Record<string, unknown>>(sql.replaceAll('S.', `"${p.schema}".`))).rows;

describe('a result table', () => {
  it('shows each row once, in its newest revision', async () => {
    const rows = await rowsOf(`select total_orders::int, total_revenue, revision from S.purchase_metrics`);
    expect(rows).toEqual([{ total_orders: 2, total_revenue: '15.55', revision: 2 }]);
  });

  it('does not show a row that has vanished', async () => {
    expect(await rowsOf(`select event_type, revision from S.event_counts`)).toEqual([
      { event_type: 'purchase', revision: 2 },
    ]);
  });
});

describe('its history view', () => {
  it('shows every revision of a row, the newest marked as current', async () => {
    const rows = await rowsOf(
      `select total_orders::int, total_revenue, max_order_value, revision, is_current from S.purchase_metrics_history order by revision`,
    );
    expect(rows).toEqual([
      { total_orders: 1, total_revenue: '10.00', max_order_value: '10.00', revision: 1, is_current: false },
      { total_orders: 2, total_revenue: '15.55', max_order_value: '10.00', revision: 2, is_current: true },
    ]);
  });

  it('shows a row that has vanished, and none of its revisions as current', async () => {
    const rows = await rowsOf(
      `select event_type, event_count::int, revision, is_current from S.event_counts_history order by event_type, revision`,
    );
    expect(rows).toEqual([
      { event_type: 'page_view', event_count: 1, revision: 1, is_current: false },
      { event_type: 'purchase', event_count: 1, revision: 1, is_current: false },
      { event_type: 'purchase', event_count: 2, revision: 2, is_current: true },
    ]);
  });

  it.each(AGGREGATES.map(({ name }) => name))(
    'of %s holds the whole table as current, in the same columns',
    async (name) => {
      const columns = `(select string_agg(column_name, ', ' order by ordinal_position) from information_schema.columns
      where table_schema = '${p.schema}' and table_name = `;
      expect(await rowsOf(`select ${columns}'${name}') || ', is_current' as c`)).toEqual(
        await rowsOf(`select ${columns}'${name}_history') as c`),
      );
      const current = await rowsOf(
        `select to_jsonb(h) - 'is_current' as row from S.${name}_history h where is_current order by 1`,
      );
      expect(current).toEqual(await rowsOf(`select to_jsonb(r) as row from S.${name} r order by 1`));
      expect(current.length).toBeGreaterThan(0);
      const [before] = await rowsOf(`select count(*)::int as n from S.${name}_history where not is_current`);
      expect(before).toEqual(
        (
          await rowsOf(`select count(*)::int as n from S.amendments where aggregate = '${name}' and before is not null`)
        )[0],
      );
    },
  );
});
