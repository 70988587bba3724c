// The views live_sessions and live_funnel: closed and open together are what the reference counts over all events so far.
import { describe, expect, test } from 'vitest';

import { FUNNELS } from '../../pipeline/funnel.ts';
import { sessionRulesOf } from '../../pipeline/session.ts';
import { amendWindows } from '../../postgres/amend-windows.ts';
import { migrate } from '../../postgres/migrate.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { countSessions } from '../../postgres/read-sessions.ts';
import { SeededRandom } from '../fuzz/seeded-random.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { insertEvents, storedEvent } from '../support/events.ts';
import type { LateMark } from '../support/events.ts';
import { micros, randomEvents } from './random-events.ts';
import { referenceFunnel, referenceSessions } from './session-reference.ts';
import { closeTo, ingest, sessionRun } from './session-run.ts';
import type { SessionRun } from './session-run.ts';
import {
  plainFunnel,
  plainOpen,
  plainSessions,
  readFunnelRows,
  readOpenRows,
  readSessionRows,
} from './session-rows.ts';

const MINUTE_MS = 60_000;
const TEN_MS = Date.parse('2026-11-01T10:00:00Z');
const RULES = { gapMs: 3 * MINUTE_MS, maxMs: 12 * MINUTE_MS };

/** Both views, and the counts, at `throughMs`. */
async function expectLive(run: SessionRun, throughMs: number): Promise<{ open: number; rows: number }> {
  const { pool, schema, stored, spec } = run;
  const tables = quoteSchema(schema);
  const { rows: left } = await pool.query<{ event_id: string }>(
    `select event_id from ${tables}.late_events where applied_at is null`,
  );
  const leftOut = new Set(left.map(({ event_id: id }) => id));
  const sessions = referenceSessions(
    stored.filter(({ id }) => !leftOut.has(id)),
    { rules: sessionRulesOf(spec), funnels: FUNNELS, through: micros(new Date(throughMs).toISOString()) },
  );
  const open = sessions.filter((session) => session.open);
  const funnel = plainFunnel(referenceFunnel(sessions, FUNNELS));
  expect(await readSessionRows(pool, `${tables}.live_sessions`)).toEqual(plainSessions(sessions));
  const provisional = `(select *, session_end as last_at from ${tables}.live_sessions where provisional)`;
  expect(await readOpenRows(pool, provisional)).toEqual(plainOpen(open));
  expect(await readFunnelRows(pool, `${tables}.live_funnel`)).toEqual(funnel);
  expect(await countSessions(pool, schema)).toEqual({ closed: sessions.length - open.length, open: open.length });
  return { open: open.length, rows: funnel.length };
}

describe('closed and open together equal the reference', () => {
  test.each([11, 12, 13])('while sessions open, close, are cut and amended (seed %i)', async (seed) => {
    const run = await sessionRun(RULES);
    const random = new SeededRandom(seed, 1);
    const starts = ['2026-11-01T10:00:00Z', '2026-11-01T10:06:30Z'] as const;
    const events = randomEvents({ seed, count: 400, users: 6, rules: RULES, starts: [...starts] });
    const inTime = events.toSorted((one, other) => Number(one.at - other.at));
    const seen: { open: number; rows: number }[] = [];
    for (let throughMs = TEN_MS + 4 * MINUTE_MS; inTime.length > 0; throughMs += 4 * MINUTE_MS) {
      const due = inTime.filter(({ at }) => at < BigInt(throughMs) * 1000n);
      inTime.splice(0, due.length);
      const [late, now] = [due.filter((_, place) => place % 7 === 0), due.filter((_, place) => place % 7 !== 0)];
      await ingest(run, now);
      await closeTo(run, throughMs);
      await ingest(run, late);
      if (random.oneIn(2)) await amendWindows(run.pool, run.spec);
      seen.push(await expectLive(run, throughMs));
      if (throughMs > TEN_MS + 600 * MINUTE_MS) break;
    }
    expect(Math.max(...seen.map(({ open }) => open))).toBeGreaterThan(2);
    expect(Math.max(...seen.map(({ rows }) => rows))).toBeGreaterThan(50);
  });
});

describe('what is open', () => {
  test('is marked, has no time of closing, and the revision of the closed session that it took over', async () => {
    const run = await sessionRun(RULES);
    const { pool, schema, spec } = run;
    const add = async (time: string, late?: LateMark): Promise<void> =>
      await insertEvents(pool, schema, { events: [storedEvent(`2026-11-01T${time}Z`)], ...(late && { late }) });
    await add('10:00:10');
    await closeTo(run, TEN_MS + 4 * MINUTE_MS);
    await add('10:05:10');
    await closeTo(run, TEN_MS + 6 * MINUTE_MS);
    const read = async (): Promise<unknown[]> =>
      (
        await pool.query(
          `select to_char(session_start, 'MI:SS') as start, revision, closed_at is null as unclosed, provisional
           from "${schema}".live_sessions order by session_start`,
        )
      ).rows;
    expect(await read()).toEqual([
      { start: '00:10', revision: 1, unclosed: false, provisional: false },
      { start: '05:10', revision: 0, unclosed: true, provisional: true },
    ]);
    // What lies between makes one session of the two, and it is open.
    await add('10:02:40', { closedThrough: '2026-11-01T10:06:00Z' });
    await amendWindows(pool, spec);
    expect(await read()).toEqual([{ start: '00:10', revision: 1, unclosed: true, provisional: true }]);
    const { rows } = await pool.query(
      `select distinct revision, closed_at, provisional from "${schema}".live_funnel where step = 1`,
    );
    expect(rows).toEqual([{ revision: 0, closed_at: null, provisional: true }]);
    await closeTo(run, TEN_MS + 30 * MINUTE_MS);
    expect(await read()).toEqual([{ start: '00:10', revision: 2, unclosed: false, provisional: false }]);
    expect((await pool.query(`select distinct provisional from "${schema}".live_funnel`)).rows).toEqual([
      { provisional: false },
    ]);
  });
});

describe('the views', () => {
  const columnsOf = async ({ pool, schema }: TestDatabase, name: string): Promise<unknown[]> =>
    (
      await pool.query<{ column: string }>(
        `select concat_ws(' ', attname, format_type(atttypid, atttypmod), attcollation::regcollation) as column
         from pg_attribute where attrelid = $1::regclass and attnum > 0 order by attnum`,
        [`"${schema}".${name}`],
      )
    ).rows.map(({ column }) => column);

  test.each([
    ['live_sessions', 'sessions'],
    ['live_funnel', 'funnel'],
  ])('%s has the columns and types of %s', async (view, table) => {
    const database = await freshDatabase();
    const live = await columnsOf(database, view);
    expect(live.at(-1)).toBe('provisional boolean -');
    const byName = (columns: unknown[]): string[] => columns.map(String).toSorted();
    expect(byName(live.slice(0, -1))).toEqual(byName(await columnsOf(database, table)));
  });

  test('stay as they are where nothing changed, and follow when their columns did', async () => {
    const database = await freshDatabase();
    const { pool, url, schema } = database;
    const columns = await columnsOf(database, 'live_sessions');
    const oids = async (): Promise<unknown> =>
      (
        await pool.query(`select $1::regclass::oid as a, xmin from pg_class where oid = $1::regclass`, [
          `"${schema}".live_funnel`,
        ])
      ).rows[0];
    const before = await oids();
    await migrate({ url, schema });
    expect(await oids()).toEqual(before);
    // As an older build may have left them.
    await pool.query(
      `drop view "${schema}".live_funnel, "${schema}".live_sessions;
       create view "${schema}".live_sessions as select 1 as other; create view "${schema}".live_funnel as select 1 as other`,
    );
    await pool.query(`create view "${schema}".somebodys as select other from "${schema}".live_funnel`);
    await expect(migrate({ url, schema })).rejects.toThrow(
      /failed and changed nothing: .* something of your own .*somebodys depends on view .*: drop that, run `weir migrate`/,
    );
    await pool.query(`drop view "${schema}".somebodys`);
    await migrate({ url, schema });
    expect(await columnsOf(database, 'live_sessions')).toEqual(columns);
    await pool.query(`select * from "${schema}".live_funnel`);
  });
});
