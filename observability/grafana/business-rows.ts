// The Business dashboard's panels about orders, people and sessions. Its SQL reads result tables and nothing else.
import { graph, stat } from './panels.ts';
import type { Row } from './row.ts';

const NOTHING_CLOSED = 'No window of this time has closed yet';
const NO_SESSION = 'No session that started in this time has closed yet';
/** By which time a session is counted, in steps of ten minutes. */
const SESSION_START = `date_bin('10 minutes', session_start, timestamptz '2000-01-01Z')`;

export const ORDERS: Row = {
  title: 'Orders',
  panels: [
    stat(
      {
        title: 'Orders',
        description: 'Purchases in windows that have closed.',
        unit: 'short',
        width: 4,
        none: NOTHING_CLOSED,
      },
      {
        sql: `select sum(total_orders) as "orders"
from "\${schema}".purchase_metrics where $__timeFilter(window_start) and currency in (\${currency})`,
      },
    ),
    stat(
      {
        title: 'Revenue',
        description: 'Sums of what purchases cost, by currency: exact to the cent, nothing is converted.',
        unit: 'locale',
        width: 12,
        none: NOTHING_CLOSED,
      },
      {
        sql: `select currency, sum(total_revenue) as "revenue"
from "\${schema}".purchase_metrics where $__timeFilter(window_start) and currency in (\${currency})
group by currency order by 2 desc`,
      },
    ),
    stat(
      {
        title: 'Sessions that bought',
        description: 'Share of the closed sessions in which something was bought.',
        unit: 'percentunit',
        width: 4,
        none: NO_SESSION,
      },
      {
        sql: `select avg(converted::int) as "converted" from "\${schema}".sessions where $__timeFilter(session_start)`,
      },
    ),
    stat(
      {
        title: 'Left in carts',
        description: 'Worth of what closed sessions put into their carts and did not buy, all currencies as they are.',
        unit: 'locale',
        width: 4,
        none: NO_SESSION,
      },
      { sql: `select sum(cart_left) as "left" from "\${schema}".sessions where $__timeFilter(session_start)` },
    ),
    graph(
      {
        title: 'Orders per ten minutes',
        description: 'Purchases of each ten minutes of event time, by currency.',
        unit: 'short',
        width: 8,
        stacked: true,
        none: NOTHING_CLOSED,
      },
      {
        sql: `select window_start as "time", currency as "metric", total_orders as "orders"
from "\${schema}".purchase_metrics where $__timeFilter(window_start) and currency in (\${currency}) order by 1`,
      },
    ),
    graph(
      {
        title: 'Revenue per ten minutes',
        description: 'Sums of each ten minutes of event time, by currency; nothing is converted.',
        unit: 'locale',
        width: 8,
        none: NOTHING_CLOSED,
      },
      {
        sql: `select window_start as "time", currency as "metric", total_revenue as "revenue"
from "\${schema}".purchase_metrics where $__timeFilter(window_start) and currency in (\${currency}) order by 1`,
      },
    ),
    graph(
      {
        title: 'Average order',
        description: 'Mean worth of an order in each ten minutes of event time, by currency.',
        unit: 'locale',
        width: 8,
        none: NOTHING_CLOSED,
      },
      {
        sql: `select window_start as "time", currency as "metric", avg_order_value as "average order"
from "\${schema}".purchase_metrics where $__timeFilter(window_start) and currency in (\${currency}) order by 1`,
      },
    ),
  ],
};

export const PEOPLE: Row = {
  title: 'People',
  panels: [
    graph(
      {
        title: 'Active users',
        description:
          'Distinct users of the five minutes before, every minute; and distinct buyers of each ten minutes, by currency. Exact, not estimated.',
        unit: 'short',
        width: 8,
        none: NOTHING_CLOSED,
      },
      {
        sql: `select window_end as "time", 'active users' as "metric", count(*) as "users"
from "\${schema}".user_activity where $__timeFilter(window_end) group by 1
union all
select window_end, 'buyers in ' || currency, unique_buyers
from "\${schema}".purchase_metrics where $__timeFilter(window_end) and currency in (\${currency}) order by 1`,
      },
    ),
    graph(
      {
        title: 'Sessions',
        description:
          'Closed sessions by the ten minutes in which they started: all, those with a purchase, those of one page.',
        unit: 'short',
        width: 8,
        none: NO_SESSION,
      },
      {
        sql: `select ${SESSION_START} as "time", count(*) as "sessions",
  count(*) filter (where converted) as "with a purchase", count(*) filter (where bounced) as "bounced"
from "\${schema}".sessions where $__timeFilter(session_start) group by 1 order by 1`,
      },
    ),
    graph(
      {
        title: 'Length of sessions',
        description:
          'Half of the sessions that started in these ten minutes were shorter than the median, one in ten longer than p90.',
        unit: 's',
        width: 8,
        none: NO_SESSION,
      },
      {
        sql: `select ${SESSION_START} as "time",
  percentile_cont(0.5) within group (order by duration_seconds) as "median",
  percentile_cont(0.9) within group (order by duration_seconds) as "p90"
from "\${schema}".sessions where $__timeFilter(session_start) group by 1 order by 1`,
      },
    ),
  ],
};
