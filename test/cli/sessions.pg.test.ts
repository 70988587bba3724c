// `weir sessions` and `weir funnel` on a real PostgreSQL: what they print of closed and open sessions, and when there is none.
import { describe, expect, inject, test } from 'vitest';

import { funnelReport } from '../../cli/funnel-text.ts';
import { sessionReport } from '../../cli/session-report.ts';
import { readFunnels } from '../../postgres/read-funnel.ts';
import type { FunnelRange } from '../../postgres/read-funnel.ts';
import { countSessions, readSessions } from '../../postgres/read-sessions.ts';
import type { SessionSelection } from '../../postgres/read-sessions.ts';
import { insertReferenceEvents, micros } from '../sessions/random-events.ts';
import type { ReferenceEvent } from '../sessions/session-reference.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import { EMPTY_HOME, runWeir } from './run-weir.ts';

const { kafkaBrokers, postgresUrl, temporalAddress } = inject('servers');
const pipeline = await windowedPipeline();
const { pool, schema } = pipeline;
const env = {
  WEIR_HOME: EMPTY_HOME,
  WEIR_KAFKA_BROKERS: kafkaBrokers.join(','),
  WEIR_POSTGRES_URL: postgresUrl,
  WEIR_TEMPORAL_ADDRESS: temporalAddress,
  WEIR_SCHEMA: schema,
};

/** What the command prints, without starting it: that takes seconds on a busy machine. */
async function sessions(selection: Partial<SessionSelection> = {}): Promise<string[]> {
  const asked = { of: 'closed', sinceMs: null, limit: 20, ...selection } as const;
  const counts = await countSessions(pool, schema);
  return sessionReport(await readSessions(pool, schema, asked), { ...asked, counts, gapMs: 1_800_000 });
}

async function funnel(asked: Partial<FunnelRange> & { by?: 'device'; limit?: number } = {}): Promise<string[]> {
  const { by = null, limit = 10 } = asked;
  const range = { fromMs: asked.fromMs ?? null, toMs: asked.toMs ?? null };
  const counts = await readFunnels(pool, schema, { ...range, by });
  return funnelReport(counts, { ...range, by, limit });
}

async function weir(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runWeir(args, env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

const COLUMNS = 80;
const widest = (lines: readonly string[]): number =>
  Math.max(...lines.flatMap((text) => text.split('\n')).map((line) => line.length));

const blank = { device: 'mobile', location: 'Berlin', texts: {}, quantity: 0, price: 0n, bought: [], amount: 0n };
let made = 0;

/** One event of 2026-11-01. */
function event(time: string, user: string, changes: Partial<ReferenceEvent> & { type: string }): ReferenceEvent {
  made += 1;
  const id = `00000000-0000-4000-8000-${String(made).padStart(12, '0')}`;
  return { ...blank, id, at: micros(`2026-11-01T${time}Z`), user, ...changes };
}
const view = (time: string, user: string, page = 'product') =>
  event(time, user, { type: 'page_view', texts: { page, referrer: 'search' } });
const click = (time: string, user: string) => event(time, user, { type: 'item_click', texts: { item_id: 'i1' } });
const add = (time: string, user: string, item: string) =>
  event(time, user, { type: 'cart_add', texts: { item_id: item }, quantity: 2, price: 1_500n });
const buy = (time: string, user: string) =>
  event(time, user, {
    type: 'purchase',
    texts: { currency: 'EUR' },
    bought: [{ item: 'i1', quantity: 2 }],
    amount: 123_450n,
  });

describe('before anything happened', () => {
  test('both say that there is no session yet, and where to look', async () => {
    expect(await sessions()).toEqual([
      expect.stringMatching(/^There is no session yet: .* `weir status` says how far/),
    ]);
    expect(await funnel()).toEqual([
      expect.stringMatching(/^There is no session yet, and so no funnel: .* `weir status`/),
    ]);
  });

  test('while all are open it says when the first closes', async () => {
    await insertReferenceEvents(pool, schema, {
      events: [
        view('10:00:00', 'ann', 'home'),
        view('10:00:30.5', 'ann'),
        click('10:01:00', 'ann'),
        add('10:02:10', 'ann', 'i1'),
        add('10:03:10', 'ann', 'i2'),
        buy('10:04:10', 'ann'),
        { ...view('10:02:00', 'bob', 'home'), device: 'desktop' },
      ],
    });
    await closeThrough(pipeline, '2026-11-01T10:10:00Z');
    expect(await sessions()).toEqual([
      'No session has closed yet: 2 open, and one closes when event time has passed its last event by the session gap (30m). `weir sessions --open` shows them.',
    ]);
  });
});

describe('with closed and open sessions', { timeout: 120_000 }, () => {
  test('those that closed are listed with what came of them, newest first, in 80 columns', async () => {
    await insertReferenceEvents(pool, schema, {
      events: [view('10:40:00', 'ann'), click('10:41:00', 'ann'), view('10:45:00', 'eve\u0007\n')],
    });
    await closeThrough(pipeline, '2026-11-01T10:50:00Z');
    const [table = '', ...rest] = await sessions();
    const [headings = '', ...lines] = table.split('\n').map((line) => line.trim());
    expect(headings.split(/ {2,}/)).toEqual(['user', 'start (UTC)', 'lasted', 'events', 'what came of it']);
    expect(lines).toEqual([
      'bob    2026-11-01 10:02   0s            1   bounced',
      'ann    2026-11-01 10:00   4m10s         6   bought 1,234.50, left 30.00',
    ]);
    expect(rest).toEqual(['', '2 closed sessions; 2 open (--open).']);
    expect(widest([table])).toBeLessThanOrEqual(COLUMNS);
    expect((await sessions({ limit: 1 })).at(-1)).toBe(
      '2 closed sessions, the newest 1 shown (--limit); 2 open (--open).',
    );
  });

  test('those that go on are listed apart; no user id has a character that a terminal would obey', async () => {
    const text = (await sessions({ of: 'open' })).join('\n');
    expect(text).toMatch(/^ ann +2026-11-01 10:40 +1m +2 +open *$/m);
    expect(text).toMatch(/^ eve\\u\{7\}\\n +2026-11-01 10:45 +0s +1 +open *$/m);
    expect(text).toMatch(/^2 open sessions; 2 closed\.$/m);
    const sinceMs = Date.parse('2026-11-01T10:42Z');
    expect((await readSessions(pool, schema, { of: 'open', sinceMs, limit: 9 })).map(({ userId }) => userId)).toEqual([
      'eve\u0007\n',
    ]);
    expect(await sessions({ sinceMs })).toEqual([
      'No closed session that started since 2026-11-01T10:42:00Z; in all: 2 closed, 2 open.',
    ]);
  });

  test('of one user the story of each is told, the open one too', async () => {
    expect(await sessions({ of: { userId: 'ann' } })).toEqual([
      '2026-11-01T10:40:00Z for 1m, open, provisional',
      '  2 events: 1 page view, 1 click',
      '  mobile, Berlin; came to product (from search), last saw product',
      '  bought nothing',
      '  shopping: view 10:40:00, click +1m',
      '',
      '2026-11-01T10:00:00Z for 4m10s, closed',
      '  6 events: 2 page views, 1 click, 2 cart adds, 1 order',
      '  mobile, Berlin; came to home (from search), last saw product',
      '  bought for 1,234.50, left 30.00 in the cart',
      '  shopping: view 10:00:30, click +30s, cart +1m10s, purchase +2m',
      '',
      '2 sessions.',
    ]);
    expect(await sessions({ of: { userId: 'Ann' } })).toEqual([
      'User Ann has no session; all users together: 2 closed, 2 open. Ids are compared to the letter.',
    ]);
  });

  test('weir sessions --json gives them as the table holds them', async () => {
    const found = JSON.parse(await weir('sessions', '--json'));
    expect(found).toMatchObject({ closed: 2, open: 2, sessions: [{ userId: 'bob', bounced: true }, {}] });
    expect(found.sessions[1]).toEqual({
      userId: 'ann',
      sessionStart: '2026-11-01T10:00:00.000Z',
      sessionEnd: '2026-11-01T10:04:10.000Z',
      durationSeconds: 250,
      events: 6,
      pages: 2,
      clicks: 1,
      searches: 0,
      cartAdds: 2,
      orders: 1,
      revenue: '1234.50',
      cartLeft: '30.00',
      device: 'mobile',
      location: 'Berlin',
      entryPage: 'home',
      exitPage: 'product',
      firstReferrer: 'search',
      converted: true,
      bounced: false,
      cut: false,
      revision: 1,
      provisional: false,
      activeSince: '2026-11-01T10:00:00.000Z',
      funnels: {
        shopping: ['00:30.500000', '01:00.000000', '02:10.000000', '04:10.000000'].map((at) => `2026-11-01T10:${at}Z`),
      },
      closedAt: expect.stringMatching(/Z$/),
    });
  });

  test('weir funnel draws a bar a step, and marks what is open', async () => {
    const text = await weir('funnel', '--name', 'shopping');
    expect(text.split('\n').map((line) => line.trimEnd())).toEqual([
      'Sessions that started from 2026-10-31T10:45:00Z on',
      '',
      'shopping, within 1h',
      ' 4 sessions, 2 of them open',
      '                              reached  per step  overall  median    p90  revenue',
      '   view      ####+++++++            3    75.0 %                            1,235',
      '   click     ####++++               2    66.7 %   66.7 %     30s     1m    1,235',
      '   cart      ####                   1    50.0 %   33.3 %   1m10s  1m10s    1,235',
      '   purchase  ####                   1   100.0 %   33.3 %      2m     2m    1,235',
      '   + in sessions that are open: provisional',
      '',
    ]);
    expect(widest([text])).toBeLessThanOrEqual(COLUMNS);
  });

  test('a range and groups are counted by themselves', async () => {
    const toMs = Date.parse('2026-11-01T10:30Z');
    const counts = await readFunnels(pool, schema, { fromMs: null, toMs, by: 'device' });
    expect(counts.map(({ funnel: name, group }) => [name, group])).toEqual([
      ['shopping', 'desktop'],
      ['shopping', 'mobile'],
      ['search', 'desktop'],
      ['search', 'mobile'],
    ]);
    expect(counts[0]).toMatchObject({ sessions: 1, open: 0, steps: [{ reached: 0, conversion: 0 }, {}, {}, {}] });
    expect(counts[1]).toMatchObject({ steps: [{ reached: 1, dropOff: 0 }, { medianSeconds: 29.5 }, {}, {}] });
    const [first] = await readFunnels(pool, schema, { fromMs: toMs, toMs: null, by: null });
    expect(first).toMatchObject({
      group: null,
      sessions: 2,
      open: 2,
      steps: [{ reached: 2, reachedOpen: 2 }, {}, {}, {}],
    });
    const text = await funnel({ by: 'device', limit: 1 });
    expect(text).toContain('   The 1 largest of 2 by device are shown (--limit).');
    expect(await funnel({ fromMs: Date.parse('2026-11-02') })).toEqual([
      'No session started from 2026-11-02T00:00:00Z on; without --from and --to the last day is shown that has any.',
    ]);
  });

  test('what can be nothing is refused with exit code 2', async () => {
    const { code, stdout, stderr } = await runWeir(['funnel', '--from', '2026-11-02', '--to', '2026-11-01'], env);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/--from 2026-11-02T00:00:00Z is not before --to 2026-11-01T00:00:00Z/);
    const windows = await runWeir(['windows', '--aggregate', 'sessions'], env);
    expect(windows.code).toBe(2);
    expect(windows.stderr).toMatch(/Sessions have no windows: .* `weir sessions`/);
  });

  test('weir windows lists the windows of the funnels with their rows', async () => {
    const { windows, result } = JSON.parse(await weir('windows', '--aggregate', 'funnel', '--json'));
    expect(windows).toMatchObject([
      { aggregate: 'funnel', windowStart: '2026-11-01T10:00:00.000Z', events: 2, revision: 1 },
    ]);
    expect(result).toHaveLength(14);
    expect(result[0]).toMatchObject({ funnel: 'search', device: 'desktop', step: '1', sessions: '1', reached: '0' });
  });
});
