// Funnels recounted from recounted sessions: one row a declared step of each group of sessions.
import { escapeLiteral } from 'pg';

import { FUNNEL_WINDOW } from '../pipeline/funnel.ts';
import type { Funnel } from '../pipeline/funnel.ts';
import { interval } from './instant.ts';

/** Columns of `funnel` but revision and closed_at: those that name a row, and those that a recount compares. */
export const FUNNEL_KEY = ['window_start', 'funnel', 'device', 'location', 'step'] as const;
export const FUNNEL_MEASURES = [
  'window_end',
  'step_name',
  'sessions',
  'reached',
  'conversion',
  'overall_conversion',
  'drop_off',
  'median_seconds',
  'p90_seconds',
  'revenue',
] as const;

/** SQL expression: start of the funnels' window that a session which began at `at` counts in. */
export function funnelWindowOf(at: string): string {
  return `date_bin(${interval(FUNNEL_WINDOW.slideMs)}, ${at}, timestamptz 'epoch')`;
}

/**
 * SELECT of the funnels' rows over the sessions that the SELECT `sessions` yields: window_start, device, location, revenue
 * and `funnels` as in the table `sessions`.
 */
export function recountFunnelSql(funnels: readonly Funnel[], sessions: string): string {
  const steps = funnels.flatMap(({ name, steps: declared }) =>
    declared.map((step, place) => `(${escapeLiteral(name)} collate "C", ${place + 1}, ${escapeLiteral(step.name)})`),
  );
  const ofGroup = 'partition by window_start, funnel, device, location order by step';
  // round(..., 4) of numeric: half away from zero.
  const share = (part: string, of: string): string => `round(${part}::numeric / nullif(${of}, 0), 4)`;
  return `
    select window_start, window_start + ${interval(FUNNEL_WINDOW.lengthMs)} as window_end, funnel, device, location, step,
      step_name, sessions, reached, ${share('reached', 'came')} as conversion, ${share('reached', 'entered')} as overall_conversion,
      came - reached as drop_off, taken[1] / 1e6::double precision as median_seconds,
      taken[2] / 1e6::double precision as p90_seconds, revenue
    from (
      select *, lag(reached, 1, sessions) over (${ofGroup}) as came, first_value(reached) over (${ofGroup}) as entered
      from (
        select window_start, funnel, device, location, step, step_name, count(*) as sessions, count(reached_at) as reached,
          percentile_disc(array[0.5, 0.9]) within group (order by reached_at - came_at) as taken,
          coalesce(sum(revenue) filter (where reached_at is not null), 0) as revenue
        from (
          select s.window_start, s.device, s.location, s.revenue, d.funnel, d.step, d.step_name,
            (s.funnels -> d.funnel ->> d.step - 1)::bigint as reached_at,
            case when d.step > 1 then (s.funnels -> d.funnel ->> d.step - 2)::bigint end as came_at
          from (${sessions}) as s cross join (values ${steps.join(', ')}) as d (funnel, step, step_name)
        ) as walked
        group by window_start, funnel, device, location, step, step_name
      ) as counted
    ) as compared`;
}
