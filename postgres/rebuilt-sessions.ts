// Which activity a rebuild looks at anew to make the sessions of it: the facts alone decide, because stored sessions may be wrong.
import type { SessionRules } from '../pipeline/session.ts';
import type { Span } from '../pipeline/window.ts';
import { inSpans, interval, paneOf } from './instant.ts';
import { quoteSchema } from './schema-name.ts';
import { userMinutes } from './user-minutes.ts';

/**
 * `span`: where the last minute of the activity lies. `goesOn`: also of what goes on behind it; else only that after which the
 * user paused for the gap, so that a caller who moves on in the order of event time meets each session once, at its end.
 */
export type Activity = { readonly span: Span; readonly goesOn: boolean; readonly rules: SessionRules };

/** SELECT for the `touched` of `amendSessionsSql`: unbroken activity as the facts have it, and what stored sessions claim. */
export function activitySql(schema: string, activity: Activity): string {
  const { span, goesOn, rules } = activity;
  const tables = quoteSchema(schema);
  const back = neighbour(schema, { of: 'b', rules, to: 'earlier' });
  const on = neighbour(schema, { of: 'o', rules, to: 'later' });
  return `
    with recursive ends as materialized (
      select user_id, first_at, last_at from ${userMinutes(schema)} a
      where ${inSpans('pane', [span])} and ${goesOn ? 'true' : `not exists (${neighbour(schema, { of: 'a', rules, to: 'later' })})`}
    ),
    back as (
      select user_id, first_at, last_at from ends
      union all
      select b.user_id, m.first_at, b.last_at from back b cross join lateral (${back}) m
    ),
    whole as (
      select user_id, min(first_at) as first_at, last_at from back group by user_id, last_at
    ),
    forth as (
      select user_id, first_at, last_at from whole
      union all
      select o.user_id, o.first_at, m.last_at from forth o cross join lateral (${on}) m where ${goesOn}
    )
    select user_id, first_at, max(last_at) as last_at from forth group by user_id, first_at
    union all
    select user_id, session_start, session_end from ${tables}.sessions where ${inSpans('session_end', [span])}
    union all
    select user_id, session_start, last_at from ${tables}.open_sessions where ${inSpans('last_at', [span])}`;
}

type Neighbour = { readonly of: string; readonly rules: SessionRules; readonly to: 'earlier' | 'later' };

/** SELECT of the user's next minute within the gap of the row `of`. */
function neighbour(schema: string, { of, rules, to }: Neighbour): string {
  const gap = interval(rules.gapMs);
  const [first, last, step, near] =
    to === 'later'
      ? [
          `${paneOf(`${of}.last_at`)} + interval '1 minute'`,
          `${of}.last_at + ${gap}`,
          '1 minute',
          `m.first_at <= ${of}.last_at + ${gap}`,
        ]
      : [
          `${paneOf(`${of}.first_at`)} - interval '1 minute'`,
          paneOf(`${of}.first_at - ${gap}`),
          '-1 minute',
          `m.last_at >= ${of}.first_at - ${gap}`,
        ];
  return `
      select m.first_at, m.last_at from generate_series(${first}, ${last}, interval '${step}') p (pane) cross join lateral (
        select m.first_at, m.last_at from ${userMinutes(schema)} m
        where m.pane = p.pane and m.user_id = ${of}.user_id and ${near} offset 0
      ) m limit 1`;
}
