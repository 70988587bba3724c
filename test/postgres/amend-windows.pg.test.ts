// Amending closed windows on a real PostgreSQL: late events make revisions, and results converge to a recount of all events.
import { describe, expect, it } from 'vitest';

import { AGGREGATES } from '../../pipeline/aggregates.ts';
import { MAX_DEVICE_AND_LOCATION_BYTES } from '../../pipeline/event-schemas.ts';
import { NOTHING_AMENDED, amendWindows } from '../../postgres/amend-windows.ts';
import { closeNextPanes } from '../../postgres/close-windows.ts';
import { moveClosedThrough } from '../../postgres/closed-through.ts';
import { lateEventsWaiting } from '../../postgres/late-events.ts';
import { recomputeSql, resultColumns } from '../../postgres/result-sql.ts';
import { insertEvents, storedEvent } from '../support/events.ts';
import type { StoredEvent } from '../support/events.ts';
import { readResults, recountResults } from '../support/result-recount.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

const CLOSED = '2026-11-01T11:00:00Z';
const closedMs = Date.parse(CLOSED);

async function closedPipeline(events: StoredEvent[]): Promise<WindowedPipeline> {
  const pipeline = await windowedPipeline();
  await insertEvents(pipeline.pool, pipeline.schema, { events });
  await closeThrough(pipeline, CLOSED);
  return pipeline;
}

async function comeLate(
  { pool, schema }: WindowedPipeline,
  events: StoredEvent[],
  beyondHorizon = false,
): Promise<void> {
  await insertEvents(pool, schema, { events, late: { closedThrough: CLOSED, beyondHorizon } });
}

function purchase(at: string, amount: string, user = 'u1'): StoredEvent {
  return storedEvent(at, { type: 'purchase', amount, currency: 'EUR', user, session: `s-${user}` });
}

/** Rows in which a result table and the recount straight from `events` differ, of all aggregates. */
async function differences({ pool, schema }: WindowedPipeline): Promise<number> {
  let count = 0;
  for (const aggregate of AGGREGATES) {
    const columns = resultColumns(aggregate).join(', ');
    // The range is written into the text: PREPARE has no place for parameters inside a compound like this one.
    const recount = `select ${columns} from (${recomputeSql(aggregate, schema)}) as recount where window_end <= '${CLOSED}'`;
    const table = `select ${columns} from "${schema}".${aggregate.name}`;
    const { rowCount } = await pool.query(
      `((${recount}) except all (${table})) union all ((${table}) except all (${recount}))`,
      ['2000-01-01T00:00:00Z', '2100-01-01T00:00:00Z'],
    );
    count += rowCount ?? 0;
  }
  return count;
}

describe('a late event within the horizon', () => {
  it('gives the windows it lies in, and no others, the next revision', async () => {
    const onTime = [
      storedEvent('2026-11-01T10:02:10Z'),
      storedEvent('2026-11-01T10:09:10Z', { user: 'u2', session: 's2' }),
    ];
    const p = await closedPipeline(onTime);
    const late = storedEvent('2026-11-01T10:02:50Z');
    await comeLate(p, [late]);
    expect(await lateEventsWaiting(p.pool, p.spec)).toBe(1);
    expect(await amendWindows(p.pool, p.spec)).toEqual({ panes: 1, windows: 8, rows: 9, events: 1 });
    expect(await lateEventsWaiting(p.pool, p.spec)).toBe(0);
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults([...onTime, late], closedMs));
    const { rows } = await p.pool.query(
      `select aggregate, revision, events::int as events, count(*)::int as windows from "${p.schema}".windows
       where aggregate in ('event_counts', 'user_activity', 'device_stats') group by 1, 2, 3 order by 1, 2`,
    );
    expect(rows).toEqual([
      { aggregate: 'device_stats', revision: 2, events: 3, windows: 1 },
      { aggregate: 'event_counts', revision: 1, events: 1, windows: 1 },
      { aggregate: 'event_counts', revision: 2, events: 2, windows: 1 },
      { aggregate: 'user_activity', revision: 1, events: 1, windows: 5 },
      { aggregate: 'user_activity', revision: 2, events: 2, windows: 5 },
    ]);
    expect(await differences(p)).toBe(0);
  });

  it('is kept with the row before and the row after', async () => {
    const p = await closedPipeline([purchase('2026-11-01T10:02:10Z', '10.00')]);
    await comeLate(p, [purchase('2026-11-01T10:03:00Z', '5.55', 'u2')]);
    await amendWindows(p.pool, p.spec);
    const { rows } = await p.pool.query(
      `select group_key, revision, before, after, cause from "${p.schema}".amendments where aggregate = 'purchase_metrics'`,
    );
    const before = { total_orders: 1, total_revenue: 10, avg_order_value: 10, unique_buyers: 1, revision: 1 };
    const after = { total_orders: 2, total_revenue: 15.55, avg_order_value: 7.78, min_order_value: 5.55, revision: 2 };
    expect(rows).toMatchObject([{ group_key: { currency: 'EUR' }, revision: 2, before, after, cause: 'late event' }]);
  });

  it('into an empty minute makes a window with revision 2', async () => {
    const p = await closedPipeline([storedEvent('2026-11-01T10:02:10Z')]);
    const late = storedEvent('2026-11-01T09:31:00Z');
    await comeLate(p, [late]);
    await amendWindows(p.pool, p.spec);
    const { rows } = await p.pool.query(
      `select w.revision, w.events::int as events, a.before, r.revision as row_revision
       from "${p.schema}".windows w
       join "${p.schema}".event_counts r using (window_start)
       join "${p.schema}".amendments a using (aggregate, window_start) where aggregate = 'event_counts'`,
    );
    expect(rows).toEqual([{ revision: 2, events: 1, before: null, row_revision: 2 }]);
    expect(await differences(p)).toBe(0);
  });

  it('twice into the same window makes revision 3', async () => {
    const p = await closedPipeline([storedEvent('2026-11-01T10:02:10Z')]);
    for (const second of [20, 30]) {
      await comeLate(p, [storedEvent(`2026-11-01T10:02:${second}Z`)]);
      await amendWindows(p.pool, p.spec);
    }
    const { rows } = await p.pool.query(
      `select distinct revision from "${p.schema}".windows where aggregate <> 'funnel'`,
    );
    expect(rows).toEqual([{ revision: 3 }]);
    expect(await differences(p)).toBe(0);
  });

  it('amends nothing when amending is repeated', async () => {
    const p = await closedPipeline([storedEvent('2026-11-01T10:02:10Z')]);
    await comeLate(p, [storedEvent('2026-11-01T10:02:20Z')]);
    await amendWindows(p.pool, p.spec);
    const before = await p.pool.query(`select * from "${p.schema}".amendments order by id`);
    expect(await amendWindows(p.pool, p.spec)).toEqual(NOTHING_AMENDED);
    expect((await p.pool.query(`select * from "${p.schema}".amendments order by id`)).rows).toEqual(before.rows);
  });

  it('waits where a window over its pane is still open, and is in it when that closes', async () => {
    const p = await windowedPipeline();
    const onTime = storedEvent('2026-11-01T10:02:10Z');
    await insertEvents(p.pool, p.schema, { events: [onTime] });
    await closeThrough(p, '2026-11-01T10:04:00Z');
    const late = storedEvent('2026-11-01T10:02:20Z', { user: 'u2' });
    await comeLate(p, [late]);
    await amendWindows(p.pool, p.spec);
    await closeThrough(p, CLOSED);
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults([onTime, late], closedMs));
    const { rows } = await p.pool.query(`select revision from "${p.schema}".windows where aggregate = 'device_stats'`);
    expect(rows).toEqual([{ revision: 1 }]);
  });
});

describe('many late events', () => {
  it('in more panes than one transaction takes converge to the recount', async () => {
    const onTime: StoredEvent[] = [];
    const late: StoredEvent[] = [];
    for (let index = 0; index < 240; index += 1) {
      const at = new Date(Date.parse('2026-11-01T10:00:00Z') + index * 14_000).toISOString();
      const event =
        index % 4 === 0 ? purchase(at, `${index}.25`, `u${index % 7}`) : storedEvent(at, { user: `u${index % 7}` });
      (index % 3 === 0 ? late : onTime).push(event);
    }
    const p = await closedPipeline(onTime);
    await comeLate(p, late);
    await amendWindows(p.pool, p.spec, { panesPerTransaction: 7, eventsPerTransaction: 11 });
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults([...onTime, ...late], closedMs));
    expect(await differences(p)).toBe(0);
  });

  it('amended by several at once, while panes are closed, are each applied once', async () => {
    const p = await windowedPipeline();
    const all: StoredEvent[] = [];
    for (let minute = 1; minute <= 30; minute += 1) {
      const pane = `2026-11-01T10:${String(minute - 1).padStart(2, '0')}`;
      const through = Date.parse(`${pane}:00Z`) + 60_000;
      const onTime = storedEvent(`${pane}:10Z`, { user: `u${minute % 3}` });
      await insertEvents(p.pool, p.schema, { events: [onTime] });
      await moveClosedThrough(p.pool, p.spec, through);
      const late = storedEvent(`${pane}:20Z`, { user: `u${minute % 4}`, device: 'desktop' });
      await Promise.all([
        comeLate(p, [late]),
        closeNextPanes(p.pool, p.spec, { throughMs: through }),
        amendWindows(p.pool, p.spec),
        amendWindows(p.pool, p.spec),
      ]);
      all.push(onTime, late);
    }
    await closeThrough(p, CLOSED);
    await amendWindows(p.pool, p.spec);
    expect(await lateEventsWaiting(p.pool, p.spec)).toBe(0);
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults(all, closedMs));
  });
});

describe('a late event beyond the horizon', () => {
  it('is left out of the results, even when its minute is amended for another', async () => {
    const onTime = storedEvent('2026-11-01T10:02:10Z');
    const p = await closedPipeline([onTime]);
    await comeLate(p, [storedEvent('2026-11-01T10:02:30Z')], true);
    expect(await lateEventsWaiting(p.pool, p.spec)).toBe(0);
    expect(await amendWindows(p.pool, p.spec)).toEqual(NOTHING_AMENDED);
    const late = storedEvent('2026-11-01T10:02:40Z');
    await comeLate(p, [late]);
    await amendWindows(p.pool, p.spec);
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults([onTime, late], closedMs));
    expect(await differences(p)).toBe(0);
  });
});

describe('hostile content', () => {
  it('of the longest texts and the largest amounts stops neither a close nor an amendment', async () => {
    // Characters outside the basic plane (two UTF-16 units, four bytes each), too different for compression to help.
    const text = (seed: number, length = 256): string =>
      Array.from({ length }, (_, index) =>
        String.fromCodePoint(0x20000 + ((index * 7919 + seed * 104_729) % 40_000)),
      ).join('');
    const longest = (at: string): StoredEvent => ({
      ...purchase(at, '9999999999.99', text(1)),
      session: text(2),
      device: text(3),
      // With the device, all the bytes that validation lets through.
      location: text(4, (MAX_DEVICE_AND_LOCATION_BYTES - 4 * 256) / 4),
    });
    const onTime = [longest('2026-11-01T10:02:10Z'), longest('2026-11-01T10:02:11Z')];
    const p = await closedPipeline(onTime);
    const late = longest('2026-11-01T10:02:40Z');
    await comeLate(p, [late]);
    await amendWindows(p.pool, p.spec);
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults([...onTime, late], closedMs));
  });
});
