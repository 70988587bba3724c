// Facts: events rolled up by minute into a table. Written when a pane closes; late events are added to them. Every column is
// a sum, a minimum or the like, so that the facts of two parts of a minute together make those of the whole.
import { PANE_MS } from '../pipeline/pane.ts';
import type { Span } from '../pipeline/window.ts';
import { inSpans, instant, isAmong, paneOf } from './instant.ts';
import { notLeftOut, notWaitingNorLeftOut, wholeLateEventsSql } from './late-events.ts';
import { quoteSchema } from './schema-name.ts';

/**
 * `of`: aggregate over the rows that `rows` gives; `merged`: over facts of one key; @schema@ in them is the schema. `compared`:
 * expression that is equal for equal facts, where the column itself need not be; null: another column's tells it too.
 */
export type FactColumn = {
  readonly name: string;
  readonly of: string;
  readonly merged: string;
  readonly compared?: string | null;
};

/**
 * A table of facts, its columns `pane`, then `keys`, which are never null, then `columns`. `rows`: SELECT with the columns `pane`
 * and `keys` and what the aggregates read, from a FROM item of events `e` and an expression of their pane.
 */
export type FactTable = {
  readonly name: string;
  readonly keys: readonly string[];
  readonly columns: readonly FactColumn[];
  readonly rows: (events: string, pane: string) => string;
};

/** Rolls up the events of a span of panes that has not been written before. */
export function writeFactsSql(table: FactTable, schema: string, span: Span): string {
  return `
    insert into ${quoteSchema(schema)}.${table.name} (${columnsOf(table).join(', ')})
    ${rolledUp(table, schema, { events: eventsOf(schema, span, notLeftOut(schema, [span])), pane: paneIn(span) })}`;
}

/**
 * Adds the waiting late events of these panes to the facts, reading neither other events nor other facts: the cost follows
 * the late events, however many events their panes hold. To be run before those are marked as applied.
 */
export function addLateFactsSql(table: FactTable, schema: string, panes: readonly Span[]): string {
  const facts = `${quoteSchema(schema)}.${table.name}`;
  const keys = keysOf(table);
  const columns = columnsOf(table).join(', ');
  const sameKey = keys.map((key) => `f.${key} = late.${key}`);
  const merged = table.columns.map(({ name, merged: of }) => `${inSchema(of, schema)} as ${name}`);
  return `
    with late as materialized (${rolledUp(table, schema, { events: `(${wholeLateEventsSql(schema, panes)}) e`, pane: paneOf('e.occurred_at') })}),
    dropped as (
      delete from ${facts} f using late where ${sameKey.join(' and ')}
      returning f.*
    )
    insert into ${facts} (${columns})
    select ${[...keys, ...merged].join(', ')}
    from (select ${columns} from late union all select ${columns} from dropped) as parts
    group by ${keys.join(', ')}`;
}

/**
 * Rolls up again a span of panes that are written, and writes anew those whose facts differ, whatever was wrong with them.
 * Late events that no result holds yet stay out. Answers with `panes`, the number of those written anew.
 */
export function refreshFactsSql(table: FactTable, schema: string, span: Span): string {
  const facts = `${quoteSchema(schema)}.${table.name}`;
  const columns = columnsOf(table).join(', ');
  const compared = [...keysOf(table), ...table.columns.flatMap(({ name, compared: of = name }) => of ?? [])].join(', ');
  const stored = `select ${compared} from ${facts} where ${inSpans('pane', [span])}`;
  const fresh = `select ${compared} from fresh`;
  return `
    with fresh as materialized (
      ${rolledUp(table, schema, { events: eventsOf(schema, span, notWaitingNorLeftOut(schema, [span])), pane: paneIn(span) })}
    ),
    wrong as materialized (
      select distinct pane from (
        ((${fresh}) except all (${stored})) union all ((${stored}) except all (${fresh}))
      ) as different
    ),
    dropped as (
      delete from ${facts} f where ${inSpans('f.pane', [span])} and ${isAmong(['f.pane'], 'select pane from wrong')}
      returning 1
    ),
    written as (
      -- Looking at what was dropped puts the insert behind the delete, which a unique key asks for.
      insert into ${facts} (${columns})
      select ${columns} from fresh where ${isAmong(['pane'], 'select pane from wrong')} and (select count(*) from dropped) >= 0
    )
    select count(*)::float8 as panes from wrong`;
}

function keysOf(table: FactTable): string[] {
  return ['pane', ...table.keys];
}

function columnsOf(table: FactTable): string[] {
  return [...keysOf(table), ...table.columns.map(({ name }) => name)];
}

const inSchema = (expression: string, schema: string): string => expression.replaceAll('@schema@', quoteSchema(schema));

/** A FROM item: the events `e` of the span that the condition leaves. */
function eventsOf(schema: string, span: Span, condition: string): string {
  return `(select * from ${quoteSchema(schema)}.events e where ${inSpans('e.occurred_at', [span])} and ${condition}) e`;
}

/** SQL expression: the pane of an event `e` of the span. One pane needs no arithmetic. */
function paneIn({ startMs, endMs }: Span): string {
  return endMs - startMs === PANE_MS ? instant(startMs) : paneOf('e.occurred_at');
}

/** SELECT of facts in the order of the table's columns. */
function rolledUp(table: FactTable, schema: string, { events, pane }: { events: string; pane: string }): string {
  const keys = keysOf(table).join(', ');
  const measured = table.columns.map(({ name, of }) => `${inSchema(of, schema)} as ${name}`);
  return `select ${keys}, ${measured.join(', ')} from (${table.rows(events, pane)}) as r group by ${keys}`;
}
