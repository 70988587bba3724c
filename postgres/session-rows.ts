// What a session says: folded from the facts of its minutes, and how far it came in each funnel.
import { FUNNELS, markOf } from '../pipeline/funnel.ts';
import { interval, paneOf } from './instant.ts';
import { unstamped } from './pane-facts.ts';
import { quoteSchema } from './schema-name.ts';

/** Columns of a session's result row, each with its SQL expression over what `sessionFold` joins to the row `e`. */
const COLUMNS: Readonly<Record<string, string>> = {
  user_id: 'e.user_id',
  session_start: 'e.session_start',
  session_end: 'e.session_end',
  duration_seconds: 'extract(epoch from e.session_end - e.session_start)::double precision',
  events: 'f.events',
  pages: 'f.pages',
  clicks: 'f.clicks',
  searches: 'f.searches',
  cart_adds: 'f.cart_adds',
  orders: 'f.orders',
  revenue: 'f.revenue',
  cart_left: 'coalesce(c.cart_left, 0)',
  device: 'f.device',
  location: 'f.location',
  entry_page: unstamped('f.entry_page'),
  exit_page: unstamped('f.exit_page'),
  first_referrer: unstamped('f.first_referrer'),
  converted: 'f.orders > 0',
  bounced: 'f.pages <= 1 and f.clicks + f.searches + f.cart_adds + f.orders = 0',
  cut: 'e.cut',
  active_since: 'e.active_since',
  funnels: funnelTimes(),
};

/** All columns of a session's row but `revision` and `closed_at`. */
export const SESSION_COLUMNS: readonly string[] = Object.keys(COLUMNS);

/** The columns that say something of a session, its key left out. */
export const SESSION_MEASURES = SESSION_COLUMNS.filter((column) => !['user_id', 'session_start'].includes(column));

/** SELECT list of SESSION_COLUMNS, each named, over `sessionFold`. */
export const SESSION_SELECT = Object.entries(COLUMNS)
  .map(([column, expression]) => `${expression} as ${column}`)
  .join(', ');

/**
 * FROM item: the rows of `ended` as `e` (`user_id`, `session_start`, `session_end`, `active_since`, `cut`) with the sums over
 * their minutes. Minute by minute, because facts are ordered by time first: a session costs a probe of an index for each of
 * its minutes. "offset 0" keeps the planner to that: it once read all facts instead, for every session.
 */
export function sessionFold(schema: string, ended: string): string {
  const tables = quoteSchema(schema);
  const joined = (column: string, where: string): string =>
    `${tables}.joined(m.${column}) filter (where ${where}) as ${column}`;
  return `${ended} e cross join lateral (
      select sum(m.events) as events, sum(m.pages) as pages, sum(m.clicks) as clicks, sum(m.searches) as searches,
        sum(m.cart_adds) as cart_adds, sum(m.orders) as orders, sum(m.revenue) as revenue,
        min(m.device) filter (where m.first_at = e.session_start) as device,
        min(m.location) filter (where m.first_at = e.session_start) as location, min(m.entry_page) as entry_page,
        min(m.first_referrer) as first_referrer, max(m.exit_page) as exit_page,
        ${['steps_at', 'step_marks'].map((column) => joined(column, 'm.steps_at is not null')).join(', ')},
        ${['added_items', 'added_quantities', 'added_values'].map((column) => joined(column, 'm.cart_adds > 0')).join(', ')},
        ${['bought_items', 'bought_quantities'].map((column) => joined(column, 'm.orders > 0')).join(', ')}
      from generate_series(${paneOf('e.session_start')}, e.session_end, interval '1 minute') as p (pane)
      cross join lateral (
        select * from ${tables}.pane_facts m where m.pane = p.pane and m.user_id = e.user_id offset 0
      ) m
    ) f
    left join lateral (
      -- What was not bought again, at the average price for which the item was added.
      select sum(round(value * (added - bought) / added, 2)) as cart_left
      from (
        select sum(added) as added, sum(value) as value, sum(bought) as bought
        from (
          select item_id, added, value, 0 as bought
          from unnest(f.added_items, f.added_quantities, f.added_values) as a (item_id, added, value)
          union all
          select item_id, 0, 0, bought from unnest(f.bought_items, f.bought_quantities) as b (item_id, bought)
        ) as changes
        where f.cart_adds > 0 and item_id is not null
        group by item_id
      ) as items
      where added > bought
    ) c on true
    ${reachedSteps()}`;
}

/**
 * Joins when the session reached each step: at the earliest of its instants after the step before, null: never. The first steps
 * of all funnels in one look over its instants, then the second ones, and so on.
 */
function reachedSteps(): string {
  const places = Array.from({ length: Math.max(...FUNNELS.map(({ steps }) => steps.length)) }, (_, place) => place);
  return places
    .map((place) => {
      const earliest = FUNNELS.flatMap(({ steps, withinMs }, funnel) => {
        const step = steps[place];
        if (step === undefined) return [];
        const before = reached(funnel, place - 1);
        const inOrder = place === 0 ? '' : `and at > ${before} and at <= ${reached(funnel, 0)} + ${interval(withinMs)}`;
        return [`min(at) filter (where marks & ${markOf(FUNNELS, step)} <> 0 ${inOrder}) as funnel_${funnel}`];
      });
      const anyBefore = FUNNELS.flatMap(({ steps }, funnel) =>
        place < steps.length ? [`${reached(funnel, place - 1)} is not null`] : [],
      ).join(' or ');
      return `cross join lateral (
      select ${earliest.join(', ')} from (select unnest(f.steps_at) as at, unnest(f.step_marks) as marks) s
      ${place === 0 ? '' : `where ${anyBefore}`}
    ) step_${place}`;
    })
    .join('\n');
}

function reached(funnel: number, place: number): string {
  return `step_${place}.funnel_${funnel}`;
}

/** `{funnel: [microseconds since 1970]}` of those entered. */
function funnelTimes(): string {
  const micros = (at: string): string => `(extract(epoch from ${at}) * 1000000)::bigint`;
  const entries = FUNNELS.map(({ name, steps }, index) => {
    const times = steps.map((_, place) => micros(reached(index, place)));
    return `'${name}', case when ${reached(index, 0)} is not null then to_jsonb(array_remove(array[${times.join(', ')}], null)) end`;
  });
  return `jsonb_strip_nulls(jsonb_build_object(${entries.join(', ')}))`;
}
