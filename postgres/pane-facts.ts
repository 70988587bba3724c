// The table `pane_facts`: events rolled up by minute. Written when a pane closes, rewritten where a late event lies in it.
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
 * Rolls up again what the waiting late events of these panes touch: their users' facts, which are all that can change.
 * To be run before those late events are marked as applied.
 */
export function rewriteFactsSql(schema: string, panes: readonly Span[]): string {
  const touched = `select ${paneOf('late.occurred_at')}, late.user_id from (${lateEventsSql(schema, panes)}) as late`;
  return `
    with dropped as (
      delete from ${quoteSchema(schema)}.pane_facts f
      where ${inSpans('f.pane', panes)} and ${isAmong(['f.pane', 'f.user_id'], touched)}
    )
    ${insertFacts(schema, panes, isAmong([paneOf('e.occurred_at'), 'e.user_id collate "C"'], touched))}`;
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

const COLUMNS = `pane, ${PANE_KEYS.join(', ')}, events, first_at, last_at, revenue, min_amount, max_amount`;

function insertFacts(schema: string, spans: readonly Span[], condition: string): string {
  return `
    insert into ${quoteSchema(schema)}.pane_facts (${COLUMNS})
    ${rolledUp(schema, spans, `${notLeftOut(schema, spans)} and ${condition}`)}`;
}

/** SELECT of the facts of these panes from the events `e` that the condition leaves, in the order of COLUMNS. */
function rolledUp(schema: string, spans: readonly Span[], condition: string): string {
  const keys = PANE_KEYS.map((key) => `e.${key} collate "C" as ${key}`).join(', ');
  return `
    select ${paneOf('e.occurred_at')} as pane, ${keys}, count(*)::int as events, min(e.occurred_at) as first_at,
      max(e.occurred_at) as last_at, sum(e.total_amount) as revenue, min(e.total_amount) as min_amount,
      max(e.total_amount) as max_amount
    from ${quoteSchema(schema)}.events e
    where ${inSpans('e.occurred_at', spans)} and ${condition}
    group by 1, ${PANE_KEYS.map((key) => `e.${key}`).join(', ')}`;
}
