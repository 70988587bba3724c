// The tables `purchase_facts` and `cart_facts`: the money of a minute, which has keys of its own.
import type { FactTable } from './facts.ts';

/** By user and currency: what is counted of purchases. */
export const PURCHASE_FACTS: FactTable = {
  name: 'purchase_facts',
  keys: ['user_id', 'currency'],
  columns: [
    { name: 'events', of: 'count(*)', merged: 'sum(events)' },
    { name: 'revenue', of: 'sum(total_amount)', merged: 'sum(revenue)' },
    { name: 'min_amount', of: 'min(total_amount)', merged: 'min(min_amount)' },
    { name: 'max_amount', of: 'max(total_amount)', merged: 'max(max_amount)' },
  ],
  rows: (events, pane) => `
    select ${pane} as pane, e.user_id collate "C" as user_id, e.currency collate "C" as currency, e.total_amount
    from ${events} where e.event_type = 'purchase'`,
};

/** By user and item: what a session left in its cart. */
export const CART_FACTS: FactTable = {
  name: 'cart_facts',
  keys: ['user_id', 'item_id'],
  columns: [
    { name: 'added', of: 'sum(added)', merged: 'sum(added)' },
    { name: 'added_value', of: 'sum(added_value)', merged: 'sum(added_value)' },
    { name: 'bought', of: 'sum(bought)', merged: 'sum(bought)' },
  ],
  rows: (events, pane) => `
    select ${pane} as pane, e.user_id collate "C" as user_id, b.item_id collate "C" as item_id, b.added, b.added_value, b.bought
    from ${events} cross join lateral (
      select e.item_id, coalesce(e.quantity, 0) as added, coalesce(e.price * e.quantity, 0) as added_value, 0 as bought
      where e.event_type = 'cart_add'
      union all
      select b.item_id, 0, 0, coalesce(b.quantity, 0) from unnest(e.items, e.quantities) as b (item_id, quantity)
      where e.event_type = 'purchase'
    ) b
    where e.event_type in ('cart_add', 'purchase') and b.item_id is not null`,
};
