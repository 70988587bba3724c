// The Business dashboard's panels about what people do, where, and which results were corrected. Result tables only.
import { bars, graph, sqlTable } from './panels.ts';
import type { Row } from './row.ts';

const NOTHING_CLOSED = 'No window of this time has closed yet';
const NO_SESSION = 'No session that started in this time has closed yet';
const NO_FUNNEL = 'No window of which every session has closed lies in this time';
const NOT_AMENDED = 'No late event has changed a result of this time';

export const FUNNELS: Row = {
  title: 'Funnels',
  panels: [
    bars(
      {
        title: 'Sessions that reached each step',
        description: 'Of the sessions that started in this time and have closed, in all places, by funnel.',
        unit: 'short',
        width: 10,
        none: NO_FUNNEL,
      },
      {
        sql: `select funnel || ' ' || step || ': ' || step_name as "step", sum(reached) as "sessions"
from "\${schema}".funnel where $__timeFilter(window_start) and funnel in (\${funnel})
group by funnel, step, step_name order by funnel, step`,
      },
    ),
    sqlTable(
      {
        title: 'Where sessions drop off',
        description:
          'How many of those that reached the step before reached this one, how many of all that started, and how many were lost here.',
        unit: 'none',
        width: 14,
        none: NO_FUNNEL,
        columns: [
          { name: 'from the step before', unit: 'percentunit' },
          { name: 'of all sessions', unit: 'percentunit' },
          { name: 'revenue', unit: 'locale' },
        ],
      },
      `select funnel, step, step_name as "name", reached,
  reached::float8 / nullif(coalesce(lag(reached) over steps, sessions), 0) as "from the step before",
  reached::float8 / nullif(sessions, 0) as "of all sessions", drop_off as "lost here", revenue
from (
  select funnel, step, step_name, sum(sessions) as sessions, sum(reached) as reached, sum(drop_off) as drop_off, sum(revenue) as revenue
  from "\${schema}".funnel where $__timeFilter(window_start) and funnel in (\${funnel})
  group by funnel, step, step_name
) as by_step
window steps as (partition by funnel order by step) order by funnel, step`,
    ),
  ],
};

export const BEHAVIOR: Row = {
  title: 'What people do, and where',
  panels: [
    graph(
      {
        title: 'Event mix',
        description: 'Events of each minute of event time, by type.',
        unit: 'short',
        width: 8,
        stacked: true,
        none: NOTHING_CLOSED,
      },
      {
        sql: `select window_start as "time", event_type as "metric", event_count as "events"
from "\${schema}".event_counts where $__timeFilter(window_start) order by 1`,
      },
    ),
    graph(
      {
        title: 'Devices',
        description: 'Events of each ten minutes of event time, by device, in all places.',
        unit: 'short',
        width: 8,
        stacked: true,
        none: NOTHING_CLOSED,
      },
      {
        sql: `select window_start as "time", device as "metric", sum(event_count) as "events"
from "\${schema}".device_stats where $__timeFilter(window_start) group by 1, 2 order by 1`,
      },
    ),
    sqlTable(
      {
        title: 'Places and devices',
        description: 'Closed sessions by the place and the device of their first event: the fifty most frequent.',
        unit: 'none',
        width: 8,
        none: NO_SESSION,
        columns: [
          { name: 'bought', unit: 'percentunit' },
          { name: 'revenue', unit: 'locale' },
        ],
      },
      `select location as "place", device, count(*) as "sessions", count(distinct user_id) as "users",
  avg(converted::int) as "bought", sum(revenue) as "revenue"
from "\${schema}".sessions where $__timeFilter(session_start) group by 1, 2 order by 3 desc, 1, 2 limit 50`,
    ),
  ],
};

export const AMENDED: Row = {
  title: 'Corrected results',
  panels: [
    graph(
      {
        title: 'Amendments',
        description:
          'Rows of results that were written again because of late events or of weir reprocess, by the minute in which that was done.',
        unit: 'short',
        width: 10,
        stacked: true,
        none: NOT_AMENDED,
      },
      {
        sql: `select date_trunc('minute', amended_at) as "time", aggregate as "metric", count(*) as "rows"
from "\${schema}".amendments where $__timeFilter(amended_at) group by 1, 2 order by 1`,
      },
    ),
    sqlTable(
      {
        title: 'Windows that were amended',
        description:
          'Windows of this time whose result is not the first one. What each row was before is in the views called ..._history.',
        unit: 'none',
        width: 14,
        none: NOT_AMENDED,
      },
      `select aggregate, window_start as "from", window_end as "to", revision, events, closed_at as "first closed"
from "\${schema}".windows where revision > 1 and $__timeFilter(window_start) order by window_start desc, aggregate limit 200`,
    ),
  ],
};
