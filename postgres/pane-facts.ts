// The table `pane_facts`: what windows, sessions and funnels are made of. A user's minute is one row, as long as the client
// keeps to one session, device and location.
import type { EventType } from '../pipeline/event.ts';
import type { FactColumn, FactTable } from './facts.ts';
import { STEP_MARKS } from './funnel-marks.ts';

/** What panes keep apart, so that counting the distinct values over several panes stays exact. */
const PANE_KEYS = ['user_id', 'session_id', 'device', 'location'];

/** The column that counts each type's events. */
export const COUNT_COLUMNS: Readonly<Record<EventType, string>> = {
  user_login: 'logins',
  page_view: 'pages',
  item_click: 'clicks',
  purchase: 'orders',
  cart_add: 'cart_adds',
  search: 'searches',
};

/** Hexadecimal digits that say an instant, in front of a text of pane_facts. */
const STAMP_DIGITS = 16;

/**
 * SQL expression: the instant `at` as text that sorts as time does, so that `stamp || value` makes the earliest of several
 * values their minimum, and at one instant the smallest value. PostgreSQL sends microseconds since 2000 as a signed number;
 * 10,000 years later no instant is negative.
 */
function stampOf(at: string): string {
  return `encode(timestamptz_send(${at} + interval '87660000 hours'), 'hex')`;
}

/** SQL expression: the value behind the stamp. */
export function unstamped(text: string): string {
  return `substr(${text}, ${STAMP_DIGITS + 1})`;
}

/** SQL expression on an event: a column that only some events have, stamped. */
function stamped(column: string): string {
  return `case when e.${column} is not null then ${stampOf('e.occurred_at')} || e.${column} end collate "C"`;
}

const folded = (name: string, take: 'min' | 'max', column = name): FactColumn => ({
  name,
  of: `${take}(${column})`,
  merged: `${take}(${name})`,
});

/**
 * Arrays that lie side by side, in no order: `of` aggregates into one, and all of them look at the same rows. The first is
 * compared with all of them, each place as a text, in order.
 */
function sideBySide(arrays: Readonly<Record<string, string>>): FactColumn[] {
  const names = Object.keys(arrays);
  const inOrder = `(select array_agg(place order by place) from (select s::text as place from unnest(${names.join(', ')}) as s) as places)`;
  return Object.entries(arrays).map(([name, of], index) => ({
    name,
    of,
    merged: `@schema@.joined(${name})`,
    compared: index === 0 ? inOrder : null,
  }));
}

/** What windows are made of. */
const WINDOW_COLUMNS: readonly FactColumn[] = [
  { name: 'events', of: 'count(*)', merged: 'sum(events)' },
  folded('first_at', 'min', 'occurred_at'),
  folded('last_at', 'max', 'occurred_at'),
  ...Object.entries(COUNT_COLUMNS).map(([type, name]) => ({
    name,
    of: `count(*) filter (where event_type = '${type}')`,
    merged: `sum(${name})`,
  })),
];

/** What sessions and funnels ask for besides. */
const SESSION_COLUMNS: readonly FactColumn[] = [
  { name: 'revenue', of: 'coalesce(sum(total_amount), 0)', merged: 'sum(revenue)' },
  folded('entry_page', 'min', 'page'),
  folded('first_referrer', 'min', 'referrer'),
  folded('exit_page', 'max', 'page'),
  // What funnels ask for.
  ...sideBySide({
    steps_at: 'array_agg(occurred_at) filter (where marks <> 0)',
    step_marks: 'array_agg(marks) filter (where marks <> 0)',
  }),
  // What went into the cart, and what was bought of it or besides.
  ...sideBySide({
    added_items: `array_agg(item_id) filter (where event_type = 'cart_add')`,
    added_quantities: `array_agg(quantity) filter (where event_type = 'cart_add')`,
    added_values: `array_agg(price * quantity) filter (where event_type = 'cart_add')`,
  }),
  ...sideBySide({
    bought_items: `@schema@.joined(items) filter (where event_type = 'purchase')`,
    bought_quantities: `@schema@.joined(quantities) filter (where event_type = 'purchase')`,
  }),
];

export const PANE_FACTS: FactTable = {
  name: 'pane_facts',
  keys: PANE_KEYS,
  columns: [...WINDOW_COLUMNS, ...SESSION_COLUMNS],
  rows: (events, pane) => `
    select ${pane} as pane, ${PANE_KEYS.map((key) => `e.${key} collate "C" as ${key}`).join(', ')}, e.occurred_at, e.event_type,
      e.total_amount, ${stamped('page')} as page, ${stamped('referrer')} as referrer, s.marks, e.item_id, e.quantity, e.price,
      e.items, e.quantities
    from ${events} cross join lateral (select ${STEP_MARKS} as marks offset 0) s`,
};

/** The same without what only sessions ask for: what it would cost not to have them. */
export const PANE_FACTS_OF_WINDOWS: FactTable = { ...PANE_FACTS, columns: WINDOW_COLUMNS };
