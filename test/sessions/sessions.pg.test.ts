// Sessions and funnels as they are closed, amended and taken up again, held to the reference after every step.
import { describe, expect, test } from 'vitest';

import { amendWindows } from '../../postgres/amend-windows.ts';
import { closeNextPanes } from '../../postgres/close-windows.ts';
import { moveClosedThrough, readClock } from '../../postgres/closed-through.ts';
import { SeededRandom } from '../fuzz/seeded-random.ts';
import { resultDifferences } from '../support/verified-results.ts';
import { micros, randomEvents } from './random-events.ts';
import type { ReferenceEvent, ReferenceRules } from './session-reference.ts';
import {
  closeBeforeSessions,
  closeTo,
  driveRun,
  expectHistory,
  expectReference,
  ingest,
  sessionRun,
} from './session-run.ts';
import type { SessionRun } from './session-run.ts';

const MINUTE_MS = 60_000;
const TEN_MS = Date.parse('2026-11-01T10:00:00Z');

/** Events of about an hour in the order in which they come: most soon after they happened, some much later. */
function arriving(seed: number, rules: ReferenceRules, count: number): ReferenceEvent[] {
  const events = randomEvents({
    seed,
    count,
    users: 5,
    rules,
    starts: ['2026-11-01T10:00:00Z', '2026-11-01T10:07:30Z'],
  });
  const random = new SeededRandom(seed, 3);
  const delayed = events.map((event) => ({
    event,
    comes: event.at + BigInt(random.oneIn(6) ? random.below(60 * MINUTE_MS) : random.below(MINUTE_MS)) * 1000n,
  }));
  return delayed.toSorted((one, other) => Number(one.comes - other.comes)).map(({ event }) => event);
}

describe('sessions and funnels equal the reference after every step of a run', () => {
  const RULES = [
    { gapMs: MINUTE_MS, maxMs: 5 * MINUTE_MS },
    { gapMs: 2 * MINUTE_MS, maxMs: 7 * MINUTE_MS },
    { gapMs: 5 * MINUTE_MS, maxMs: 2 * MINUTE_MS },
    { gapMs: 3 * MINUTE_MS, maxMs: 25 * MINUTE_MS },
  ] as const;
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('with late events and closes of many lengths (seed %i)', async (seed) => {
    const rules = RULES[seed % RULES.length] ?? RULES[0];
    const run = await sessionRun(rules);
    await driveRun(run, arriving(seed, rules, 300), seed);
    const { rows } = await run.pool.query(`select 1 from "${run.schema}".amendments where aggregate = 'sessions'`);
    expect(rows.length).toBeGreaterThan(0);
  });
});

describe('a close', () => {
  const RULES = { gapMs: 2 * MINUTE_MS, maxMs: 7 * MINUTE_MS };
  const CLOSED_MS = TEN_MS + 30 * MINUTE_MS;

  /** Everything that a close writes, revisions and clock included. */
  async function everything({ pool, schema }: SessionRun): Promise<unknown[]> {
    const found = [];
    for (const table of [
      'sessions',
      'open_sessions',
      'funnel',
      'pending_funnels',
      'windows',
      'amendments',
      'pane_facts',
      'purchase_facts',
      'closed_through',
    ]) {
      found.push(
        (await pool.query(`select to_jsonb(t) - 'closed_at' as row from "${schema}".${table} t order by t::text`)).rows,
      );
    }
    return found;
  }

  async function filled(seed: number): Promise<SessionRun> {
    const run = await sessionRun(RULES);
    await ingest(run, randomEvents({ seed, count: 400, users: 5, rules: RULES, starts: ['2026-11-01T10:00:00Z'] }));
    return run;
  }

  test('that dies at its last statement has done nothing, and done again it writes everything once', async () => {
    const run = await filled(20);
    const { pool, schema } = run;
    await closeTo(run, TEN_MS + 9 * MINUTE_MS);
    const before = await everything(run);
    await moveClosedThrough(pool, run.spec, CLOSED_MS);
    // The last thing that a close writes is how far it came.
    await pool.query(`
      create function "${schema}".die() returns trigger language plpgsql as $$ begin raise exception 'killed'; end $$;
      create trigger die before update of written_through on "${schema}".closed_through for each row
        when (new.written_through <> old.written_through) execute function "${schema}".die()`);
    await expect(closeNextPanes(pool, run.spec, { throughMs: CLOSED_MS })).rejects.toThrow('killed');
    await pool.query(`drop trigger die on "${schema}".closed_through`);
    expect((await everything(run)).slice(0, -1)).toEqual(before.slice(0, -1));
    await closeTo(run, CLOSED_MS);
    const { closed, open, funnel } = await expectReference(run);
    expect(Math.min(closed, open, funnel)).toBeGreaterThan(0);
    const { rows } = await pool.query(`
      select (select max(revision) from "${schema}".sessions) as sessions, (select max(revision) from "${schema}".funnel) as funnel,
        (select count(*)::int from "${schema}".amendments) as amendments`);
    expect(rows).toEqual([{ sessions: 1, funnel: 1, amendments: 0 }]);
    const after = await everything(run);
    await closeTo(run, CLOSED_MS);
    expect(await everything(run)).toEqual(after);
  });

  test('that ends between panes and sessions leaves them open, and the next one closes them though no pane is left', async () => {
    const run = await filled(24);
    const allMs = TEN_MS + 200 * MINUTE_MS;
    await closeBeforeSessions(run, allMs);
    const { panesThroughMs, writtenThroughMs } = await readClock(run.pool, run.spec);
    expect([panesThroughMs, writtenThroughMs]).toEqual([allMs, null]);
    const between = await expectReference(run);
    expect(await resultDifferences(run)).toEqual([]);
    expect([between.open, between.funnel]).toEqual([5, 0]);
    await closeTo(run, allMs);
    const after = await expectReference(run);
    expect([after.open, after.closed]).toEqual([0, between.closed + 5]);
    expect(after.funnel).toBeGreaterThan(0);
    expect(await resultDifferences(run)).toEqual([]);
  });

  test('writes the same minute by minute, in one go and by two closers at once', async () => {
    const runs = [await filled(21), await filled(21), await filled(21)] as const;
    for (let minute = 1; minute <= 30; minute += 1) await closeTo(runs[0], TEN_MS + minute * MINUTE_MS);
    await closeTo(runs[1], CLOSED_MS);
    await Promise.all([closeTo(runs[2], TEN_MS + 11 * MINUTE_MS), closeTo(runs[2], CLOSED_MS)]);
    await closeTo(runs[2], CLOSED_MS);
    const counts = [await expectReference(runs[0]), await expectReference(runs[1]), await expectReference(runs[2])];
    expect(counts[1]).toEqual(counts[0]);
    expect(counts[2]).toEqual(counts[0]);
    expect(await resultDifferences(runs[2])).toEqual([]);
  });

  test('beside an amendment of late events takes each event in once', async () => {
    const run = await filled(22);
    await closeTo(run, TEN_MS + 12 * MINUTE_MS);
    await ingest(run, randomEvents({ seed: 23, count: 60, users: 5, rules: RULES, starts: ['2026-11-01T10:00:00Z'] }));
    await Promise.all([
      closeTo(run, CLOSED_MS),
      amendWindows(run.pool, run.spec, { eventsPerTransaction: 3, eventsTogether: 1, patient: true }),
    ]);
    await expectReference(run);
    await amendWindows(run.pool, run.spec);
    await closeTo(run, CLOSED_MS);
    await expectReference(run);
    await expectHistory(run);
    expect(await resultDifferences(run)).toEqual([]);
  });
});

describe('a late event', () => {
  const RULES = { gapMs: 5 * MINUTE_MS, maxMs: 60 * MINUTE_MS };
  const at = (minute: number): string => new Date(TEN_MS + minute * MINUTE_MS).toISOString();

  /** Page views of one user at these minutes behind ten o'clock, stored and closed through the hour; then late ones, amended. */
  async function amended({
    onTime,
    late,
    through = 60,
  }: {
    onTime: number[];
    late: number[];
    through?: number;
  }): Promise<SessionRun> {
    const run = await sessionRun(RULES);
    let made = 0;
    const views = (minutes: number[]): ReferenceEvent[] =>
      minutes.map((minute) => ({
        id: `00000000-0000-4000-8000-${String((made += 1)).padStart(12, '0')}`,
        at: micros(at(minute)),
        type: 'page_view',
        user: 'u1',
        device: 'mobile',
        location: 'Berlin',
        texts: { page: 'product', referrer: 'direct' },
        quantity: 0,
        price: 0n,
        bought: [],
        amount: 0n,
      }));
    await ingest(run, views(onTime));
    await closeTo(run, TEN_MS + through * MINUTE_MS);
    await ingest(run, views(late));
    await amendWindows(run.pool, run.spec);
    await expectReference(run);
    await expectHistory(run);
    return run;
  }

  /** Minutes behind ten o'clock: when a session began and ended before, after, and when the one that took it over began. */
  async function changes({ pool, schema }: SessionRun): Promise<unknown[]> {
    const minute = (value: string): string => `extract(epoch from (${value})::timestamptz - '${at(0)}')::float8 / 60`;
    const { rows } = await pool.query(
      `select ${minute('window_start::text')} as start, revision, cause, group_key,
         ${minute(`before ->> 'session_end'`)} as before, ${minute(`after ->> 'session_end'`)} as after,
         ${minute('superseded_by::text')} as by
       from "${schema}".amendments where aggregate = 'sessions' order by window_start, id`,
    );
    return rows;
  }

  const change = { revision: 2, cause: 'late event', group_key: { user_id: 'u1' } };

  test('exactly a gap behind the end lengthens a session, which is its next revision', async () => {
    const run = await amended({ onTime: [0, 1], late: [6] });
    expect(await changes(run)).toEqual([{ ...change, start: 0, before: 1, after: 6, by: null }]);
  });

  test('a millisecond more than a gap behind the end makes a session of its own', async () => {
    const run = await amended({ onTime: [0, 1], late: [6 + 1 / MINUTE_MS] });
    expect(await changes(run)).toEqual([
      { ...change, revision: 1, start: 6 + 1 / MINUTE_MS, before: null, after: 6 + 1 / MINUTE_MS, by: null },
    ]);
  });

  test('before the start makes the session begin earlier, and the one that began later is superseded', async () => {
    const run = await amended({ onTime: [5, 6], late: [2] });
    expect(await changes(run)).toEqual([
      { ...change, start: 2, before: null, after: 6, by: null },
      { ...change, start: 5, before: 6, after: null, by: 2 },
    ]);
  });

  test('between two sessions merges them: the first goes on, the second is superseded by it', async () => {
    const run = await amended({ onTime: [0, 8], late: [4] });
    expect(await changes(run)).toEqual([
      { ...change, start: 0, before: 0, after: 8, by: null },
      { ...change, start: 8, before: 8, after: null, by: 0 },
    ]);
    expect((await run.pool.query(`select revision from "${run.schema}".sessions`)).rows).toEqual([{ revision: 2 }]);
  });

  test('that makes an open session begin in a window whose funnels are written puts the window off until it closes', async () => {
    const run = await amended({ onTime: [1, 11], late: [9], through: 12 });
    const listed = async (): Promise<unknown[]> =>
      (
        await run.pool.query(
          `select w.revision, w.events::int, p.window_start is not null as pending from "${run.schema}".windows w
           left join "${run.schema}".pending_funnels p using (window_start)
           where w.aggregate = 'funnel' and w.window_start = $1`,
          [at(0)],
        )
      ).rows;
    expect(await resultDifferences(run)).toEqual([]);
    expect(await listed()).toEqual([{ revision: 1, events: 1, pending: true }]);
    await closeTo(run, TEN_MS + 30 * MINUTE_MS);
    await expectReference(run);
    expect(await listed()).toEqual([{ revision: 2, events: 2, pending: false }]);
    expect(await resultDifferences(run)).toEqual([]);
  });

  test('that joins a closed session to an open one takes it out of the table until that one closes', async () => {
    const run = await amended({ onTime: [0, 8], late: [4], through: 10 });
    const sessions = async (): Promise<unknown[]> =>
      (await run.pool.query(`select revision, events::int from "${run.schema}".sessions`)).rows;
    expect(await sessions()).toEqual([]);
    await closeTo(run, TEN_MS + 30 * MINUTE_MS);
    await expectReference(run);
    expect(await sessions()).toEqual([{ revision: 2, events: 3 }]);
    await expectHistory(run);
    expect(await resultDifferences(run)).toEqual([]);
  });
});
