// Rebuilding a range on a real PostgreSQL: whatever is wrong becomes a next revision, and what is right stays as it is.
import { describe, expect, it } from 'vitest';

import { AGGREGATES } from '../../pipeline/aggregates.ts';
import { FUNNELS } from '../../pipeline/funnel.ts';
import { NOTHING_REBUILT } from '../../pipeline/rebuild.ts';
import type { Span } from '../../pipeline/window.ts';
import { amendWindows } from '../../postgres/amend-windows.ts';
import { lateEventsWaiting } from '../../postgres/late-events.ts';
import { rebuildStart, rebuildWindows } from '../../postgres/rebuild-windows.ts';
import { insertEvents, storedEvent } from '../support/events.ts';
import type { StoredEvent } from '../support/events.ts';
import { readResults, recountResults } from '../support/result-recount.ts';
import { resultDifferences } from '../support/verified-results.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

const CLOSED = '2026-11-01T11:00:00Z';
const closedMs = Date.parse(CLOSED);
const span = (start: string, end: string): Span => ({
  startMs: Date.parse(`2026-11-01T${start}Z`),
  endMs: Date.parse(`2026-11-01T${end}Z`),
});
const WHOLE = span('00:00:00', '12:00:00');

async function closedPipeline(events: readonly StoredEvent[]): Promise<WindowedPipeline> {
  const pipeline = await windowedPipeline();
  await insertEvents(pipeline.pool, pipeline.schema, { events });
  await closeThrough(pipeline, CLOSED);
  return pipeline;
}

/** One event a minute of some users, and a purchase in each fifth. */
function someEvents(minutes = 30): StoredEvent[] {
  return Array.from({ length: minutes }, (_, minute) => {
    const at = new Date(Date.parse('2026-11-01T10:00:07Z') + minute * 60_000).toISOString();
    const who = { user: `u${minute % 4}`, session: `s${minute % 3}`, device: minute % 2 ? 'mobile' : 'desktop' };
    return minute % 5 === 0
      ? storedEvent(at, { ...who, type: 'purchase', amount: `${minute}.25`, currency: 'EUR' })
      : storedEvent(at, who);
  });
}

const rebuild = async (p: WindowedPipeline, range = WHOLE) =>
  await rebuildWindows(p.pool, p.spec, { range, positionMs: null });

/** Everything that a rebuild may write, with the place of each row: a row that is written again moves. */
async function everything({ pool, schema }: WindowedPipeline): Promise<unknown[]> {
  const tables = [...AGGREGATES.map(({ name }) => name), 'windows', 'pane_facts', 'amendments', 'late_events'];
  const found = [];
  for (const table of tables) {
    found.push((await pool.query(`select ctid::text, t::text from "${schema}".${table} t order by 1`)).rows);
  }
  return found;
}

async function amendments({ pool, schema }: WindowedPipeline, where: string): Promise<Record<string, unknown>[]> {
  const { rows } = await pool.query<Record<string, unknown>>(
    `select window_start, group_key, revision, before, after, cause from "${schema}".amendments where ${where} order by id`,
  );
  return rows;
}

const drop = async ({ pool, schema }: WindowedPipeline, { id }: StoredEvent): Promise<void> => {
  await pool.query(`delete from "${schema}".events where event_id = $1`, [id]);
};

describe('a correct range', () => {
  it('is not touched, and the counts say so', async () => {
    const p = await closedPipeline(someEvents());
    const before = await everything(p);
    expect(await rebuild(p)).toEqual({ positionMs: WHOLE.endMs, done: true, counts: NOTHING_REBUILT });
    expect(await everything(p)).toEqual(before);
  });

  it('of which nothing is written yet is none of its business', async () => {
    const p = await windowedPipeline();
    await insertEvents(p.pool, p.schema, { events: someEvents() });
    expect(await rebuild(p)).toMatchObject({ done: true, counts: NOTHING_REBUILT });
    expect(await rebuildStart(p.pool, p.spec, WHOLE)).toBeNull();
    await closeThrough(p, '2026-11-01T10:15:00Z');
    expect(await rebuild(p)).toMatchObject({ done: true, counts: NOTHING_REBUILT });
    await closeThrough(p, CLOSED);
    expect(await resultDifferences(p)).toEqual([]);
  });
});

describe('what is wrong', () => {
  it('in an event that no result knows becomes changed and new rows of a next revision', async () => {
    const events = someEvents();
    const p = await closedPipeline(events);
    const forgotten = [
      storedEvent('2026-11-01T10:07:30Z', { user: 'u9', session: 's9' }),
      storedEvent('2026-11-01T10:07:40Z', { user: 'u3', session: 's1', device: 'desktop' }),
    ];
    await insertEvents(p.pool, p.schema, { events: forgotten });
    const { counts } = await rebuild(p);
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults([...events, ...forgotten], closedMs));
    expect(await resultDifferences(p)).toEqual([]);
    // One minute, five sliding windows (u9 is new in each), one of ten minutes, one of five: s9 is new, s1 is changed; and the
    // funnels of ten minutes, in which the session of u9 is new.
    expect(counts).toMatchObject({ panes: 1, windows: 9, listings: 0, vanishedRows: 0 });
    const listed = await amendments(p, 'true');
    expect(listed.filter(({ before }) => before === null)).toHaveLength(counts.newRows);
    expect(listed.filter(({ before, after }) => before && after)).toHaveLength(counts.changedRows);
    expect(counts.newRows).toBeGreaterThanOrEqual(6);
    expect(new Set(listed.map(({ cause, revision }) => `${String(cause)} ${String(revision)}`))).toEqual(
      // The session of u9 is new altogether.
      new Set(['reprocess 2', 'reprocess 1']),
    );
    expect(await rebuild(p)).toMatchObject({ counts: NOTHING_REBUILT });
  });

  it('in an event that is gone makes rows vanish, with the row as it was', async () => {
    const events = someEvents();
    const [gone, ...left] = events.toSpliced(0, 0);
    const p = await closedPipeline(events);
    if (!gone) throw new Error('no event');
    await drop(p, gone);
    const { counts } = await rebuild(p);
    expect(counts.vanishedRows).toBeGreaterThan(0);
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults(left, closedMs));
    const vanished = await amendments(p, `aggregate = 'purchase_metrics' or aggregate = 'event_counts'`);
    expect(vanished).toMatchObject([
      { group_key: { event_type: 'purchase' }, revision: 2, before: { event_count: 1, revision: 1 }, after: null },
      { group_key: { currency: 'EUR' }, before: { total_orders: 2 }, after: { total_orders: 1 }, cause: 'reprocess' },
    ]);
    expect(await resultDifferences(p)).toEqual([]);
  });

  it('in a window that becomes empty leaves it listed with no events, and its revisions go on when it is filled again', async () => {
    const only = storedEvent('2026-11-01T10:02:10Z');
    const p = await closedPipeline([only]);
    await drop(p, only);
    // A row an aggregate's window, the session, and a row each step of the funnels.
    const rows = 8 + 1 + FUNNELS.flatMap(({ steps }) => steps).length;
    expect((await rebuild(p)).counts).toMatchObject({ windows: 9, vanishedRows: rows, changedRows: 0, newRows: 0 });
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults([], closedMs));
    expect(await resultDifferences(p)).toEqual([]);
    const windows = async () =>
      (
        await p.pool.query(
          `select distinct revision, events::int from "${p.schema}".windows where aggregate <> 'funnel'`,
        )
      ).rows;
    expect(await windows()).toEqual([{ revision: 2, events: 0 }]);
    const again = storedEvent('2026-11-01T10:02:20Z');
    await insertEvents(p.pool, p.schema, { events: [again] });
    expect((await rebuild(p)).counts).toMatchObject({ windows: 9, newRows: rows });
    expect(await windows()).toEqual([{ revision: 3, events: 1 }]);
    const late = storedEvent('2026-11-01T10:02:30Z');
    await insertEvents(p.pool, p.schema, { events: [late], late: { closedThrough: CLOSED } });
    await amendWindows(p.pool, p.spec);
    expect(await windows()).toEqual([{ revision: 4, events: 2 }]);
    expect(await resultDifferences(p)).toEqual([]);
  });

  it.each([
    ['facts that are gone', 'truncate S.pane_facts'],
    ['facts that are doubled', 'insert into S.pane_facts select * from S.pane_facts'],
    ['facts of purchases', 'update S.purchase_facts set revenue = revenue + 1, events = 2'],
    ['facts of nothing', `update S.pane_facts set pane = pane - interval '1 minute', user_id = 'nobody'`],
    ['counts', 'update S.event_counts set event_count = event_count + 1; update S.device_stats set unique_users = 7'],
    ['instants and documents', `update S.user_activity set last_event = first_event, events_by_type = '{}'`],
    ['ends of windows', `update S.session_metrics set window_end = window_end + interval '1 minute'`],
    ['rows that are gone', 'delete from S.user_activity where window_start > $1; delete from S.event_counts'],
    ['rows of nothing', `update S.session_metrics set session_id = 'nobody' || session_id`],
    ['rows in the wrong window', `update S.purchase_metrics set window_start = window_start - interval '1 hour'`],
    ['the list of windows', 'update S.windows set events = events + 1'],
    ['windows that are not listed', 'delete from S.windows'],
    ['windows that are listed and not there', `update S.windows set window_start = window_start - interval '1 hour'`],
    [
      'everything',
      'truncate S.pane_facts, S.windows, S.event_counts, S.user_activity, S.session_metrics, S.device_stats',
    ],
  ])('in %s is put right', async (_, damage) => {
    const events = someEvents();
    const p = await closedPipeline(events);
    await p.pool.query(damage.replaceAll('S.', `"${p.schema}".`).replaceAll('$1', `'2026-11-01T10:20:00Z'`));
    const { counts } = await rebuild(p);
    expect(counts).not.toEqual(NOTHING_REBUILT);
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults(events, closedMs));
    expect(await resultDifferences(p)).toEqual([]);
    expect(await rebuild(p)).toMatchObject({ counts: NOTHING_REBUILT });
  });

  it('outside of the range stays as it is, and inside every window over the range is right', async () => {
    const events = someEvents();
    const p = await closedPipeline(events);
    await p.pool.query(`update "${p.schema}".event_counts set event_count = 99`);
    await p.pool.query(`update "${p.schema}".user_activity set event_count = 99`);
    await rebuild(p, span('10:10:30', '10:12:10'));
    const wrong = async (table: string) =>
      (
        await p.pool.query<{ at: string }>(
          `select distinct to_char(window_start, 'HH24:MI') as at from "${p.schema}".${table} where event_count <> 99 order by 1`,
        )
      ).rows.map(({ at }) => at);
    expect(await wrong('event_counts')).toEqual(['10:10', '10:11', '10:12']);
    expect(await wrong('user_activity')).toEqual(['10:06', '10:07', '10:08', '10:09', '10:10', '10:11', '10:12']);
  });

  it('before the range, in the facts that its windows begin with, is put right before they are made of them', async () => {
    const events = someEvents();
    const p = await closedPipeline(events);
    await p.pool.query(
      `delete from "${p.schema}".pane_facts where pane between '2026-11-01T10:05Z' and '2026-11-01T10:19Z'`,
    );
    const { counts } = await rebuild(p, span('10:14:00', '10:15:00'));
    // The results were right: only facts were missing, from the start of the window of ten minutes to the end of the last sliding one.
    expect(counts).toEqual({ ...NOTHING_REBUILT, panes: 15 });
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults(events, closedMs));
  });

  it('long ago and now is put right in a few transactions: empty time is jumped over', async () => {
    const events = [storedEvent('1970-01-02T00:00:00Z'), storedEvent('2026-11-01T10:02:10Z')];
    const p = await closedPipeline(events);
    await p.pool.query(`update "${p.schema}".event_counts set event_count = 99`);
    let turns = 0;
    const range = { startMs: -1e12, endMs: WHOLE.endMs };
    const { counts } = await rebuildWindows(p.pool, p.spec, {
      range,
      positionMs: null,
      onProgress: () => (turns += 1),
    });
    expect(counts).toMatchObject({ changedRows: 2, windows: 2 });
    expect(turns).toBeLessThan(6);
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults(events, closedMs));
  });
});

describe('a rebuild that is ended between two transactions', () => {
  it('goes on where it stood, and no window is revised twice', async () => {
    const events = someEvents();
    const p = await closedPipeline(events.filter((_, index) => index % 3 > 0));
    await insertEvents(p.pool, p.schema, { events: events.filter((_, index) => index % 3 === 0) });
    let positionMs: number | null = null;
    let calls = 0;
    for (let done = false; !done; calls += 1) {
      const options = { range: WHOLE, positionMs, eventsPerTransaction: 4, goOn: () => false };
      const rebuilt: Awaited<ReturnType<typeof rebuildWindows>> = await rebuildWindows(p.pool, p.spec, options);
      ({ positionMs, done } = rebuilt);
    }
    expect(calls).toBeGreaterThan(6);
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults(events, closedMs));
    expect(await amendments(p, 'revision > 2')).toEqual([]);
    expect(await resultDifferences(p)).toEqual([]);
  });

  it('changes nothing more when the whole of it is done again', async () => {
    const events = someEvents();
    const p = await closedPipeline(events.slice(3));
    await insertEvents(p.pool, p.schema, { events: events.slice(0, 3) });
    await rebuildWindows(p.pool, p.spec, {
      range: WHOLE,
      positionMs: null,
      eventsPerTransaction: 5,
      goOn: () => false,
    });
    await rebuild(p);
    const before = await everything(p);
    expect(await rebuild(p)).toMatchObject({ counts: NOTHING_REBUILT });
    expect(await everything(p)).toEqual(before);
  });
});

describe('late events', () => {
  it('that wait stay out of a rebuild, and the next amendment takes them in', async () => {
    const events = someEvents();
    const p = await closedPipeline(events);
    const late = storedEvent('2026-11-01T10:07:30Z', { user: 'u9' });
    await insertEvents(p.pool, p.schema, { events: [late], late: { closedThrough: CLOSED } });
    expect(await rebuild(p)).toMatchObject({ counts: NOTHING_REBUILT });
    expect(await lateEventsWaiting(p.pool, p.spec)).toBe(1);
    await p.pool.query(`truncate "${p.schema}".pane_facts`);
    await rebuild(p);
    expect(await resultDifferences(p)).toEqual([]);
    await amendWindows(p.pool, p.spec);
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults([...events, late], closedMs));
    expect(await resultDifferences(p)).toEqual([]);
  });

  it('beyond the horizon stay out for ever, and are taken in with their range when that is asked for', async () => {
    const events = someEvents();
    const p = await closedPipeline(events);
    const [inside, outside] = [
      storedEvent('2026-11-01T10:07:30Z', { user: 'u9' }),
      storedEvent('2026-11-01T10:20:30Z'),
    ];
    const late = { closedThrough: CLOSED, beyondHorizon: true };
    await insertEvents(p.pool, p.schema, { events: [inside, outside], late });
    expect(await rebuild(p)).toMatchObject({ counts: NOTHING_REBUILT });
    const range = span('10:05:00', '10:10:00');
    const amended = await amendWindows(p.pool, p.spec, { range, includeBeyondHorizon: true, cause: 'reprocess' });
    expect(amended).toMatchObject({ panes: 1, windows: 9, events: 1 });
    expect(await readResults(p.pool, p.schema)).toEqual(recountResults([...events, inside], closedMs));
    expect(await rebuild(p)).toMatchObject({ counts: NOTHING_REBUILT });
    expect(await resultDifferences(p)).toEqual([]);
    const { rows } = await p.pool.query(
      `select event_id, beyond_horizon, applied_at is not null as applied from "${p.schema}".late_events order by occurred_at`,
    );
    expect(rows).toEqual([
      { event_id: inside.id, beyond_horizon: false, applied: true },
      { event_id: outside.id, beyond_horizon: true, applied: false },
    ]);
    expect(await amendments(p, `cause <> 'reprocess'`)).toEqual([]);
  });
});
