// The table `pane_facts`: events rolled up by minute. Written when a pane closes, rewritten where a late event lies in it.
import { PANE_KEYS } from '../pipeline/aggregates.ts';
import { PANE_MS } from '../pipeline/pane.ts';
import type { Span } from '../pipeline/window.ts';
import { inSpans, interval, isAmong } from './instant.ts';
import { lateEventsSql, notLeftOut } from './late-events.ts';
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

function insertFacts(schema: string, spans: readonly Span[], condition: string): string {
  const keys = PANE_KEYS.map((key) => `e.${key}`).join(', ');
  return `
    insert into ${quoteSchema(schema)}.pane_facts
      (pane, ${PANE_KEYS.join(', ')}, events, first_at, last_at, revenue, min_amount, max_amount)
    select ${paneOf('e.occurred_at')}, ${keys}, count(*), min(e.occurred_at), max(e.occurred_at),
      sum(e.total_amount), min(e.total_amount), max(e.total_amount)
    from ${quoteSchema(schema)}.events e
    where ${inSpans('e.occurred_at', spans)} and ${notLeftOut(schema, spans)} and ${condition}
    group by 1, ${keys}`;
}
