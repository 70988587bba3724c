// Amending by addition on a real PostgreSQL: late events are added to facts and rows without reading the others, and what
// comes out is what a recount of all events finds.
import { Pool } from 'pg';
import type pg from 'pg';
import { expect, test } from 'vitest';

import { PANE_MS } from '../../pipeline/pane.ts';
import { NOTHING_REBUILT } from '../../pipeline/rebuild.ts';
import { amendWindows } from '../../postgres/amend-windows.ts';
import { rebuildWindows } from '../../postgres/rebuild-windows.ts';
import { insertEvents, storedEvent } from '../support/events.ts';
import type { StoredEvent } from '../support/events.ts';
import { readResults, recountResults } from '../support/result-recount.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';

const START_MS = Date.parse('2026-11-01T10:00:00Z');
const CLOSED = '2026-11-01T11:00:00Z';
const TYPES = ['page_view', 'purchase', 'search'] as const;

/** Draws from a seed: mulberry32. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Few users, sessions, devices and places, each event with any of them: sessions of several users, users everywhere. */
function anyEvent(draw: (below: number) => number): StoredEvent {
  const type = TYPES[draw(3)] ?? 'page_view';
  const bought = type === 'purchase' ? { amount: `${draw(500)}.${10 + draw(90)}`, currency: `E${draw(2)}R` } : {};
  return storedEvent(new Date(START_MS + draw(12) * PANE_MS + draw(PANE_MS)).toISOString(), {
    type,
    ...bought,
    user: `u${draw(3)}`,
    session: `s${draw(3)}`,
    device: `d${draw(2)}`,
    location: `l${draw(2)}`,
  });
}

test.each([1, 2, 3])(
  'late events of any user, session and minute leave what a recount finds: seed %i',
  async (seed) => {
    const draw = chance(seed);
    const wave = (count: number): StoredEvent[] => Array.from({ length: count }, () => anyEvent(draw));
    const p = await windowedPipeline();
    const all = wave(60);
    await insertEvents(p.pool, p.schema, { events: all });
    await closeThrough(p, CLOSED);
    for (const count of [1, 30, 80]) {
      const late = wave(count);
      await insertEvents(p.pool, p.schema, { events: late, late: { closedThrough: CLOSED } });
      expect((await amendWindows(p.pool, p.spec)).events).toBe(count);
      all.push(...late);
      expect(await readResults(p.pool, p.schema)).toEqual(recountResults(all, Date.parse(CLOSED)));
    }
    // The facts too are as if they had been rolled up from all events at once.
    const range = { startMs: START_MS, endMs: Date.parse(CLOSED) };
    const { counts } = await rebuildWindows(p.pool, p.spec, { range, positionMs: null });
    expect(counts).toEqual(NOTHING_REBUILT);
  },
);

/** Rows that the pool's only connection has read so far of the tables that hold a row or more for each event. */
async function rowsRead(one: pg.Pool, schema: string): Promise<number> {
  // PostgreSQL tells what a connection has read some time after it, if not asked to do so at once.
  await one.query('select pg_stat_force_next_flush()');
  const { rows } = await one.query<{ read: number }>(
    `select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::float8 as read from pg_stat_user_tables
     where schemaname = $1 and (relname like 'events%' or relname in ('pane_facts', 'user_activity', 'session_metrics'))`,
    [schema],
  );
  return rows[0]?.read ?? NaN;
}

test('a late event reads a handful of rows, however many its minute holds and although no table was ever analyzed', async () => {
  const p = await windowedPipeline();
  const minute = 5_000;
  const onTime = Array.from({ length: minute }, (_, index) =>
    storedEvent(new Date(START_MS + index * 10).toISOString(), { user: `u${index}`, session: `s${index}` }),
  );
  await insertEvents(p.pool, p.schema, { events: onTime });
  await closeThrough(p, CLOSED);
  // Of a new user in a known session, and the other way round: neither index can answer for the other.
  const late = [
    storedEvent('2026-11-01T10:00:30Z', { user: 'new', session: 's4000' }),
    storedEvent('2026-11-01T10:00:31Z', { user: 'u4000', session: 'new' }),
  ];
  await insertEvents(p.pool, p.schema, { events: late, late: { closedThrough: CLOSED } });
  const one = new Pool({ ...p.pool.options, max: 1 });
  try {
    const before = await rowsRead(one, p.schema);
    expect((await amendWindows(one, p.spec)).events).toBe(2);
    expect((await rowsRead(one, p.schema)) - before).toBeLessThan(1_000);
  } finally {
    await one.end();
  }
  expect(await readResults(p.pool, p.schema)).toEqual(recountResults([...onTime, ...late], Date.parse(CLOSED)));
});
