// The table `pane_facts`: events rolled up by minute. Written when a pane closes; a late event is added to them.
import { PANE_KEYS } from '../pipeline/aggregates.ts';
import { PANE_MS } from '../pipeline/pane.ts';
import type { Span } from '../pipeline/window.ts';
import { inSpans, interval, isAmong } from './instant.ts';
import { lateEventsSql, notLeftOut, notWaitingNorLeftOut } from './late-events.ts';
import { quoteSchema } from './schema-name.ts';

/** SQL expression: start of the pane that holds `at`. */
export function paneOf(at: string): string {
  return `date_bin(${interval(PANE_MS)}, ${at}, timestamptz 'epoch')`;
}

/** Rolls up the events of a span of panes that has not been written before. */
export function writeFactsSql(schema: string, span: Span): string {
  return insertFacts(schema, [span], 'true');
}

/**
 * Adds the waiting late events of these panes to the facts. Facts are sums, so that neither other events nor other facts are
 * read: the cost follows the late events, however many events their panes hold. To be run before those are marked as applied.
 */
export function addLateFactsSql(schema: string, panes: readonly Span[]): string {
  const facts = `${quoteSchema(schema)}.pane_facts`;
  // Only the currency may be null; the others must be compared by "=", which alone an index answers.
  const sameKey = KEYS.map((key) => `f.${key} ${key === 'currency' ? 'is not distinct from' : '='} late.${key}`);
  return `
    with late as materialized (
      select ${paneOf('l.occurred_at')} as pane, ${PANE_KEYS.join(', ')}, ${factsOf('l')}
      from (${lateEventsSql(schema, panes)}) as l group by ${KEYS.join(', ')}
    ),
    dropped as (
      delete from ${facts} f using late where ${sameKey.join(' and ')}
      returning f.*
    )
    insert into ${facts} (${COLUMNS})
    select ${KEYS.join(', ')}, sum(events), min(first_at), max(last_at), sum(revenue), min(min_amount), max(max_amount)
    from (select ${COLUMNS} from late union all select ${COLUMNS} from dropped) as parts
    group by ${KEYS.join(', ')}`;
}

/**
 * Rolls up again a span of panes that are written, and writes anew those whose facts differ, whatever was wrong with them.
 * Late events that no result holds yet stay out. Answers with `panes`, the number of those written anew.
 */
export function refreshFactsSql(schema: string, span: Span): string {
  const facts = `${quoteSchema(schema)}.pane_facts`;
  const stored = `select ${COLUMNS} from ${facts} where ${inSpans('pane', [span])}`;
  const fresh = `select ${COLUMNS} from fresh`;
  return `
    with fresh as materialized (
      ${rolledUp(schema, [span], notWaitingNorLeftOut(schema, [span]))}
    ),
    wrong as materialized (
      select distinct pane from (
        ((${fresh}) except all (${stored})) union all ((${stored}) except all (${fresh}))
      ) as different
    ),
    dropped as (
      delete from ${facts} f where ${inSpans('f.pane', [span])} and ${isAmong(['f.pane'], 'select pane from wrong')}
    ),
    written as (
      insert into ${facts} (${COLUMNS}) ${fresh} where ${isAmong(['pane'], 'select pane from wrong')}
    )
    select count(*)::float8 as panes from wrong`;
}

const KEYS = ['pane', ...PANE_KEYS];
const COLUMNS = [...KEYS, 'events', 'first_at', 'last_at', 'revenue', 'min_amount', 'max_amount'].join(', ');

function insertFacts(schema: string, spans: readonly Span[], condition: string): string {
  return `
    insert into ${quoteSchema(schema)}.pane_facts (${COLUMNS})
    ${rolledUp(schema, spans, `${notLeftOut(schema, spans)} and ${condition}`)}`;
}

/** SELECT of the facts of these panes from the events `e` that the condition leaves, in the order of COLUMNS. */
function rolledUp(schema: string, spans: readonly Span[], condition: string): string {
  const keys = PANE_KEYS.map((key) => `e.${key} collate "C" as ${key}`).join(', ');
  return `
    select ${paneOf('e.occurred_at')} as pane, ${keys}, ${factsOf('e')}
    from ${quoteSchema(schema)}.events e
    where ${inSpans('e.occurred_at', spans)} and ${condition}
    group by 1, ${PANE_KEYS.map((key) => `e.${key}`).join(', ')}`;
}

/** What facts say of a group of events `from`, in the order of COLUMNS. */
function factsOf(from: string): string {
  return `count(*)::int as events, min(${from}.occurred_at) as first_at, max(${from}.occurred_at) as last_at,
      sum(${from}.total_amount) as revenue, min(${from}.total_amount) as min_amount, max(${from}.total_amount) as max_amount`;
}
