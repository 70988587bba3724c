// Closing sessions: what users did in the panes that a close just wrote begins sessions, lengthens the open ones, and those
// that nothing can belong to any more become rows with revision 1. The cost follows the users of these panes.
import { PANE_MS } from '../pipeline/pane.ts';
import { SESSIONS } from '../pipeline/session.ts';
import type { SessionRules } from '../pipeline/session.ts';
import type { Span } from '../pipeline/window.ts';
import { inSpans, instant, interval, paneOf } from './instant.ts';
import { quoteSchema } from './schema-name.ts';
import { funnelWindowOf, hasEnded, isSilent, sessionsOfPieces } from './session-islands.ts';
import { SESSION_COLUMNS, SESSION_MEASURES, SESSION_SELECT, sessionFold } from './session-rows.ts';
import { userMinutes } from './user-minutes.ts';

/**
 * Two statements, in order, for the panes of `span`, whose facts are written and the last that are. The first answers with
 * `sessions`, the number of those closed. Done in one transaction with the facts, so that a crash repeats nothing.
 */
export function closeSessionsSql(schema: string, span: Span, rules: SessionRules): [string, string] {
  return [closeSessions(schema, span, rules), lookLater(schema, span, rules)];
}

function closeSessions(schema: string, span: Span, rules: SessionRules): string {
  const tables = quoteSchema(schema);
  return `
    ${minutesAtHand(schema, span, rules)},
    ${plainSessions(schema, span, rules)},
    pieces as (
      select user_id, null::timestamptz as active_since, first_at, last_at, 0 as revision from minutes where not is_plain
      union all
      select o.user_id, o.active_since, o.session_start, o.last_at, o.revision
      from (select distinct user_id from minutes where not is_plain) m join ${tables}.open_sessions o using (user_id)
    ),
    ${sessionsOfPieces(rules)},
    ended as materialized (
      select user_id, active_since, session_start, session_end, revision, cut
      from sessions where ${hasEnded(span.endMs, rules)}
      union all
      select o.user_id, o.active_since, o.session_start, o.last_at, o.revision, false
      from ${tables}.open_sessions o
      where o.check_at < ${instant(span.endMs)} and ${isSilent('o.last_at', span.endMs, rules.gapMs)}
        and not exists (select from minutes m where m.user_id = o.user_id)
    ),
    lasting as materialized (select * from sessions where not ${hasEnded(span.endMs, rules)}),
    kept as (${keepOpenSql(schema, span.endMs, rules)}),
    left_over as (
      delete from ${tables}.open_sessions o using ended e
      where o.user_id = e.user_id and not exists (select from lasting l where l.user_id = e.user_id)
    ),
    ${insertedSessions(schema)},
    pending as (${pendingFunnelsSql(schema, STARTS)})
    select count(*)::float8 as sessions from ended`;
}

const STARTS = `select session_start from ended union all select session_start from lasting
        union all select first_at from minutes where is_plain and is_new`;

/**
 * `minutes`: what users did in the span, minute by minute, with the place of the user's row in open_sessions, which nobody else
 * writes while the clock is held. Nearly all are plain: the user's only one, which goes on with the
 * open session or begins one, so that a row of open_sessions is all it takes. The others go the long way of `pieces`.
 */
function minutesAtHand(schema: string, span: Span, { gapMs }: SessionRules): string {
  const tables = quoteSchema(schema);
  const goesOn = `m.first_at <= o.last_at + ${interval(gapMs)} and m.first_at < o.cut_at`;
  const isOnly = span.endMs - span.startMs === PANE_MS ? 'true' : 'count(*) over (partition by m.user_id) = 1';
  return `
    with minutes as materialized (
      select m.user_id, m.first_at, m.last_at, o.ctid as open_at, o.user_id is null as is_new,
        ${isOnly} and (o.user_id is null or (${goesOn})) and not ${isSilent('m.last_at', span.endMs, gapMs)} as is_plain
      from ${userMinutes(schema)} m left join ${tables}.open_sessions o on o.user_id = m.user_id
      where ${inSpans('m.pane', [span])}
    )`;
}

function plainSessions(schema: string, { endMs }: Span, { gapMs, maxMs }: SessionRules): string {
  const open = `${quoteSchema(schema)}.open_sessions`;
  const checkAt = `m.last_at + ${interval(gapMs)}`;
  return `
    begun_anew as (
      insert into ${open} (user_id, active_since, session_start, last_at, cut_at, check_at)
      select user_id, first_at, first_at, last_at, ${paneOf('first_at')} + ${interval(maxMs)}, ${checkAt}
      from minutes m where is_plain and is_new
    ),
    gone_on as (
      update ${open} o set last_at = m.last_at, check_at = case when o.check_at < ${instant(endMs)} then ${checkAt} else least(o.check_at, ${checkAt}) end
      from minutes m where o.ctid = m.open_at and m.is_plain
    )`;
}

/** INSERT of the rows of `lasting` into open_sessions, where the user may have one. `check_at` comes nearer when the gap was made shorter. */
export function keepOpenSql(schema: string, throughMs: number, { gapMs }: SessionRules): string {
  return `
      insert into ${quoteSchema(schema)}.open_sessions as o (user_id, active_since, session_start, last_at, cut_at, check_at, revision)
      select user_id, active_since, session_start, session_end, cut_at, session_end + ${interval(gapMs)}, revision from lasting
      on conflict (user_id) do update set active_since = excluded.active_since, session_start = excluded.session_start,
        last_at = excluded.last_at, cut_at = excluded.cut_at, revision = excluded.revision,
        check_at = case when o.check_at < ${instant(throughMs)} then excluded.check_at else least(o.check_at, excluded.check_at) end`;
}

/** A row that is there already, which only a change of the rules or a hand can make so, must not stop closing. */
function insertedSessions(schema: string): string {
  const sets = SESSION_MEASURES.map((column) => `${column} = excluded.${column}`);
  return `
    closed as (
      insert into ${quoteSchema(schema)}.${SESSIONS} as s (${SESSION_COLUMNS.join(', ')}, revision, closed_at)
      select ${SESSION_SELECT}, e.revision + 1, now() from ${sessionFold(schema, 'ended')}
      on conflict (user_id, session_start) do update
        set ${sets.join(', ')}, revision = greatest(s.revision + 1, excluded.revision), closed_at = excluded.closed_at
    )`;
}

/** INSERT of the windows that the funnels are to be counted in, for a SELECT of starts of sessions. */
export function pendingFunnelsSql(schema: string, starts: string): string {
  return `
      insert into ${quoteSchema(schema)}.pending_funnels (window_start)
      select distinct ${funnelWindowOf('session_start')} from (${starts}) as starts
      on conflict do nothing`;
}

/** Those whose time to look has come and who went on meanwhile. */
function lookLater(schema: string, { endMs }: Span, { gapMs }: SessionRules): string {
  return `
    update ${quoteSchema(schema)}.open_sessions set check_at = last_at + ${interval(gapMs)} where check_at < ${instant(endMs)}`;
}
