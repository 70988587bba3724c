// Sessions and funnels that are rebuilt from events: after a change of the rules, and when a hand has spoilt what stands there.
import { describe, expect, test } from 'vitest';

import { NOTHING_REBUILT } from '../../pipeline/rebuild.ts';
import { rebuildWindows } from '../../postgres/rebuild-windows.ts';
import { resultDifferences } from '../support/verified-results.ts';
import { randomEvents } from './random-events.ts';
import type { ReferenceRules } from './session-reference.ts';
import { closeTo, expectHistory, expectReference, ingest, sessionRun } from './session-run.ts';
import type { SessionRun } from './session-run.ts';

const MINUTE_MS = 60_000;
const minutes = (gap: number, max: number): ReferenceRules => ({ gapMs: gap * MINUTE_MS, maxMs: max * MINUTE_MS });
const THROUGH_MS = Date.parse('2026-11-01T14:00:00Z');
const WHOLE = { startMs: THROUGH_MS - 86_400_000, endMs: THROUGH_MS };

/** Everything closed under `rules`; the last sessions are still open. */
async function closedRun(rules: ReferenceRules, seed: number): Promise<SessionRun> {
  const run = await sessionRun(rules);
  const starts = ['2026-11-01T11:00:00Z', '2026-11-01T11:40:00Z', '2026-11-01T13:57:00Z'] as const;
  await ingest(run, randomEvents({ seed, count: 400, users: 6, rules, starts }));
  await closeTo(run, THROUGH_MS);
  return run;
}

async function rebuild(run: SessionRun, eventsPerTransaction = 20): Promise<typeof NOTHING_REBUILT> {
  const { counts } = await rebuildWindows(run.pool, run.spec, {
    range: WHOLE,
    positionMs: null,
    eventsPerTransaction,
  });
  return counts;
}

describe('a rebuild after a change of the rules', () => {
  test.each([
    ['a longer gap merges what was apart', minutes(1, 30), minutes(7, 30)],
    ['a shorter gap splits what was one', minutes(6, 30), minutes(1, 30)],
    ['a shorter greatest length cuts', minutes(3, 60), minutes(3, 4)],
    ['a longer greatest length joins what was cut', minutes(3, 4), minutes(3, 60)],
  ])('%s', async (_, before, after) => {
    const run = await closedRun(before, 5);
    const spec = { ...run.spec, sessionGapMs: after.gapMs, sessionMaxMs: after.maxMs };
    const changed = { ...run, spec };
    const counts = await rebuild(changed);
    expect(counts.changedRows + counts.newRows + counts.vanishedRows).toBeGreaterThan(0);
    await expectReference(changed);
    expect(await resultDifferences(changed)).toEqual([]);
    expect(await rebuild(changed, 1_000)).toEqual(NOTHING_REBUILT);
  });
});

describe('a rebuild puts right', () => {
  test.each([
    ['counts of sessions', 'update @.sessions set pages = pages + 1 where mod(events, 2) = 0'],
    ['sessions that are gone', 'delete from @.sessions where mod(events, 2) = 0'],
    [
      'sessions of nobody',
      `insert into @.sessions select (jsonb_populate_record(s, '{"user_id": "nobody"}')).* from @.sessions s limit 3`,
    ],
    ['open sessions that are gone', 'delete from @.open_sessions'],
    ['rows of funnels', 'update @.funnel set reached = reached + 1, median_seconds = 7 where step = 2'],
    ['rows of funnels that are gone', 'delete from @.funnel where step = 1'],
    ['windows of funnels that are not listed', `delete from @.windows where aggregate = 'funnel'`],
    ['facts of users that are gone', 'delete from @.pane_facts where mod(events, 2) = 0'],
    ['facts of carts', 'update @.pane_facts set bought_items = null, bought_quantities = null'],
    ['everything', 'truncate @.sessions, @.funnel, @.purchase_facts, @.pane_facts'],
  ])('%s', async (_, spoil) => {
    const run = await closedRun(minutes(3, 25), 9);
    await expectReference(run);
    await run.pool.query(spoil.replaceAll('@', `"${run.schema}"`));
    await rebuild(run);
    await expectReference(run);
    expect(await resultDifferences(run)).toEqual([]);
    await expectHistory(run);
    expect(await rebuild(run, 1_000)).toEqual(NOTHING_REBUILT);
  });
});
