// All tables of facts, so that whoever writes the facts of a pane forgets none.
import type { FactTable } from './facts.ts';
import { PANE_FACTS } from './pane-facts.ts';
import { PURCHASE_FACTS } from './purchase-facts.ts';

export const FACT_TABLES: readonly FactTable[] = [PANE_FACTS, PURCHASE_FACTS];
