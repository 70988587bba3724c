// Verification of sessions and funnels on real tables: clean where all is well, and no kind of damage goes unseen.
import { beforeAll, describe, expect, test } from 'vitest';

import type { Check } from '../../pipeline/check.ts';
import { FUNNELS } from '../../pipeline/funnel.ts';
import { readClock } from '../../postgres/closed-through.ts';
import { checkSessions } from '../../postgres/verify-sessions.ts';
import { RECOUNTED_SESSIONS } from '../../postgres/verify-sessions-sql.ts';
import { randomEvents } from '../sessions/random-events.ts';
import { closeTo, ingest, sessionRun } from '../sessions/session-run.ts';
import type { SessionRun } from '../sessions/session-run.ts';

const MINUTE_MS = 60_000;
const TEN_MS = Date.parse('2026-11-01T10:00:00Z');
const RULES = { gapMs: 2 * MINUTE_MS, maxMs: 7 * MINUTE_MS };

let run: SessionRun;

beforeAll(async () => {
  run = await sessionRun(RULES);
  // Six users who go on for about an hour: in the middle of it some sessions are open, some closed, some windows pending.
  await ingest(run, randomEvents({ seed: 31, count: 900, users: 6, rules: RULES, starts: ['2026-11-01T10:00:00Z'] }));
  await closeTo(run, TEN_MS + 38 * MINUTE_MS);
});

/** The checks after `damage` (with `s` for the schema), which is rolled back. */
async function verified(damage: string, rules = RULES): Promise<Map<string, Check>> {
  const client = await run.pool.connect();
  try {
    await client.query(`begin isolation level repeatable read; ${RECOUNTED_SESSIONS}`);
    const { rowCount } = await client.query(damage.replaceAll(/\bs\./g, `${run.schema}.`));
    expect(rowCount, 'rows damaged').toBe(1);
    await client.query('set transaction read only');
    const clock = await readClock(client, run.spec);
    const input = { rules, funnels: FUNNELS, clock, events: 900, eventsAtOnce: 300, onProgress: () => {} };
    const checks = await checkSessions(client, run.schema, input);
    return new Map(checks.map((check) => [check.name, check]));
  } finally {
    await client.query('rollback');
    client.release();
  }
}

const NOTHING = 'select 1';
const broken = (checks: Map<string, Check>): Record<string, number> =>
  Object.fromEntries(
    [...checks.values()].flatMap(({ name, differences }) => (differences > 0 ? [[name, differences]] : [])),
  );
const examples = (checks: Map<string, Check>, name: string): readonly string[] => checks.get(name)?.examples ?? [];

/** One row of a table, by its place: the first or the last in the order of its key. */
const ONE_SESSION = `s.sessions where (user_id, session_start) = (select user_id, session_start from s.sessions
  where orders > 0 order by session_start limit 1)`;
const ONE_OPEN = 's.open_sessions where user_id = (select min(user_id) from s.open_sessions)';
const ONE_STEP = `s.funnel where ctid = (select ctid from s.funnel where step = 2 and reached > 0 order by window_start limit 1)`;
const ONE_WINDOW = `s.windows where aggregate = 'funnel' and window_start = '2026-11-01T10:00:00Z'`;

describe('sessions and funnels that nobody tampered with', () => {
  test('verify clean, and every check had something to compare', async () => {
    const checks = await verified(NOTHING);
    expect(broken(checks)).toEqual({});
    expect([...checks.keys()]).toEqual(['sessions', 'open sessions', 'funnel', 'funnel windows']);
    for (const { name, expected, found } of checks.values()) {
      expect(expected, name).toBeGreaterThan(0);
      expect(found, name).toBe(expected);
    }
    const { rows } = await run.pool.query(`select count(*)::int as pending from "${run.schema}".pending_funnels`);
    expect(rows[0].pending).toBeGreaterThan(0);
  });

  test('verify clean before anything was closed', async () => {
    const empty = await sessionRun(RULES);
    await ingest(
      empty,
      randomEvents({ seed: 32, count: 20, users: 2, rules: RULES, starts: ['2026-11-01T10:00:00Z'] }),
    );
    const kept = run;
    run = empty;
    try {
      expect(broken(await verified(NOTHING))).toEqual({});
    } finally {
      run = kept;
    }
  });

  test('differ by other rules, and the claim says by which they were recounted', async () => {
    const checks = await verified(NOTHING, { gapMs: 3 * MINUTE_MS, maxMs: 7 * MINUTE_MS });
    expect(broken(checks)).toHaveProperty('sessions');
    expect(checks.get('sessions')?.claim).toBe('sessions equal a recount of events (gap 3m, cut at 7m)');
  });
});

describe('damage', () => {
  test('to each cell of a session is seen and named, with both values', async () => {
    const changes: Record<string, string> = {
      session_end: `session_end + interval '1 microsecond'`,
      duration_seconds: 'duration_seconds + 0.001',
      revenue: 'revenue + 0.01',
      cart_left: 'cart_left + 0.01',
      device: `device || ' '`,
      location: 'lower(location) || upper(location)',
      entry_page: `'nowhere'`,
      exit_page: `'nowhere'`,
      first_referrer: `coalesce(first_referrer, '') || '.'`,
      converted: 'not converted',
      bounced: 'not bounced',
      cut: 'not cut',
      active_since: `active_since - interval '1 microsecond'`,
      funnels: `jsonb_set(funnels, '{other}', '[1]')`,
    };
    for (const column of ['events', 'pages', 'clicks', 'searches', 'cart_adds', 'orders'])
      changes[column] = `${column} + 1`;
    for (const [column, value] of Object.entries(changes)) {
      const checks = await verified(`update ${ONE_SESSION.replace(' where', ` set ${column} = ${value} where`)}`);
      expect(broken(checks), column).toEqual({ sessions: 1 });
      expect(examples(checks, 'sessions')[0]).toMatch(
        new RegExp(
          `^Session of user "[^"]+" from 2026-11-01T10:\\d\\d:\\d\\d\\.\\d{6}Z: ${column} is .+, recounted .+\\.$`,
        ),
      );
    }
  });

  test('that takes a session away or adds one is seen', async () => {
    const missing = await verified(`delete from ${ONE_SESSION}`);
    expect(broken(missing)).toEqual({ sessions: 1 });
    expect(examples(missing, 'sessions')[0]).toMatch(/^Session of user .*: the row is missing\.$/);
    const extra =
      await verified(`insert into s.sessions select (jsonb_populate_record(null::s.sessions, to_jsonb(t) || '{"session_start": "1999-01-01Z"}')).*
      from (select * from ${ONE_SESSION}) as t`);
    expect(broken(extra)).toEqual({ sessions: 1 });
    expect(examples(extra, 'sessions')[0]).toMatch(
      /^Session of user .* from 1999-.*: the row is not in the recount\.$/,
    );
  });

  test('to a time that a session begins at is one missing and one too many', async () => {
    const moved = await verified(
      `update ${ONE_SESSION.replace(' where', ` set session_start = session_start + interval '1 microsecond' where`)}`,
    );
    expect(broken(moved)).toEqual({ sessions: 2 });
  });

  test.each([
    ['last_at', `last_at = last_at - interval '1 microsecond', check_at = check_at - interval '1 microsecond'`],
    ['session_start', `session_start = session_start - interval '1 microsecond'`],
    ['active_since', `active_since = active_since - interval '7 hours'`],
    ['cut_at', `cut_at = cut_at + interval '1 minute'`],
    ['checked_in_time', `check_at = last_at + interval '2 minutes 1 microsecond'`],
  ])('to %s of an open session is seen', async (column, change) => {
    const checks = await verified(`update ${ONE_OPEN.replace(' where', ` set ${change} where`)}`);
    expect(broken(checks)).toEqual({ 'open sessions': 1 });
    expect(examples(checks, 'open sessions')[0]).toMatch(
      new RegExp(`^Open session of user ".*": ${column} is .*, recounted .*\\.$`),
    );
  });

  test('that takes an open session away or adds one is seen', async () => {
    expect(broken(await verified(`delete from ${ONE_OPEN}`))).toEqual({ 'open sessions': 1 });
    const copy = `insert into s.open_sessions select (jsonb_populate_record(null::s.open_sessions, to_jsonb(t) || '{"user_id": "nobody"}')).* from (select * from ${ONE_OPEN}) as t`;
    expect(broken(await verified(copy))).toEqual({ 'open sessions': 1 });
  });

  test('to each cell of a funnel is seen and named', async () => {
    const changes: Record<string, string> = {
      window_end: `window_end + interval '1 minute'`,
      step_name: `'other'`,
      sessions: 'sessions + 1',
      reached: 'reached + 1',
      conversion: 'conversion - 0.0001',
      overall_conversion: 'null',
      drop_off: 'drop_off + 1',
      median_seconds: 'median_seconds + 0.000001',
      p90_seconds: 'null',
      revenue: 'revenue + 0.01',
    };
    for (const [column, value] of Object.entries(changes)) {
      const checks = await verified(`update ${ONE_STEP.replace(' where', ` set ${column} = ${value} where`)}`);
      expect(broken(checks), column).toEqual({ funnel: 1 });
      expect(examples(checks, 'funnel')[0]).toMatch(
        new RegExp(`^Window 2026-11-01T10:\\d0:00Z of funnel, {"step": 2, .*}: ${column} is .+, recounted .+\\.$`),
      );
    }
  });

  test('that takes a step away, or adds one of a group that has no sessions, is seen', async () => {
    const missing = await verified(`delete from ${ONE_STEP}`);
    expect(broken(missing)).toEqual({ funnel: 1 });
    expect(examples(missing, 'funnel')[0]).toMatch(/: the row is missing\.$/);
    for (const change of [
      '{"device": "tv"}',
      '{"funnel": "undeclared"}',
      '{"window_start": "1999-01-01Z", "window_end": "1999-01-01T00:10Z"}',
    ]) {
      const extra = await verified(
        `insert into s.funnel select (jsonb_populate_record(null::s.funnel, to_jsonb(t) || '${change}')).* from (select * from ${ONE_STEP}) as t`,
      );
      expect(broken(extra), change).toEqual({ funnel: 1 });
      expect(examples(extra, 'funnel')[0]).toMatch(/: the row is not in the recount\.$/);
    }
  });

  test("to the list of the funnels' windows is seen", async () => {
    const gone = await verified(`delete from ${ONE_WINDOW}`);
    expect(broken(gone)).toEqual({ 'funnel windows': 1 });
    expect(examples(gone, 'funnel windows')).toEqual(['Window 2026-11-01T10:00:00Z of funnel: the row is missing.']);
    const wrong = await verified(`update ${ONE_WINDOW.replace(' where', ' set events = 1000 where')}`);
    expect(broken(wrong)).toEqual({ 'funnel windows': 1 });
    expect(examples(wrong, 'funnel windows')[0]).toMatch(
      /^Window 2026-11-01T10:00:00Z of funnel: state is "listed with 1000 sessions", recounted "listed with \d+ sessions"\.$/,
    );
    const end = await verified(
      `update ${ONE_WINDOW.replace(' where', ` set window_end = window_end + interval '1 minute' where`)}`,
    );
    expect(broken(end)).toEqual({ 'funnel windows': 1 });
    const extra = await verified(`insert into s.windows (aggregate, window_start, window_end, revision, events)
      values ('funnel', '1999-01-01Z', '1999-01-01T00:10Z', 1, 1)`);
    expect(broken(extra)).toEqual({ 'funnel windows': 1 });
  });

  test('that forgets a pending window, or lets one wait that is complete, is seen', async () => {
    const pending = `s.pending_funnels where window_start = (select min(date_bin('10 minutes', session_start, 'epoch')) from s.sessions
      where date_bin('10 minutes', session_start, 'epoch') in (select window_start from s.pending_funnels))`;
    const forgotten = await verified(`delete from ${pending}`);
    expect(broken(forgotten)).toEqual({ 'funnel windows': 1 });
    const waits = await verified(`insert into s.pending_funnels values ('2026-11-01T10:00:00Z')`);
    expect(broken(waits)).toEqual({ 'funnel windows': 1 });
    expect(examples(waits, 'funnel windows')[0]).toMatch(/state is "pending", recounted "listed with/);
  });

  test('to an event shows against the results made of it', async () => {
    const one = (
      type: string,
      where = 'true',
    ): string => `(select event_id from s.events join s.sessions using (user_id)
      where event_type = '${type}' and ${where} and occurred_at > session_start and occurred_at < session_end order by occurred_at limit 1)`;
    const amount = await verified(
      `update s.events set total_amount = total_amount + 0.01 where event_id = ${one('purchase')}`,
    );
    expect(broken(amount)).toHaveProperty('sessions', 1);
    expect(examples(amount, 'sessions')[0]).toContain(': revenue is ');
    const price = await verified(
      `update s.events set price = price + 1000000 where event_id = ${one('cart_add', 'cart_adds = 1 and cart_left > 0')}`,
    );
    expect(Object.keys(broken(price))).toEqual(['sessions']);
    expect(examples(price, 'sessions')[0]).toContain(': cart_left is ');
    const gone = await verified(`delete from s.events where event_id = ${one('page_view')}`);
    expect(broken(gone)).toHaveProperty('sessions');
  });
});
