// Sessions recounted straight from `events` by gaps and islands, with none of the tables that closing works with.
import { escapeLiteral } from 'pg';

import type { Funnel, FunnelStep } from '../pipeline/funnel.ts';
import type { SessionRules } from '../pipeline/session.ts';
import type { Clock } from './closed-through.ts';
import { instant, interval } from './instant.ts';
import { quoteSchema } from './schema-name.ts';

/** A share of the users, so that a recount of many events goes through them in parts: number `part` of `of`, a power of two. */
export type UserShare = { readonly part: number; readonly of: number };

/** How far panes are in the results, and how far sessions (epoch ms); null: none is. */
export type SessionClock = Pick<Clock, 'panesThroughMs' | 'writtenThroughMs'>;

export type SessionRecount = {
  readonly rules: SessionRules;
  readonly funnels: readonly Funnel[];
  /**
   * Events before `panesThroughMs` count; a user's last session is open when it may go on behind `writtenThroughMs` (epoch ms,
   * whole panes; null: none does).
   */
  readonly clock: SessionClock;
  readonly share: UserShare;
};

/**
 * What a recount says of a session, in the order of its columns: those of `sessions` but revision and closed_at;
 * `open`; and `was_open` when sessions were closed last: where panes are ahead, its user may have begun another since.
 */
export const SESSION_COLUMNS: Readonly<Record<string, string>> = {
  user_id: 'text collate "C"',
  session_start: 'timestamptz',
  session_end: 'timestamptz',
  duration_seconds: 'double precision',
  events: 'bigint',
  pages: 'bigint',
  clicks: 'bigint',
  searches: 'bigint',
  cart_adds: 'bigint',
  orders: 'bigint',
  revenue: 'numeric',
  cart_left: 'numeric',
  device: 'text collate "C"',
  location: 'text collate "C"',
  entry_page: 'text collate "C"',
  exit_page: 'text collate "C"',
  first_referrer: 'text collate "C"',
  converted: 'boolean',
  bounced: 'boolean',
  cut: 'boolean',
  active_since: 'timestamptz',
  funnels: 'jsonb',
  open: 'boolean',
  was_open: 'boolean',
};

/** SELECT of every session of these users, closed or open, in SESSION_COLUMNS. */
export function recountSessionsSql(schema: string, recount: SessionRecount): string {
  const { funnels, rules, clock } = recount;
  const depth = Math.max(1, ...funnels.map(({ steps }) => steps.length));
  return `
    with told as (${toldSql(schema, recount)}),
    parted as materialized (${partedSql(rules)}),
    ${reachedSql(funnels, depth)},
    gathered as (${gatheredSql(funnels, `reached_${depth}`)}),
    carts as (${CARTS})
    select user_id, session_start, session_end,
      extract(epoch from session_end - session_start)::double precision as duration_seconds,
      events, pages, clicks, searches, cart_adds, orders, revenue, coalesce(cart_left, 0) as cart_left,
      device, location, entry_page, exit_page, first_referrer,
      orders > 0 as converted, pages <= 1 and clicks + searches + cart_adds + orders = 0 as bounced,
      not is_last as cut, active_since, funnels,
      next_start is null and could_go_on as open, coalesce(next_start >= ${instant(clock.writtenThroughMs)}, true) and could_go_on as was_open
    from (
      select *, part = max(part) over (partition by user_id, island) as is_last,
        lead(session_start) over (partition by user_id order by session_start) as next_start,
        session_end + ${interval(rules.gapMs)} >= ${instant(clock.writtenThroughMs)} as could_go_on
      from gathered
    ) as g left join carts using (user_id, island, part)`;
}

/** The events that results hold, those of the share, each with a mark for every step that it does. */
function toldSql(schema: string, { funnels, clock, share }: SessionRecount): string {
  const tables = quoteSchema(schema);
  const marks = stepsOf(funnels).map(({ step, name }) => `, ${doneBy(step)} as does_${name}`);
  const ofShare = share.of === 1 ? 'true' : `(hashtextextended(e.user_id, 0) & ${share.of - 1}) = ${share.part}`;
  return `
    select e.user_id collate "C" as user_id, e.occurred_at as at, e.event_type as type,
      e.device collate "C" as device, e.location collate "C" as location,
      e.page collate "C" as page, e.referrer collate "C" as referrer, e.total_amount,
      e.item_id collate "C" as item_id, e.quantity, e.price, e.items, e.quantities${marks.join('')}
    from ${tables}.events e
    where e.occurred_at < ${instant(clock.panesThroughMs)} and ${ofShare} and not exists (
      select from ${tables}.late_events l
      where l.applied_at is null and l.occurred_at = e.occurred_at and l.event_id = e.event_id
    )`;
}

/** Each event with the island of unbroken activity that it lies in, and the part of the island. */
function partedSql({ gapMs, maxMs }: SessionRules): string {
  const minute = (at: string): string => `floor(extract(epoch from ${at}) / 60)`;
  return `
    select *, floor((${minute('at')} - ${minute('active_since')}) / ${maxMs / 60_000})::bigint as part
    from (
      select *, min(at) over (partition by user_id, island) as active_since
      from (
        -- Events of one instant are peers here: they have one number, whichever of them came first.
        select *, count(*) filter (where begins) over (partition by user_id order by at) as island
        from (
          select *, coalesce(lag(at) over (partition by user_id order by at) + ${interval(gapMs)} < at, true) as begins
          from told
        ) as spaced
      ) as numbered
    ) as lasting`;
}

/** When each step was reached, one subquery a step, because a step looks at when the one before was reached. */
function reachedSql(funnels: readonly Funnel[], depth: number): string {
  const queries: string[] = [];
  for (let step = 1; step <= depth; step += 1) {
    const reached = funnels.flatMap(({ steps, withinMs }, funnel) => {
      if (steps.length < step) return [];
      const [first, before, name] = [`${funnel}_1`, `${funnel}_${step - 1}`, `${funnel}_${step}`];
      const inOrder = step === 1 ? '' : `and at > t_${before} and at <= t_${first} + ${interval(withinMs)}`;
      return [`, min(at) filter (where does_${name} ${inOrder}) over session as t_${name}`];
    });
    const instants = `
      , min(at) over session as session_start,
      min(at) filter (where type = 'page_view') over session as first_view,
      max(at) filter (where type = 'page_view') over session as last_view`;
    queries.push(`reached_${step} as (
      select *${step === 1 ? instants : ''}${reached.join('')}
      from ${step === 1 ? 'parted' : `reached_${step - 1}`}
      window session as (partition by user_id, island, part)
    )`);
  }
  return queries.join(',\n    ');
}

/** One row a session. */
function gatheredSql(funnels: readonly Funnel[], from: string): string {
  const type = (name: string): string => `count(*) filter (where type = '${name}')`;
  const entered = funnels.map(({ name, steps }, funnel) => {
    const micros = steps.map((_, step) => `(extract(epoch from min(t_${funnel}_${step + 1})) * 1000000)::bigint`);
    const times = `to_jsonb(array_remove(array[${micros.join(', ')}], null))`;
    return `${escapeLiteral(name)}, case when min(t_${funnel}_1) is not null then ${times} end`;
  });
  return `
    select user_id, island, part, min(active_since) as active_since, min(at) as session_start, max(at) as session_end,
      count(*) as events, ${type('page_view')} as pages, ${type('item_click')} as clicks, ${type('search')} as searches,
      ${type('cart_add')} as cart_adds, ${type('purchase')} as orders,
      coalesce(sum(total_amount) filter (where type = 'purchase'), 0) as revenue,
      min(device) filter (where at = session_start) as device,
      min(location) filter (where at = session_start) as location,
      min(page) filter (where type = 'page_view' and at = first_view) as entry_page,
      max(page) filter (where type = 'page_view' and at = last_view) as exit_page,
      min(referrer) filter (where type = 'page_view' and at = first_view) as first_referrer,
      jsonb_strip_nulls(jsonb_build_object(${entered.join(', ')})) as funnels
    from ${from} group by user_id, island, part`;
}

/** What was put into the cart and not bought, item by item, at the average price that it was put there with. */
const CARTS = `
    select user_id, island, part,
      sum(case when added > bought then round(added_value * (added - bought) / added, 2) else 0 end) as cart_left
    from (
      select user_id, island, part, item, sum(added) as added, sum(added_value) as added_value, sum(bought) as bought
      from (
        select user_id, island, part, item_id as item, quantity as added, price * quantity as added_value, 0 as bought
        from parted where type = 'cart_add'
        union all
        select user_id, island, part, b.item collate "C", 0, 0, b.quantity
        from parted cross join unnest(items, quantities) as b (item, quantity) where type = 'purchase'
      ) as moved
      group by user_id, island, part, item
    ) as by_item
    group by user_id, island, part`;

function stepsOf(funnels: readonly Funnel[]): { step: FunnelStep; name: string }[] {
  return funnels.flatMap(({ steps }, funnel) => steps.map((step, place) => ({ step, name: `${funnel}_${place + 1}` })));
}

function doneBy({ type, where = {} }: FunnelStep): string {
  const conditions = Object.entries(where).map(([field, value]) => `e.${field} collate "C" = ${escapeLiteral(value)}`);
  return ['e.event_type = ' + escapeLiteral(type), ...conditions].join(' and ');
}
