// The table `funnel`: how far the sessions that started in a window came. Written when the last of them has closed, and again
// when one of them was amended: both find the window in pending_funnels.
import { FUNNELS, FUNNEL_WINDOW } from '../pipeline/funnel.ts';
import { FUNNEL, SESSIONS } from '../pipeline/session.ts';
import type { Span } from '../pipeline/window.ts';
import { inSpans, instant, interval } from './instant.ts';
import { replaceRowsSql } from './replaced-rows.ts';
import type { ResultTable } from './result-sql.ts';
import type { Cause } from './revised-rows.ts';
import { quoteSchema } from './schema-name.ts';
import { funnelWindowOf } from './session-islands.ts';

const COUNTED = ['step_name', 'sessions', 'reached', 'conversion', 'overall_conversion', 'drop_off'];
const MEASURES = [...COUNTED, 'median_seconds', 'p90_seconds', 'revenue'];

/** Its key and measures, as those of an aggregate are declared. */
export const FUNNEL_TABLE: ResultTable = {
  name: FUNNEL,
  groupBy: ['funnel', 'device', 'location', 'step'],
  measures: Object.fromEntries(MEASURES.map((column) => [column, null])),
};

/**
 * Two statements, in order: bring the rows of every pending window in which no session is open any more to what its sessions
 * say, and take it off the list. The first answers with the counts of RebuildCounts less `panes`.
 */
export function settleFunnelsSql(schema: string, throughMs: number, cause: Cause): [string, string] {
  const tables = quoteSchema(schema);
  const due = dueWindows(schema, throughMs);
  return [
    replaceRowsSql(FUNNEL_TABLE, schema, {
      before: `due as materialized (${due}), ${sessionsOfWindows(schema)}, ${stepCounts()}, ${freshRows()}`,
      starts: 'window_start in (select window_start from due)',
      // Every session of a window is in one group of each funnel.
      events: `sum(sessions) filter (where funnel = '${FUNNELS[0]?.name ?? ''}' and step = 1)`,
      cause,
      firstRevision: 1,
    }),
    `delete from ${tables}.pending_funnels where window_start in (${due})`,
  ];
}

/** INSERT of the windows that the funnels are to be counted in, for a SELECT of starts of sessions. */
export function pendingFunnelsSql(schema: string, starts: string): string {
  return `
      insert into ${quoteSchema(schema)}.pending_funnels (window_start)
      select distinct ${funnelWindowOf('session_start')} from (${starts}) as starts
      on conflict do nothing`;
}

/** Puts every window of the funnels that starts in `span`, or should, on the list again. */
export function reviewFunnelsSql(schema: string, span: Span): string {
  const tables = quoteSchema(schema);
  const starts = { startMs: span.startMs - FUNNEL_WINDOW.lengthMs, endMs: span.endMs };
  return pendingFunnelsSql(
    schema,
    `select session_start from ${tables}.${SESSIONS} where ${inSpans('session_start', [span])}
      union all
      select window_start from ${tables}.${FUNNEL} where ${inSpans('window_start', [starts])}
      union all
      select window_start from ${tables}.windows where aggregate = '${FUNNEL}' and ${inSpans('window_start', [starts])}`,
  );
}

function dueWindows(schema: string, throughMs: number): string {
  const tables = quoteSchema(schema);
  const length = interval(FUNNEL_WINDOW.lengthMs);
  return `
      select p.window_start from ${tables}.pending_funnels p
      where p.window_start <= ${instant(throughMs)} - ${length} and not exists (
        select from ${tables}.open_sessions o
        where o.session_start >= p.window_start and o.session_start < p.window_start + ${length}
      )`;
}

function sessionsOfWindows(schema: string): string {
  return `
    visits as materialized (
      select d.window_start, s.device, s.location, s.revenue, s.funnels
      from due d cross join lateral (
        select device, location, revenue, funnels from ${quoteSchema(schema)}.${SESSIONS}
        where session_start >= d.window_start and session_start < d.window_start + ${interval(FUNNEL_WINDOW.lengthMs)} offset 0
      ) s
    )`;
}

/** `counts`: a row a window, group, funnel and step. Times are microseconds from the step before. */
export function stepCounts(): string {
  const steps = FUNNELS.flatMap(({ name, steps: declared }) =>
    declared.map((step, index) => `('${name}', ${index + 1}, '${step.name}')`),
  );
  const took = `((v.funnels -> d.funnel ->> (d.step - 1))::bigint - (v.funnels -> d.funnel ->> (d.step - 2))::bigint)`;
  const hasReached = `coalesce(jsonb_array_length(v.funnels -> d.funnel), 0) >= d.step`;
  const percentile = (share: number): string =>
    `percentile_disc(${share}) within group (order by ${took}) filter (where d.step > 1 and ${hasReached}) / 1000000.0::double precision`;
  return `
    counts as (
      select v.window_start, d.funnel collate "C" as funnel, v.device, v.location, d.step, d.step_name, count(*) as sessions,
        count(*) filter (where ${hasReached}) as reached, ${percentile(0.5)} as median_seconds,
        ${percentile(0.9)} as p90_seconds, coalesce(sum(v.revenue) filter (where ${hasReached}), 0) as revenue
      from visits v cross join (values ${steps.join(', ')}) as d (funnel, step, step_name)
      group by v.window_start, d.funnel, v.device, v.location, d.step, d.step_name
    )`;
}

export function freshRows(): string {
  const before = 'coalesce(lag(reached) over steps, sessions)';
  const entered = 'first_value(reached) over steps';
  return `
    fresh as materialized (
      select window_start, window_start + ${interval(FUNNEL_WINDOW.lengthMs)} as window_end, funnel, device, location, step,
        step_name, sessions, reached, round(reached::numeric / nullif(${before}, 0), 4) as conversion,
        round(reached::numeric / nullif(${entered}, 0), 4) as overall_conversion, ${before} - reached as drop_off,
        median_seconds, p90_seconds, revenue
      from counts
      window steps as (partition by window_start, funnel, device, location order by step)
    )`;
}
