// A storm of late events: thousands for one window, collected for the amend interval, are one amendment of it.
import { expect, test } from 'vitest';

import { amendWindows } from '../../postgres/amend-windows.ts';
import { lateEventsWaiting } from '../../postgres/late-events.ts';
import { insertEvents, storedEvent } from '../support/events.ts';
import type { StoredEvent } from '../support/events.ts';
import { readResults, recountResults } from '../support/result-recount.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

const CLOSED = '2026-11-01T11:00:00Z';
const START_MS = Date.parse('2026-11-01T10:00:00Z');

/** `count` events spread evenly over `spanMs` from ten o'clock on, all of one device and place. */
function storm(count: number, spanMs: number): StoredEvent[] {
  return Array.from({ length: count }, (_, index) => {
    const user = `u${index % 11}`;
    const at = new Date(START_MS + 5_000 + Math.floor((index * spanMs) / count)).toISOString();
    return storedEvent(at, { user, session: `s-${user}` });
  });
}

async function amendedBy(late: StoredEvent[]): Promise<WindowedPipeline> {
  const p = await windowedPipeline();
  const onTime = storm(20, 500_000);
  await insertEvents(p.pool, p.schema, { events: onTime });
  await closeThrough(p, CLOSED);
  await insertEvents(p.pool, p.schema, { events: late, late: { closedThrough: CLOSED } });
  await amendWindows(p.pool, p.spec);
  expect(await lateEventsWaiting(p.pool, p.spec)).toBe(0);
  expect(await readResults(p.pool, p.schema)).toEqual(recountResults([...onTime, ...late], Date.parse(CLOSED)));
  return p;
}

async function amendmentsOf(p: WindowedPipeline, aggregate: string): Promise<unknown[]> {
  const { rows } = await p.pool.query(
    `select revision, (before ->> 'event_count')::int as before, (after ->> 'event_count')::int as after, cause
     from "${p.schema}".amendments where aggregate = $1 order by window_start, id`,
    [aggregate],
  );
  return rows;
}

test('of one minute: one amendment with the row before and after, and no window has more than one new revision', async () => {
  const p = await amendedBy(storm(4_000, 50_000));
  expect(await amendmentsOf(p, 'event_counts')).toEqual([
    { revision: 2, before: 3, after: 4_003, cause: 'late event' },
  ]);
  const { rows } = await p.pool.query(`select max(revision) as revision from "${p.schema}".windows`);
  expect(rows).toEqual([{ revision: 2 }]);
});

test('of one window of ten minutes: one amendment of it, although they are more than one transaction takes of others', async () => {
  const p = await amendedBy(storm(2_500, 590_000));
  expect(await amendmentsOf(p, 'device_stats')).toEqual([
    { revision: 2, before: 20, after: 2_520, cause: 'late event' },
  ]);
  const { rows } = await p.pool.query(
    `select count(*)::int as amended, count(distinct (aggregate, window_start, group_key))::int as rows from "${p.schema}".amendments`,
  );
  expect(rows[0]).toEqual({ amended: rows[0].rows, rows: rows[0].rows });
});
