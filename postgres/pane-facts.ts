// The table `pane_facts`: what the windowed aggregates are made of.
import { PANE_KEYS } from '../pipeline/aggregates.ts';
import type { FactTable } from './facts.ts';
import { paneOf } from './instant.ts';

export const PANE_FACTS: FactTable = {
  name: 'pane_facts',
  keys: PANE_KEYS,
  nullableKeys: ['currency'],
  columns: [
    { name: 'events', of: 'count(*)::int', merged: 'sum(events)' },
    { name: 'first_at', of: 'min(occurred_at)', merged: 'min(first_at)' },
    { name: 'last_at', of: 'max(occurred_at)', merged: 'max(last_at)' },
    { name: 'revenue', of: 'sum(total_amount)', merged: 'sum(revenue)' },
    { name: 'min_amount', of: 'min(total_amount)', merged: 'min(min_amount)' },
    { name: 'max_amount', of: 'max(total_amount)', merged: 'max(max_amount)' },
  ],
  rows: (events) => `
    select ${paneOf('e.occurred_at')} as pane, ${PANE_KEYS.map((key) => `e.${key} collate "C" as ${key}`).join(', ')},
      e.occurred_at, e.total_amount
    from ${events}`,
};
