// The table `purchase_facts`: what is counted of purchases, by user and currency.
import type { FactTable } from './facts.ts';

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
