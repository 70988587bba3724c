// Closing windows on a real PostgreSQL: right rows, once, whatever happens between the two steps.
import { describe, expect, it } from 'vitest';

import { EVENT_TYPES } from '../../pipeline/event.ts';
import { PANE_MS } from '../../pipeline/pane.ts';
import { NOTHING_AMENDED, amendWindows } from '../../postgres/amend-windows.ts';
import { ensureCheckpoint } from '../../postgres/checkpoints.ts';
import { closeNextPanes } from '../../postgres/close-windows.ts';
import { moveClosedThrough, raiseLowWatermark, readClock } from '../../postgres/closed-through.ts';
import { lastWindowEnd, nextClosable, readWindows } from '../../postgres/windows.ts';
import { insertEvents, storedEvent } from '../support/events.ts';
import type { StoredEvent } from '../support/events.ts';
import { readResults, recountResults } from '../support/result-recount.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';

const at = (text: string): number => Date.parse(text);

/** Half an hour of events of all types, some of them exactly on boundaries. */
function mixedEvents(): StoredEvent[] {
  const events: StoredEvent[] = [];
  for (let index = 0; index < 400; index += 1) {
    const type = EVENT_TYPES[(index * 7) % EVENT_TYPES.length] ?? 'search';
    const isPurchase = type === 'purchase';
    events.push(
      storedEvent(new Date(at('2026-11-01T10:00:00Z') + ((index * 4_500 * 7) % 1_800_000)).toISOString(), {
        type,
        user: `user-${index % 13}`,
        session: `session-${index % 31}`,
        device: index % 3 === 0 ? 'desktop' : 'mobile',
        location: index % 5 === 0 ? 'Berlin' : 'Lima',
        amount: isPurchase ? `${index}.${String(index % 100).padStart(2, '0')}` : null,
        currency: isPurchase ? (['EUR', 'USD'][index % 2] ?? null) : null,
      }),
    );
  }
  return events;
}

describe('closing', () => {
  it('writes the rows of all five aggregates that an independent recount finds', async () => {
    const p = await windowedPipeline();
    const events = mixedEvents();
    await insertEvents(p.pool, p.schema, { events });
    const closed = await closeThrough(p, '2026-11-01T10:40:00Z');
    expect(closed.events).toBe(events.length);
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults(events, at('2026-11-01T10:40:00Z')));
    const { rows } = await p.pool.query(
      `select aggregate, sum(events)::int as events, max(revision) as revision from "${p.schema}".windows group by 1 order by 1`,
    );
    const purchases = events.filter(({ type }) => type === 'purchase').length;
    expect(rows).toEqual([
      { aggregate: 'device_stats', events: 400, revision: 1 },
      { aggregate: 'event_counts', events: 400, revision: 1 },
      { aggregate: 'purchase_metrics', events: purchases, revision: 1 },
      { aggregate: 'session_metrics', events: 400, revision: 1 },
      { aggregate: 'user_activity', events: 2000, revision: 1 },
    ]);
  });

  it('minute by minute gives the same rows as all at once', async () => {
    const p = await windowedPipeline();
    const events = mixedEvents();
    await insertEvents(p.pool, p.schema, { events });
    for (let minute = at('2026-11-01T10:01:00Z'); minute <= at('2026-11-01T10:33:00Z'); minute += PANE_MS) {
      await moveClosedThrough(p.pool, p.spec, minute);
      await closeNextPanes(p.pool, p.spec, { throughMs: minute });
      expect(await readResults(p.pool, p.schema)).toEqual(recountResults(events, minute));
    }
  });

  it('tells how many rows of each result it wrote', async () => {
    const p = await windowedPipeline();
    await insertEvents(p.pool, p.schema, { events: mixedEvents() });
    const throughMs = at('2026-11-01T12:00:00Z');
    await moveClosedThrough(p.pool, p.spec, throughMs);
    const told: Record<string, number> = {};
    await closeNextPanes(p.pool, p.spec, {
      throughMs,
      onPane: (_closed, { rowsByAggregate }) => {
        for (const [name, rows] of Object.entries(rowsByAggregate)) told[name] = (told[name] ?? 0) + rows;
      },
    });
    const counts = [
      'device_stats',
      'event_counts',
      'funnel',
      'purchase_metrics',
      'session_metrics',
      'sessions',
      'user_activity',
    ];
    const found = await p.pool.query<Record<string, number>>(
      `select ${counts.map((name) => `(select count(*)::int from "${p.schema}".${name}) as ${name}`).join(', ')}`,
    );
    expect(told).toEqual(found.rows[0]);
    expect(Math.min(...Object.values(told))).toBeGreaterThan(0);
  });

  it('goes no further than closed_through', async () => {
    const p = await windowedPipeline();
    await insertEvents(p.pool, p.schema, { events: mixedEvents() });
    await moveClosedThrough(p.pool, p.spec, at('2026-11-01T10:07:30Z'));
    const { writtenThroughMs } = await closeNextPanes(p.pool, p.spec, { throughMs: at('2026-11-01T11:00:00Z') });
    expect(writtenThroughMs).toBe(at('2026-11-01T10:07:00Z'));
  });

  it('repeated after a crash between its two steps changes nothing', async () => {
    const p = await windowedPipeline();
    const events = mixedEvents();
    await insertEvents(p.pool, p.schema, { events });
    await moveClosedThrough(p.pool, p.spec, at('2026-11-01T10:12:00Z'));
    // The crash: step (a) stands, step (b) never came. A new process starts with (a) again.
    await closeThrough(p, '2026-11-01T10:12:00Z');
    await closeThrough(p, '2026-11-01T10:12:00Z');
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults(events, at('2026-11-01T10:12:00Z')));
  });

  it('by two closers at once doubles nothing', async () => {
    const p = await windowedPipeline();
    const events = mixedEvents();
    await insertEvents(p.pool, p.schema, { events });
    for (let minute = at('2026-11-01T10:01:00Z'); minute <= at('2026-11-01T10:30:00Z'); minute += PANE_MS) {
      await moveClosedThrough(p.pool, p.spec, minute);
      await Promise.all([1, 2, 3].map(() => closeNextPanes(p.pool, p.spec, { throughMs: minute })));
    }
    await closeNextPanes(p.pool, p.spec, { throughMs: at('2026-11-01T10:30:00Z') });
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults(events, at('2026-11-01T10:30:00Z')));
  });

  it('puts an event on the boundary into the next window', async () => {
    const p = await windowedPipeline();
    await insertEvents(p.pool, p.schema, { events: [storedEvent('2026-11-01T10:05:00.000Z')] });
    await closeThrough(p, '2026-11-01T10:20:00Z');
    const { session_metrics: sessions } = await readResults(p.pool, p.schema);
    expect(sessions?.map((row) => row['window_start'])).toEqual(['2026-11-01T10:05:00.000Z']);
  });

  it('counts a microsecond before the boundary into the window before it', async () => {
    const p = await windowedPipeline();
    await insertEvents(p.pool, p.schema, { events: [storedEvent('2026-11-01T10:04:59.999999Z')] });
    await closeThrough(p, '2026-11-01T10:20:00Z');
    const { event_counts: counts } = await readResults(p.pool, p.schema);
    expect(counts?.map((row) => row['window_start'])).toEqual(['2026-11-01T10:04:00.000Z']);
  });
});

describe('sparse time', () => {
  it('between an event of 1970 and today costs a handful of transactions', async () => {
    const p = await windowedPipeline();
    const years = ['0001-01-01T00:00:30Z', '1970-01-01T00:00:30Z', '1999-12-31T23:59:59Z', '2026-11-01T10:00:00Z'];
    const events = years.map((year) => storedEvent(year));
    await insertEvents(p.pool, p.schema, { events });
    await moveClosedThrough(p.pool, p.spec, at('2026-11-02T00:00:00Z'));
    let transactions = 0;
    const closed = await closeNextPanes(p.pool, p.spec, {
      throughMs: at('2026-11-02T00:00:00Z'),
      onPane: () => (transactions += 1),
    });
    expect(closed).toMatchObject({ writtenThroughMs: at('2026-11-02T00:00:00Z'), panes: 4, events: 4 });
    expect(transactions).toBeLessThan(16);
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults(events, at('2026-11-02T00:00:00Z')));
  });

  it('without any event is jumped over at once', async () => {
    const p = await windowedPipeline();
    expect(await closeThrough(p, '2026-11-01T10:00:00Z')).toEqual({
      writtenThroughMs: at('2026-11-01T10:00:00Z'),
      panes: 0,
      windows: 0,
      events: 0,
    });
  });
});

describe('the clock', () => {
  it('is unknown before the first close and never moves back', async () => {
    const p = await windowedPipeline();
    expect(await readClock(p.pool, p.spec)).toMatchObject({
      closedThroughMs: null,
      writtenThroughMs: null,
      lowWatermarkMs: null,
    });
    await raiseLowWatermark(p.pool, p.spec, at('2026-11-01T10:00:30Z'));
    await raiseLowWatermark(p.pool, p.spec, at('2026-11-01T09:00:00Z'));
    expect(await moveClosedThrough(p.pool, p.spec, at('2026-11-01T10:00:30Z'))).toBe(at('2026-11-01T10:00:00Z'));
    expect(await moveClosedThrough(p.pool, p.spec, at('2026-11-01T09:00:00Z'))).toBe(at('2026-11-01T10:00:00Z'));
    const clock = await readClock(p.pool, p.spec);
    expect(clock).toMatchObject({
      closedThroughMs: at('2026-11-01T10:00:00Z'),
      lowWatermarkMs: at('2026-11-01T10:00:30Z'),
    });
    expect(Math.abs(clock.nowMs - Date.now())).toBeLessThan(60_000);
  });

  it('refuses a batch that holds an older event without a late mark', async () => {
    const p = await windowedPipeline();
    await ensureCheckpoint(p.pool, p.spec, { partition: 0, firstOffset: 0 });
    await moveClosedThrough(p.pool, p.spec, at('2026-11-01T10:00:00Z'));
    const advance = (earliest: string): Promise<unknown> =>
      p.pool.query(
        `select "${p.schema}".advance_checkpoint($1, 0, 0, 1, 0, 1, 0, 0, 0, 0, $2, interval '5 minutes', $2)`,
        [p.spec.topic, earliest],
      );
    await expect(advance('2026-11-01T09:59:59.999Z')).rejects.toMatchObject({ code: 'WR002' });
    await expect(advance('2026-11-01T10:00:00Z')).resolves.toBeDefined();
  });

  it('waits with closing for a batch that is committing', async () => {
    const p = await windowedPipeline();
    await ensureCheckpoint(p.pool, p.spec, { partition: 0, firstOffset: 0 });
    const batch = await p.pool.connect();
    await batch.query('begin');
    await batch.query(
      `select "${p.schema}".advance_checkpoint($1, 0, 0, 1, 0, 1, 0, 0, 0, 0, $2, interval '5 minutes', $2)`,
      [p.spec.topic, '2026-11-01T09:30:00Z'],
    );
    let moved = false;
    const moving = moveClosedThrough(p.pool, p.spec, at('2026-11-01T10:00:00Z')).then(() => (moved = true));
    expect((await readClock(p.pool, p.spec)).closedThroughMs).toBeNull();
    expect(moved).toBe(false);
    await batch.query('commit');
    batch.release();
    await moving;
    expect((await readClock(p.pool, p.spec)).closedThroughMs).toBe(at('2026-11-01T10:00:00Z'));
  });
});

describe('a late event', () => {
  it('that commits between the two steps is counted once and marked as applied', async () => {
    const p = await windowedPipeline();
    const onTime = storedEvent('2026-11-01T10:00:10Z');
    const late = storedEvent('2026-11-01T10:00:20Z');
    await insertEvents(p.pool, p.schema, { events: [onTime] });
    await moveClosedThrough(p.pool, p.spec, at('2026-11-01T10:20:00Z'));
    await insertEvents(p.pool, p.schema, { events: [late], late: { closedThrough: '2026-11-01T10:20:00Z' } });
    await closeNextPanes(p.pool, p.spec, { throughMs: at('2026-11-01T10:20:00Z') });
    const { rows } = await p.pool.query(`select 1 from "${p.schema}".late_events where applied_at is not null`);
    expect(rows).toHaveLength(1);
    expect(await amendWindows(p.pool, p.spec)).toEqual(NOTHING_AMENDED);
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults([onTime, late], at('2026-11-01T10:20:00Z')));
  });

  it('beyond the horizon is left out even of a pane that is written for the first time', async () => {
    const p = await windowedPipeline();
    const onTime = storedEvent('2026-11-01T10:00:10Z');
    const late = storedEvent('2026-11-01T10:00:20Z');
    await insertEvents(p.pool, p.schema, { events: [onTime] });
    await moveClosedThrough(p.pool, p.spec, at('2026-11-03T10:20:00Z'));
    await insertEvents(p.pool, p.schema, {
      events: [late],
      late: { closedThrough: '2026-11-03T10:20:00Z', beyondHorizon: true },
    });
    await closeNextPanes(p.pool, p.spec, { throughMs: at('2026-11-03T10:20:00Z') });
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults([onTime], at('2026-11-03T10:20:00Z')));
  });
});

describe('what people ask about windows', () => {
  it('is answered from the windows and the panes that are not written yet', async () => {
    const p = await windowedPipeline();
    expect(await lastWindowEnd(p.pool, p.spec)).toBeNull();
    await insertEvents(p.pool, p.schema, { events: [storedEvent('2026-11-01T10:03:10Z')] });
    // Its session goes on until 10:33:10; from 10:34 on nothing before can belong to it.
    expect(await lastWindowEnd(p.pool, p.spec)).toBe(at('2026-11-01T10:34:00Z'));
    expect(await nextClosable(p.pool, p.spec, at('2026-11-01T10:03:00Z'))).toBeNull();
    expect(await nextClosable(p.pool, p.spec, at('2026-11-01T10:30:00Z'))).toBe(at('2026-11-01T10:04:00Z'));
    await closeThrough(p, '2026-11-01T10:08:00Z');
    expect(await nextClosable(p.pool, p.spec, at('2026-11-01T10:30:00Z'))).toBe(at('2026-11-01T10:10:00Z'));
    await closeThrough(p, '2026-11-01T10:10:00Z');
    expect(await nextClosable(p.pool, p.spec, at('2026-11-01T10:30:00Z'))).toBeNull();
    expect(await nextClosable(p.pool, p.spec, at('2026-11-01T11:00:00Z'))).toBe(at('2026-11-01T10:34:00Z'));
    const [latest] = await readWindows(p.pool, p.spec, { aggregate: 'device_stats', limit: 3 });
    expect(latest).toMatchObject({
      startMs: at('2026-11-01T10:00:00Z'),
      endMs: at('2026-11-01T10:10:00Z'),
      revision: 1,
      events: 1,
    });
    expect(await readWindows(p.pool, p.spec, { limit: 3 })).toHaveLength(3);
  });
});
