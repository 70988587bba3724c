// The recount of sessions and funnels in SQL, held to a reference that counts a list of events in memory: to the cell.
import { describe, expect, test } from 'vitest';

import { FUNNELS } from '../../pipeline/funnel.ts';
import type { Funnel } from '../../pipeline/funnel.ts';
import { funnelWindowOf, recountFunnelSql } from '../../postgres/recount-funnel.ts';
import { recountSessionsSql } from '../../postgres/recount-sessions.ts';
import type { UserShare } from '../../postgres/recount-sessions.ts';
import { SeededRandom } from '../fuzz/seeded-random.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { insertReferenceEvents, micros, randomEvents } from './random-events.ts';
import { referenceFunnel, referenceSessions } from './session-reference.ts';
import type { ReferenceEvent, ReferenceRules } from './session-reference.ts';
import {
  plainFunnel,
  plainOpen,
  plainSessions,
  readFunnelRows,
  readOpenRows,
  readSessionRows,
} from './session-rows.ts';

const MINUTE_MS = 60_000;
const ALL: UserShare = { part: 0, of: 1 };

/** A funnel that asks for the same things in another order, with a short limit, so that orders and limits matter. */
const BACKWARDS: Funnel = {
  name: 'backwards',
  withinMs: 3 * MINUTE_MS,
  steps: [
    { name: 'purchase', type: 'purchase' },
    { name: 'again', type: 'purchase' },
    { name: 'clicked', type: 'item_click', where: { item_id: 'I3', category: 'c' } },
    { name: 'home', type: 'page_view', where: { page: 'home' } },
    { name: 'seen', type: 'page_view' },
  ],
};
const DECLARED = [...FUNNELS, BACKWARDS];

/** What came up: sessions of each kind, the furthest step that was reached, and how many reached the same second step. */
type Counts = Readonly<Record<'closed' | 'open' | 'cut' | 'steps' | 'reached', number>>;
type Counted = { through: string; rules: ReferenceRules; share?: UserShare };

const writtenTo = (throughMs: number | null) => ({ panesThroughMs: throughMs, writtenThroughMs: throughMs });

/** Both counts of `events`, of which the database holds those and maybe others that are not to be counted. */
async function expectSame(
  { pool, schema }: TestDatabase,
  events: readonly ReferenceEvent[],
  { through, rules, share = ALL }: Counted,
): Promise<Counts> {
  const expected = referenceSessions(events, { rules, funnels: DECLARED, through: micros(through) });
  const recount = recountSessionsSql(schema, {
    rules,
    funnels: DECLARED,
    clock: writtenTo(Date.parse(through)),
    share,
  });
  const open = expected.filter((session) => session.open);
  expect(await readSessionRows(pool, `(${recount})`)).toEqual(plainSessions(expected));
  expect(await readOpenRows(pool, `(select *, session_end as last_at from (${recount}) as r where open)`)).toEqual(
    plainOpen(open),
  );
  const funnel = recountFunnelSql(
    DECLARED,
    `select ${funnelWindowOf('session_start')} as window_start, device, location, revenue, funnels from (${recount}) as r`,
  );
  const rows = referenceFunnel(expected, DECLARED);
  expect(await readFunnelRows(pool, `(${funnel})`)).toEqual(plainFunnel(rows));
  return {
    closed: expected.length - open.length,
    open: open.length,
    cut: expected.filter(({ cut }) => cut).length,
    steps: Math.max(...rows.filter(({ reached }) => reached > 0).map(({ step }) => step)),
    reached: Math.max(...rows.filter(({ step }) => step === 2).map(({ reached }) => reached)),
  };
}

describe('the recount in SQL equals the reference', () => {
  test.each([
    [1, { gapMs: MINUTE_MS, maxMs: 5 * MINUTE_MS }],
    [2, { gapMs: 2 * MINUTE_MS, maxMs: 7 * MINUTE_MS }],
    [3, { gapMs: 3 * MINUTE_MS, maxMs: 12 * MINUTE_MS }],
    // A gap longer than the greatest length: whole parts of an island may be empty.
    [4, { gapMs: 10 * MINUTE_MS, maxMs: 2 * MINUTE_MS }],
    [5, { gapMs: 30 * MINUTE_MS, maxMs: 3 * 60 * MINUTE_MS }],
  ])('for random events, and some of them late (seed %i)', async (seed, rules) => {
    const database = await freshDatabase();
    const events = randomEvents({
      seed,
      count: 3_000,
      users: 12,
      rules,
      starts: [
        '2026-11-01T10:00:00Z',
        '2026-11-01T10:00:30Z',
        '1815-06-18T11:35:00Z',
        '1969-12-31T23:58:00Z',
        '2999-12-31T23:50:00Z',
      ],
    });
    const random = new SeededRandom(seed, 1);
    const late = new Set(events.filter(() => random.oneIn(40)));
    const onTime = events.filter((event) => !late.has(event));
    await insertReferenceEvents(database.pool, database.schema, { events: onTime });
    await insertReferenceEvents(database.pool, database.schema, {
      events: [...late],
      late: { closedThrough: '2026-11-01T11:00:00Z' },
    });
    const seen: Counts[] = [];
    for (const through of [
      '3500-01-01T00:00:00Z',
      '2026-11-01T10:40:00Z',
      '2026-11-01T11:23:00Z',
      '1815-06-18T11:40:00Z',
    ]) {
      seen.push(await expectSame(database, onTime, { through, rules }));
    }
    // The test is worth something only if all of these came up.
    const most = (what: keyof Counts): number => Math.max(...seen.map((counts) => counts[what]));
    expect(most('closed')).toBeGreaterThan(50);
    expect(most('open')).toBeGreaterThan(2);
    expect(most('cut')).toBeGreaterThan(3);
    expect(most('steps')).toBeGreaterThan(2);
    await database.pool.query(`update "${database.schema}".late_events set applied_at = now()`);
    await expectSame(database, events, { through: '2026-11-01T11:23:00Z', rules });
  });

  test('for many sessions of one device and place, whose waits are sorted into percentiles', async () => {
    const database = await freshDatabase();
    const rules = { gapMs: 2 * MINUTE_MS, maxMs: 60 * MINUTE_MS };
    const any = randomEvents({ seed: 8, count: 1_500, users: 60, rules, starts: ['2026-11-01T10:00:00Z'] });
    const events = any.map((event) => Object.assign(event, { device: 'mobile', location: 'Berlin' }));
    await insertReferenceEvents(database.pool, database.schema, { events });
    const { reached } = await expectSame(database, events, { through: '2026-11-01T12:00:00Z', rules });
    expect(reached).toBeGreaterThan(30);
  });

  test('share by share of the users as for all at once', async () => {
    const { pool, schema } = await freshDatabase();
    const rules = { gapMs: MINUTE_MS, maxMs: 5 * MINUTE_MS };
    const events = randomEvents({ seed: 6, count: 1_000, users: 40, rules, starts: ['2026-11-01T10:00:00Z'] });
    await insertReferenceEvents(pool, schema, { events });
    const through = '2026-11-01T11:00:00Z';
    const recounted = async (share: UserShare) => {
      const recount = { rules, funnels: DECLARED, clock: writtenTo(Date.parse(through)), share };
      return await readSessionRows(pool, `(${recountSessionsSql(schema, recount)})`);
    };
    const parts = await Promise.all([0, 1, 2, 3].map((part) => recounted({ part, of: 4 })));
    expect(parts.every(({ length }) => length > 0)).toBe(true);
    const byKey = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).toSorted();
    expect(byKey(parts.flat())).toEqual(byKey(await recounted(ALL)));
  });

  test('for no events at all, and before anything was closed', async () => {
    const { pool, schema } = await freshDatabase();
    const rules = { gapMs: MINUTE_MS, maxMs: 5 * MINUTE_MS };
    await expect(
      readSessionRows(
        pool,
        `(${recountSessionsSql(schema, { rules, funnels: DECLARED, clock: writtenTo(0), share: ALL })})`,
      ),
    ).resolves.toEqual([]);
    const events = randomEvents({ seed: 7, count: 10, users: 2, rules, starts: ['2026-11-01T10:00:00Z'] });
    await insertReferenceEvents(pool, schema, { events });
    await expect(
      readSessionRows(
        pool,
        `(${recountSessionsSql(schema, { rules, funnels: DECLARED, clock: writtenTo(null), share: ALL })})`,
      ),
    ).resolves.toEqual([]);
  });
});
