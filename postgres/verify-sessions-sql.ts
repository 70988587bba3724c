// The SQL of the verification of sessions and funnels: recounted rows in a temporary table, held against what is stored.
import { FUNNEL, SESSIONS } from '../pipeline/session.ts';
import type { SessionRules } from '../pipeline/session.ts';
import { FUNNEL_WINDOW } from '../pipeline/funnel.ts';
import type { Funnel } from '../pipeline/funnel.ts';
import type { Span } from '../pipeline/window.ts';
import { compareRowsSql } from './compare-rows-sql.ts';
import { instant, interval, toMs } from './instant.ts';
import { FUNNEL_KEY, FUNNEL_MEASURES, funnelWindowOf, recountFunnelSql } from './recount-funnel.ts';
import { SESSION_COLUMNS, recountSessionsSql } from './recount-sessions.ts';
import type { SessionClock, SessionRecount } from './recount-sessions.ts';
import { quoteSchema } from './schema-name.ts';

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS"Z"'`;
const ISO_MICROS = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`;

/** Makes the temporary table of recounted sessions, which the transaction's end drops. Before `set transaction read only`. */
export const RECOUNTED_SESSIONS = `
  create temp table recounted_sessions (${Object.entries(SESSION_COLUMNS)
    .map(([column, type]) => `${column} ${type}`)
    .join(', ')}) on commit drop;
  create index on recounted_sessions (session_start)`;

/** Recounts the sessions of a share of the users into the temporary table. */
export function fillRecountSql(schema: string, recount: SessionRecount): string {
  return `insert into recounted_sessions (${Object.keys(SESSION_COLUMNS).join(', ')}) ${recountSessionsSql(schema, recount)}`;
}

/** Compares the closed sessions that start in `starts`. */
export function compareSessionsSql(schema: string, starts: Span, maxExamples: number): string {
  const key = ['user_id', 'session_start'];
  return compareRowsSql({
    recounted: `select * from recounted_sessions where not open and ${startsIn('session_start', starts)}`,
    stored: `select * from ${quoteSchema(schema)}.${SESSIONS} where ${startsIn('session_start', starts)}`,
    key,
    columns: Object.keys(SESSION_COLUMNS).filter((column) => !['open', 'was_open', ...key].includes(column)),
    named: `format('Session of user %s from %s', to_json(user_id), to_char(session_start, ${ISO_MICROS}))`,
    maxExamples,
  });
}

/** Compares the open sessions, all at once: one a user. Also whether each will be cut, and looked at for its end, in time. */
export function compareOpenSessionsSql(
  schema: string,
  { rules: { gapMs, maxMs }, maxExamples }: { rules: SessionRules; maxExamples: number },
): string {
  const minute = (at: string): string => `date_trunc('minute', ${at}, 'UTC')`;
  const partsBefore = `floor(extract(epoch from session_start - ${minute('active_since')}) / ${maxMs / 1000})`;
  return compareRowsSql({
    recounted: `
      select user_id, active_since, session_start, session_end as last_at, true as checked_in_time,
        ${minute('active_since')} + (${partsBefore} + 1) * ${interval(maxMs)} as cut_at
      from recounted_sessions where open`,
    stored: `
      select *, check_at <= last_at + ${interval(gapMs)} as checked_in_time from ${quoteSchema(schema)}.open_sessions`,
    key: ['user_id'],
    columns: ['active_since', 'session_start', 'last_at', 'cut_at', 'checked_in_time'],
    named: `format('Open session of user %s', to_json(user_id))`,
    maxExamples,
  });
}

export type FunnelStretch = {
  readonly funnels: readonly Funnel[];
  /** The windows that start here. */
  readonly starts: Span;
  /** Windows that end by `writtenThroughMs` are closed. */
  readonly clock: SessionClock;
  readonly maxExamples: number;
};

/** Compares the funnels' rows of these windows, but for those that are to be made again anyway. */
export function compareFunnelSql(schema: string, stretch: FunnelStretch): string {
  const { funnels, starts, maxExamples } = stretch;
  const { funnel, pending } = tablesOf(schema);
  const settled = `not exists (select from ${pending} p where p.window_start = w.window_start)`;
  const sessions = `
    select w.window_start, c.device, c.location, c.revenue, c.funnels
    from (${windowsSql(stretch)}) as w
    join recounted_sessions c on ${startsIn('c.session_start', starts)} and ${funnelWindowOf('c.session_start')} = w.window_start
    where w.complete and ${settled}`;
  return compareRowsSql({
    recounted: recountFunnelSql(funnels, sessions),
    stored: `select * from ${funnel} w where ${startsIn('w.window_start', starts)} and ${settled}`,
    key: FUNNEL_KEY,
    columns: FUNNEL_MEASURES,
    named: `format('Window %s of funnel, %s', to_char(window_start, ${ISO}),
      jsonb_build_object('funnel', funnel, 'device', device, 'location', location, 'step', step))`,
    maxExamples,
  });
}

/**
 * Compares the list of the funnels' windows with the sessions: a window that holds closed sessions is written and listed
 * with their number if all of its sessions have closed, and else it is pending.
 */
export function compareFunnelWindowsSql(schema: string, stretch: Omit<FunnelStretch, 'funnels'>): string {
  const { starts, clock, maxExamples } = stretch;
  const { pending, windows } = tablesOf(schema);
  const lengthSql = interval(FUNNEL_WINDOW.lengthMs);
  const stored = (column: string, table: string): string => `
    select window_start, ${column} from ${table} where ${startsIn('window_start', starts)}`;
  return compareRowsSql({
    recounted: `
      select window_start, case when complete then format('listed with %s sessions', closed) else 'pending' end as state
      from (${windowsSql(stretch)}) as w where closed > 0`,
    // A pending window may be listed, with what was true before a late event. One that is not over, or of open sessions alone, may
    // be pending or not.
    stored: `
      select window_start, case when p.window_start is not null then 'pending' else format('listed with %s sessions%s', l.events,
        case when l.window_end <> l.window_start + ${lengthSql} then ' and a wrong end' end) end as state
      from (${stored('true as waits', pending)}) as p
      full join (${stored('events, window_end', windows)} and aggregate = '${FUNNEL}' and events > 0) as l using (window_start)
      left join (${windowsSql(stretch)}) as w using (window_start)
      where p.window_start is null or w.closed > 0 or coalesce(w.complete, p.window_start + ${lengthSql} <= ${instant(clock.writtenThroughMs)})`,
    key: ['window_start'],
    columns: ['state'],
    named: `format('Window %s of funnel', to_char(window_start, ${ISO}))`,
    maxExamples,
  });
}

/**
 * SELECT of the windows in which recounted sessions start: how many closed, and whether every one did and the window is over.
 */
function windowsSql({ starts, clock }: Omit<FunnelStretch, 'funnels'>): string {
  const throughMs = clock.writtenThroughMs;
  return `
    select window_start, count(*) filter (where not open) as closed,
      not bool_or(was_open) and window_start + ${interval(FUNNEL_WINDOW.lengthMs)} <= ${instant(throughMs)} as complete
    from (
      select ${funnelWindowOf('session_start')} as window_start, open, was_open from recounted_sessions
      where ${startsIn('session_start', starts)}
    ) as s group by window_start`;
}

/** The first start, at or after `fromMs`, of a session or a row that belongs to one; in ms, null when there is none. */
export function nextSessionSql(schema: string, fromMs: number | null): string {
  const stored = `${quoteSchema(schema)}.${SESSIONS}`;
  return nextSql(fromMs, ['recounted_sessions', stored].map(startsOf('session_start')));
}

/** The first start, at or after `fromMs`, of a window that holds a session or has a row; in ms, null when there is none. */
export function nextFunnelWindowSql(schema: string, fromMs: number | null): string {
  const { funnel, pending, windows } = tablesOf(schema);
  const listed = `(select window_start from ${windows} where aggregate = '${FUNNEL}') as l`;
  return nextSql(fromMs, [
    startsOf('session_start')('recounted_sessions'),
    ...[funnel, pending, listed].map(startsOf('window_start')),
  ]);
}

type Starts = { readonly column: string; readonly from: string };

function startsOf(column: string): (from: string) => Starts {
  return (from) => ({ column, from });
}

/** Answers with `first_ms`, and with `last_ms`, the start of the last one. */
function nextSql(fromMs: number | null, starts: readonly Starts[]): string {
  const ends = (take: 'min' | 'max'): string =>
    starts
      .map(({ column, from }) => `(select ${take}(${column}) from ${from} where ${column} >= ${instant(fromMs)})`)
      .join(', ');
  return `select ${toMs(`least(${ends('min')})`)} as first_ms, ${toMs(`greatest(${ends('max')})`)} as last_ms`;
}

function startsIn(column: string, { startMs, endMs }: Span): string {
  return `${column} >= ${instant(startMs)} and ${column} < ${instant(endMs)}`;
}

function tablesOf(schema: string): { funnel: string; pending: string; windows: string } {
  const tables = quoteSchema(schema);
  return { funnel: `${tables}.${FUNNEL}`, pending: `${tables}.pending_funnels`, windows: `${tables}.windows` };
}
