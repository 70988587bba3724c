// Sessions and funnels after a rebuild: the closer goes on from what it left, minute by minute, as if nothing had been wrong.
import { describe, expect, test } from 'vitest';

import { NOTHING_REBUILT } from '../../pipeline/rebuild.ts';
import { rebuildWindows } from '../../postgres/rebuild-windows.ts';
import { SeededRandom } from '../fuzz/seeded-random.ts';
import { resultDifferences } from '../support/verified-results.ts';
import { randomEvents } from './random-events.ts';
import { closeBeforeSessions, closeTo, expectHistory, expectReference, ingest, sessionRun } from './session-run.ts';
import type { SessionRun } from './session-run.ts';

const MINUTE_MS = 60_000;
const TEN_MS = Date.parse('2026-11-01T10:00:00Z');
const RULES = { gapMs: 3 * MINUTE_MS, maxMs: 11 * MINUTE_MS };

async function closedRun(seed: number, minutes: number): Promise<SessionRun> {
  const run = await sessionRun(RULES);
  await ingest(run, randomEvents({ seed, count: 300, users: 4, rules: RULES, starts: ['2026-11-01T10:00:00Z'] }));
  await closeTo(run, TEN_MS + minutes * MINUTE_MS);
  return run;
}

async function rebuilt(run: SessionRun): Promise<typeof NOTHING_REBUILT> {
  const range = { startMs: TEN_MS - 60 * MINUTE_MS, endMs: TEN_MS + 600 * MINUTE_MS };
  return (await rebuildWindows(run.pool, run.spec, { range, positionMs: null })).counts;
}

/** Closes minute by minute, so that a session that ends a minute too late shows. */
async function goOn(run: SessionRun, fromMinute: number, minutes: number): Promise<void> {
  for (let minute = fromMinute + 1; minute <= fromMinute + minutes; minute += 1) {
    await closeTo(run, TEN_MS + minute * MINUTE_MS);
    await expectReference(run);
  }
}

describe('a rebuild of sessions', () => {
  test('that are right changes nothing', async () => {
    const run = await closedRun(40, 60);
    expect(await rebuilt(run)).toEqual(NOTHING_REBUILT);
  });

  test('behind a close that ended before the sessions did closes these first, and changes nothing', async () => {
    const run = await closedRun(48, 12);
    await closeBeforeSessions(run, TEN_MS + 25 * MINUTE_MS);
    const between = await expectReference(run);
    expect(await rebuilt(run)).toEqual(NOTHING_REBUILT);
    const after = await expectReference(run);
    expect(after.closed).toBeGreaterThan(between.closed);
    await goOn(run, 25, 4);
    await expectHistory(run);
    expect(await resultDifferences(run)).toEqual([]);
  });

  test.each([41, 42, 43, 44, 45, 46])(
    'takes out events that are gone, also the last ones of sessions that are open (seed %i)',
    async (seed) => {
      const run = await closedRun(seed, 25);
      const random = new SeededRandom(seed, 5);
      const gone = run.stored.filter(({ at }) => at < BigInt(TEN_MS + 25 * MINUTE_MS) * 1000n && random.oneIn(4));
      await run.pool.query(`delete from "${run.schema}".events where event_id = any($1)`, [gone.map(({ id }) => id)]);
      run.stored.splice(0, Infinity, ...run.stored.filter((event) => !gone.includes(event)));
      await rebuilt(run);
      await expectReference(run);
      expect(await resultDifferences(run)).toEqual([]);
      await goOn(run, 25, 6);
      await expectHistory(run);
      expect(await resultDifferences(run)).toEqual([]);
      expect(await rebuilt(run)).toEqual(NOTHING_REBUILT);
    },
  );

  test.each([
    ['facts of users that are wrong', `update S.pane_facts set events = events + 1, revenue = 7, device = 'x'`],
    ['steps that are wrong', 'update S.pane_facts set step_marks = null, steps_at = null'],
    [
      'facts of carts that are wrong',
      `update S.pane_facts set added_values = added_values || 1, added_items = added_items || 'x'::text, added_quantities = added_quantities || 1`,
    ],
    [
      'sessions that begin at another time',
      `update S.sessions set session_start = session_start - interval '1 second'`,
    ],
    [
      'cells of sessions',
      `update S.sessions set revenue = revenue + 1, exit_page = 'x', funnels = '{}', cut = not cut`,
    ],
    ['open sessions of nobody', `update S.open_sessions set user_id = 'nobody' || user_id`],
    [
      'open sessions that began earlier',
      `update S.open_sessions set session_start = session_start - interval '2 minutes', active_since = active_since - interval '2 minutes'`,
    ],
    ['open sessions that ended later', `update S.open_sessions set last_at = last_at + interval '1 minute'`],
    ['the time to cut open sessions', `update S.open_sessions set cut_at = cut_at + interval '1 hour'`],
    ['the time to look at open sessions', `update S.open_sessions set check_at = check_at + interval '1 hour'`],
    ['cells of funnels', 'update S.funnel set reached = reached + 1, conversion = null'],
    ['funnels of nothing', `update S.funnel set device = 'nothing' || device`],
    ['pending windows that are forgotten', 'delete from S.pending_funnels'],
    ['the counts of the windows of funnels', `update S.windows set events = events + 1 where aggregate = 'funnel'`],
  ])('puts right %s', async (_, damage) => {
    const run = await closedRun(47, 25);
    await run.pool.query(damage.replaceAll('S.', `"${run.schema}".`));
    await rebuilt(run);
    await expectReference(run);
    expect(await resultDifferences(run)).toEqual([]);
    await goOn(run, 25, 4);
    expect(await resultDifferences(run)).toEqual([]);
  });
});
