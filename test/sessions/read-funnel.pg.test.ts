// Funnels over a range of time are counted from its sessions: what their windows say can't be added up.
import { expect, test } from 'vitest';

import { newestSessionStart, readFunnels } from '../../postgres/read-funnel.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import { insertReferenceEvents, micros } from './random-events.ts';
import type { ReferenceEvent } from './session-reference.ts';

const blank = { device: 'mobile', location: 'Berlin', quantity: 0, price: 0n, bought: [], amount: 0n };
let made = 0;

/** A user who sees a product at this time of 2026-11-01, and clicks on it so many seconds later. */
function visit(time: string, clickAfterS: number): ReferenceEvent[] {
  made += 1;
  const at = micros(`2026-11-01T${time}Z`);
  const id = (last: number): string => `00000000-0000-4000-8000-${String(made * 10 + last).padStart(12, '0')}`;
  const seen = { ...blank, id: id(1), at, user: `u${made}`, type: 'page_view', texts: { page: 'product' } };
  const clickedAt = at + BigInt(clickAfterS) * 1_000_000n;
  return [seen, { ...seen, id: id(2), at: clickedAt, type: 'item_click', texts: { item_id: 'i' } }];
}

test('medians and percentiles are those of all sessions of the range, whichever windows they started in', async () => {
  const pipeline = await windowedPipeline();
  const { pool, schema } = pipeline;
  expect(await newestSessionStart(pool, schema)).toBeNull();
  const first = [visit('10:01:00', 10), visit('10:02:00', 12), visit('10:03:00', 14)];
  const second = [visit('10:11:00', 20), visit('10:12:00', 600)];
  await insertReferenceEvents(pool, schema, { events: [...first, ...second].flat() });
  await closeThrough(pipeline, '2026-11-01T10:40:00Z');
  await closeThrough(pipeline, '2026-11-01T11:40:00Z');
  const { rows } = await pool.query<{ median_seconds: number }>(
    `select median_seconds from "${schema}".funnel where funnel = 'shopping' and step = 2 order by window_start`,
  );
  expect(rows.map((row) => row.median_seconds)).toEqual([12, 20]);
  const [shopping] = await readFunnels(pool, schema, { fromMs: null, toMs: null, by: null });
  expect(shopping).toMatchObject({
    sessions: 5,
    open: 0,
    steps: [
      { medianSeconds: null },
      { reached: 5, medianSeconds: 14, p90Seconds: 600 },
      { reached: 0 },
      { conversion: null },
    ],
  });
  const halfMs = Date.parse('2026-11-01T10:02:00Z');
  const [later] = await readFunnels(pool, schema, {
    fromMs: halfMs,
    toMs: Date.parse('2026-11-01T10:12:00Z'),
    by: null,
  });
  expect(later).toMatchObject({ sessions: 3, steps: [{}, { medianSeconds: 14, p90Seconds: 20 }, {}, {}] });
  expect(await newestSessionStart(pool, schema)).toBe(Date.parse('2026-11-01T10:12:00Z'));
});
