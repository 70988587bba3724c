// Open sessions: what users did in the panes that a close just wrote begins sessions and lengthens the open ones. The cost
// follows the users of these panes. A session closes behind it (close-sessions.ts), or here when its user is in another now.
import { PANE_MS } from '../pipeline/pane.ts';
import type { SessionRules } from '../pipeline/session.ts';
import type { Span } from '../pipeline/window.ts';
import { closedSessions } from './close-sessions.ts';
import { inSpans, instant, interval, paneOf } from './instant.ts';
import { quoteSchema } from './schema-name.ts';
import { sessionsOfPieces } from './session-islands.ts';
import { pendingFunnelsSql } from './settle-funnels.ts';
import { userMinutes } from './user-minutes.ts';

/**
 * Statements for the panes of `span`, whose facts are written and the last that are. One answers with `sessions`, the number of
 * those closed. Done in one transaction with the facts, so that a crash repeats nothing.
 */
export function advanceSessionsSql(schema: string, span: Span, rules: SessionRules): string[] {
  // Each user's row is looked up by its key. Not knowing how few users a minute has, PostgreSQL read all open sessions instead.
  const settings = ['enable_hashjoin', 'enable_mergejoin'];
  return [
    ...settings.map((name) => `set local ${name} = off`),
    advanceSql(schema, span, rules),
    ...settings.map((name) => `reset ${name}`),
  ];
}

function advanceSql(schema: string, span: Span, rules: SessionRules): string {
  const tables = quoteSchema(schema);
  return `
    ${minutesAtHand(schema, span)},
    ${plainSessions(schema, span, rules)},
    pieces as (
      select user_id, null::timestamptz as active_since, first_at, last_at, 0 as revision from others where not is_begun
      union all
      select o.user_id, o.active_since, o.session_start, o.last_at, o.revision
      from (select distinct user_id from others where not is_begun) m join ${tables}.open_sessions o using (user_id)
    ),
    ${sessionsOfPieces(rules)},
    ended as materialized (select * from sessions where not is_last),
    lasting as materialized (select * from sessions where is_last),
    kept as (${keepOpenSql(schema, span.endMs, rules)}),
    ${closedSessions(schema)},
    pending as (${pendingFunnelsSql(schema, STARTS)})
    select count(*)::float8 as sessions from ended`;
}

const STARTS = `select session_start from ended union all select session_start from lasting
        union all select first_at from others where is_begun`;

/** `minutes`: what users did in the span, minute by minute. `is_only`: the user's only one there. */
function minutesAtHand(schema: string, span: Span): string {
  const isOnly = span.endMs - span.startMs === PANE_MS ? 'true' : 'count(*) over (partition by user_id) = 1';
  return `
    with minutes as materialized (
      select user_id, first_at, last_at, ${isOnly} as is_only from ${userMinutes(schema)} m where ${inSpans('pane', [span])}
    )`;
}

/**
 * Nearly all users merely go on: one row of open_sessions is changed for each, found and changed in one look, and no index.
 * `others`: what is left; those of users who had no session are begun here too, and only the rest goes the long way of `pieces`.
 */
function plainSessions(schema: string, { endMs }: Span, { gapMs, maxMs }: SessionRules): string {
  const open = `${quoteSchema(schema)}.open_sessions`;
  const checkAt = `m.last_at + ${interval(gapMs)}`;
  return `
    gone_on as (
      update ${open} o set last_at = m.last_at, check_at = case when o.check_at < ${instant(endMs)} then ${checkAt} else least(o.check_at, ${checkAt}) end
      from minutes m
      where o.user_id = m.user_id and m.is_only and m.first_at <= o.last_at + ${interval(gapMs)} and m.first_at < o.cut_at
      returning o.user_id
    ),
    others as materialized (
      -- Not "exists", for which PostgreSQL once read all open sessions into a hash.
      select m.user_id, m.first_at, m.last_at,
        m.is_only and (select o.user_id from ${open} o where o.user_id = m.user_id) is null as is_begun
      from minutes m where m.user_id not in (select user_id from gone_on)
    ),
    begun_anew as (
      insert into ${open} (user_id, active_since, session_start, last_at, cut_at, check_at)
      select user_id, first_at, first_at, last_at, ${paneOf('first_at')} + ${interval(maxMs)}, ${checkAt}
      from others m where is_begun
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
