// The tables `session_facts` and `cart_facts`: what sessions and funnels are made of, by user and minute.
import { assert } from '../pipeline/ensure.ts';
import { FUNNELS, funnelProblems, stepMarks } from '../pipeline/funnel.ts';
import type { FunnelStep } from '../pipeline/funnel.ts';
import type { FactTable } from './facts.ts';
import { paneOf } from './instant.ts';

/** Hexadecimal digits that say an instant, in front of a text of session_facts. */
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

/** Looked at once, when the program starts: a wrong declaration is named before anything is done with it. */
const MARKS = marksOf();

const count = (name: string, type: string): FactTable['columns'][number] => ({
  name,
  of: `count(*) filter (where event_type = '${type}')`,
  merged: `sum(${name})`,
});

/** Of the earliest (or latest) event that has the value. */
const stampedValue = (name: string, column: string, take: 'min' | 'max'): FactTable['columns'][number] => ({
  name,
  of: `${take}(stamp || ${column})`,
  merged: `${take}(${name})`,
});

/** Earliest first, whatever they were put together from, so that equal facts are equal arrays. */
const steps = (name: string, column: string): FactTable['columns'][number] => ({
  name,
  of: `array_agg(${column} order by occurred_at, marks) filter (where marks <> 0)`,
  merged: `(select array_agg(${column} order by occurred_at, marks)
    from unnest(@schema@.joined(steps_at), @schema@.joined(step_marks)) as s (occurred_at, marks))`,
});

export const SESSION_FACTS: FactTable = {
  name: 'session_facts',
  keys: ['user_id'],
  columns: [
    { name: 'events', of: 'count(*)', merged: 'sum(events)' },
    { name: 'first_at', of: 'min(occurred_at)', merged: 'min(first_at)' },
    { name: 'last_at', of: 'max(occurred_at)', merged: 'max(last_at)' },
    count('pages', 'page_view'),
    count('clicks', 'item_click'),
    count('searches', 'search'),
    count('cart_adds', 'cart_add'),
    count('orders', 'purchase'),
    { name: 'revenue', of: 'coalesce(sum(total_amount), 0)', merged: 'sum(revenue)' },
    stampedValue('device', 'device', 'min'),
    stampedValue('location', 'location', 'min'),
    stampedValue('entry_page', 'page', 'min'),
    stampedValue('first_referrer', 'referrer', 'min'),
    stampedValue('exit_page', 'page', 'max'),
    steps('steps_at', 'occurred_at'),
    steps('step_marks', 'marks'),
  ],
  rows: (events) => `
    select ${paneOf('e.occurred_at')} as pane, e.user_id collate "C" as user_id, e.occurred_at, e.event_type, e.total_amount,
      e.device collate "C" as device, e.location collate "C" as location, e.page collate "C" as page,
      e.referrer collate "C" as referrer, s.stamp, s.marks
    from ${events} cross join lateral (select ${stampOf('e.occurred_at')} as stamp, ${MARKS} as marks offset 0) s`,
};

export const CART_FACTS: FactTable = {
  name: 'cart_facts',
  keys: ['user_id', 'item_id'],
  columns: [
    { name: 'added', of: 'sum(added)', merged: 'sum(added)' },
    { name: 'added_value', of: 'sum(added_value)', merged: 'sum(added_value)' },
    { name: 'bought', of: 'sum(bought)', merged: 'sum(bought)' },
  ],
  rows: (events) => `
    select ${paneOf('e.occurred_at')} as pane, e.user_id collate "C" as user_id, e.item_id collate "C" as item_id,
      coalesce(e.quantity, 0) as added, coalesce(e.price * e.quantity, 0) as added_value, 0 as bought
    from ${events} where e.event_type = 'cart_add' and e.item_id is not null
    union all
    select ${paneOf('e.occurred_at')}, e.user_id collate "C", b.item_id collate "C", 0, 0, coalesce(b.quantity, 0)
    from ${events} cross join lateral unnest(e.items, e.quantities) as b (item_id, quantity)
    where e.event_type = 'purchase' and b.item_id is not null`,
};

/** SQL expression: the bits of the steps that an event `e` is. Throws when a funnel is declared wrongly, with the field. */
function marksOf(): string {
  const problems = funnelProblems(FUNNELS);
  assert(problems.length === 0, `The funnels are declared wrongly: ${problems.join(' ')}`);
  return stepMarks(FUNNELS)
    .map(({ mark, step }) => `case when ${isStep(step)} then ${mark} else 0 end`)
    .join(' + ');
}

function isStep({ type, where = {} }: FunnelStep): string {
  const conditions = Object.entries(where).map(([field, value]) => `e.${field} = '${value.replaceAll("'", "''")}'`);
  return [`e.event_type = '${type}'`, ...conditions].join(' and ');
}
