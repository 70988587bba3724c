// Sessions that a late event, or a rebuild, makes others of: lengthened, merged, new ones, and in a rebuild also vanished
// ones. All that a user did around the touched minutes is looked at anew; sessions that differ get their next revision.
import { SESSIONS } from '../pipeline/session.ts';
import type { SessionRules } from '../pipeline/session.ts';
import type { Span } from '../pipeline/window.ts';
import { keepOpenSql } from './advance-sessions.ts';
import { interval, paneOf } from './instant.ts';
import { wholeLateEventsSql } from './late-events.ts';
import type { Cause } from './revised-rows.ts';
import { quoteSchema } from './schema-name.ts';
import { hasEnded, sessionsOfPieces } from './session-islands.ts';
import { SESSION_COLUMNS, SESSION_MEASURES, SESSION_SELECT, sessionFold } from './session-rows.ts';
import { pendingFunnelsSql } from './settle-funnels.ts';

/** `touched`: SELECT of `user_id`, `first_at`, `last_at`; the facts of these minutes are right. `throughMs`:
 * written_through, by which what has ended is closed. */
type Amending = {
  readonly touched: string;
  readonly throughMs: number;
  readonly rules: SessionRules;
  readonly cause: Cause;
};

/** The greatest length that a session can have been given by the setting: how far back one may start that still goes on. */
const LONGEST_SESSION_MS = 30 * 86_400_000;

/** The minutes of waiting late events in these panes, for `touched`. */
export function lateMinutesSql(schema: string, panes: readonly Span[]): string {
  return `
    select e.user_id collate "C" as user_id, min(e.occurred_at) as first_at, max(e.occurred_at) as last_at
    from (${wholeLateEventsSql(schema, panes)}) e group by 1, ${paneOf('e.occurred_at')}`;
}

/** One statement that answers with `changed_rows`, `new_rows` and `vanished_rows` of `sessions`. */
export function amendSessionsSql(schema: string, amending: Amending): string {
  const { throughMs, rules, cause } = amending;
  return `
    with recursive touched as materialized (${amending.touched}),
    ${storedSessions(schema, rules)},
    ${touchedStretches(rules)},
    pieces as (
      select r.user_id, null::timestamptz as active_since, m.first_at, m.last_at, 0 as revision
      from stretches r cross join lateral generate_series(${paneOf('r.first_at')}, r.last_at, interval '1 minute') as p (pane)
      cross join lateral (
        select first_at, last_at from ${quoteSchema(schema)}.pane_facts m
        where m.pane = p.pane and m.user_id = r.user_id offset 0
      ) m
    ),
    ${sessionsOfPieces(rules)},
    ended as materialized (select * from sessions where ${hasEnded(throughMs, rules)}),
    fresh as materialized (select ${SESSION_SELECT} from ${sessionFold(schema, 'ended')}),
    ${takenOver()},
    lasting as materialized (
      select s.user_id, s.active_since, s.session_start, s.session_end, s.cut_at, coalesce(t.revision, 0) as revision
      from sessions s left join taken t using (user_id, session_start) where not ${hasEnded(throughMs, rules)}
    ),
    kept as (${keepOpenSql(schema, throughMs, rules)}),
    left_over as (
      delete from ${quoteSchema(schema)}.open_sessions o using opened
      where o.user_id = opened.user_id and not exists (select from lasting l where l.user_id = o.user_id)
    ),
    ${writtenSessions(schema)},
    ${listedSessions(schema, cause)},
    pending as (${pendingFunnelsSql(schema, 'select session_start from revised union all select session_start from lasting')})
    select count(*) filter (where before is not null and after is not null)::float8 as changed_rows,
      count(*) filter (where before is null)::float8 as new_rows, count(*) filter (where after is null)::float8 as vanished_rows
    from revised`;
}

/**
 * `stored` and `opened`: the closed and the open sessions that a touched stretch joins: those it lies in or within the gap of, those
 * that these lie within the gap of, and so on. (Sessions that one was cut into, and after a change of the gap any neighbours.)
 */
function storedSessions(schema: string, { gapMs }: SessionRules): string {
  const tables = quoteSchema(schema);
  const gap = interval(gapMs);
  return `
    near (user_id, session_start, first_at, last_at) as (
      select user_id, null::timestamptz, first_at, last_at from touched
      union
      select n.user_id, x.session_start, x.session_start, x.session_end from near n cross join lateral (
        select s.session_start, s.session_end from ${tables}.${SESSIONS} s
        where s.user_id = n.user_id and s.session_start <= n.last_at + ${gap} and s.session_end >= n.first_at - ${gap}
          and s.session_start >= n.first_at - ${interval(gapMs + LONGEST_SESSION_MS)}
        union all
        select o.session_start, o.last_at from ${tables}.open_sessions o
        where o.user_id = n.user_id and o.session_start <= n.last_at + ${gap} and o.last_at >= n.first_at - ${gap}
        offset 0
      ) x
    ),
    joined as materialized (select distinct user_id, session_start from near where session_start is not null),
    stored as materialized (select s.* from joined j join ${tables}.${SESSIONS} s using (user_id, session_start)),
    opened as materialized (select o.* from joined j join ${tables}.open_sessions o using (user_id, session_start))`;
}

/** `stretches`: from where to where each user's activity is to be looked at anew: what was touched, with all that it joins. */
function touchedStretches({ gapMs }: SessionRules): string {
  return `
    parts as (
      select user_id, first_at, last_at from touched
      union all select user_id, session_start, session_end from stored
      union all select user_id, session_start, last_at from opened
    ),
    stretches as materialized (
      select user_id, min(first_at) as first_at, max(last_at) as last_at
      from (
        select *, count(*) filter (where begins) over (partition by user_id order by first_at rows unbounded preceding) as stretch
        from (
          select *, coalesce(first_at > max(last_at) over before + ${interval(gapMs)}, true) as begins from parts
          window before as (partition by user_id order by first_at rows between unbounded preceding and 1 preceding)
        ) as marked
      ) as numbered
      group by user_id, stretch
    )`;
}

/**
 * `gone`: stored sessions that are no longer there, each with the start of the one that it is part of now (null: of none).
 * `taken`: the greatest revision among those that a session took over, the open one that it was included.
 */
function takenOver(): string {
  const nowPartOf = (start: string, user: string): string => `(
      select max(x.session_start) from sessions x
      where x.user_id = ${user} and x.session_start <= ${start} and x.session_end >= ${start}
    )`;
  return `
    gone as materialized (
      select s.user_id, s.session_start, s.revision, to_jsonb(s) as before,
        ${nowPartOf('s.session_start', 's.user_id')} as superseded_by
      from stored s
      where not exists (select from fresh f where f.user_id = s.user_id and f.session_start = s.session_start)
    ),
    taken as materialized (
      select user_id, session_start, max(revision) as revision
      from (
        select user_id, superseded_by as session_start, revision from gone
        union all
        select o.user_id, ${nowPartOf('o.session_start', 'o.user_id')}, o.revision from opened o
      ) as old
      group by user_id, session_start
    )`;
}

/** Each returns what `amendments` says of its rows. */
function writtenSessions(schema: string): string {
  const tables = quoteSchema(schema);
  const result = `${tables}.${SESSIONS}`;
  const list = (alias: string): string => SESSION_MEASURES.map((column) => `${alias}.${column}`).join(', ');
  const lastListed = `(select max(a.revision) from ${tables}.amendments a where a.aggregate = '${SESSIONS}'
        and a.window_start = f.session_start and a.group_key = jsonb_build_object('user_id', f.user_id))`;
  return `
    updated as (
      update ${result} t set ${SESSION_MEASURES.map((column) => `${column} = f.${column}`).join(', ')}, revision = t.revision + 1
      from fresh f join stored s using (user_id, session_start)
      where t.user_id = f.user_id and t.session_start = f.session_start
        and row(${list('f')}) is distinct from row(${list('s')})
      returning t.user_id, t.session_start, t.revision, to_jsonb(s) as before, to_jsonb(t) as after, null::timestamptz as superseded_by
    ),
    inserted as (
      insert into ${result} as t (${SESSION_COLUMNS.join(', ')}, revision, closed_at)
      select ${SESSION_COLUMNS.map((column) => `f.${column}`).join(', ')}, coalesce(greatest(k.revision, ${lastListed}), 0) + 1, now()
      from fresh f left join taken k using (user_id, session_start)
      where not exists (select from stored s where s.user_id = f.user_id and s.session_start = f.session_start)
      returning t.user_id, t.session_start, t.revision, null::jsonb as before, to_jsonb(t) as after, null::timestamptz as superseded_by
    ),
    removed as (
      delete from ${result} t using gone g where t.user_id = g.user_id and t.session_start = g.session_start
      returning g.user_id, g.session_start, g.revision + 1 as revision, g.before, null::jsonb as after, g.superseded_by
    ),
    revised as materialized (
      select * from updated union all select * from inserted union all select * from removed
    )`;
}

function listedSessions(schema: string, cause: Cause): string {
  return `
    listed as (
      insert into ${quoteSchema(schema)}.amendments (aggregate, window_start, group_key, revision, before, after, superseded_by, cause)
      select '${SESSIONS}', session_start, jsonb_build_object('user_id', user_id), revision, before, after, superseded_by, '${cause}'
      from revised
    )`;
}
