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

/** The instants and marks of the events that funnels ask for, side by side, in no order. */
const steps = (name: string, column: string, compared: string | null): FactColumn => ({
  name,
  of: `array_agg(${column}) filter (where marks <> 0)`,
  merged: `@schema@.joined(${name})`,
  compared,
});

const STEPS_IN_ORDER = `(select array_agg(format('%s %s', marks, at) order by at, marks)
    from unnest(steps_at, step_marks) as s (at, marks))`;

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
  steps('steps_at', 'occurred_at', STEPS_IN_ORDER),
  steps('step_marks', 'marks', null),
];

export const PANE_FACTS: FactTable = {
  name: 'pane_facts',
  keys: PANE_KEYS,
  columns: [...WINDOW_COLUMNS, ...SESSION_COLUMNS],
  rows: (events, pane) => `
    select ${pane} as pane, ${PANE_KEYS.map((key) => `e.${key} collate "C" as ${key}`).join(', ')}, e.occurred_at, e.event_type,
      e.total_amount, ${stamped('page')} as page, ${stamped('referrer')} as referrer, s.marks
    from ${events} cross join lateral (select ${STEP_MARKS} as marks offset 0) s`,
};

/** The same without what only sessions ask for: what it would cost not to have them. */
export const PANE_FACTS_OF_WINDOWS: FactTable = { ...PANE_FACTS, columns: WINDOW_COLUMNS };
