// The SQL that rebuilds a run of windows of one aggregate from pane facts.
import type { Aggregate } from '../pipeline/aggregates.ts';
import type { Span } from '../pipeline/window.ts';
import { factsOf } from './fact-source.ts';
import { inSpans, instant, interval } from './instant.ts';
import { replaceRowsSql } from './replaced-rows.ts';
import { eventsColumn, measuresFromFacts, windowStartsOf } from './result-sql.ts';

/**
 * One statement over the windows that start in `starts`, all of them written, whose pane facts are right. Answers with the
 * counts of RebuildCounts less `panes`; all are 0 when everything was right.
 */
export function rebuildRowsSql(aggregate: Aggregate, schema: string, starts: Span): string {
  return replaceRowsSql(aggregate, schema, {
    before: freshRows(aggregate, schema, starts),
    starts: inSpans('window_start', [starts]),
    events: `sum(${eventsColumn(aggregate)})`,
    cause: 'reprocess',
  });
}

/** `fresh`: all rows of the windows as the pane facts have them. */
function freshRows(aggregate: Aggregate, schema: string, { startMs, endMs }: Span): string {
  const { lengthMs, slideMs } = aggregate.window;
  const { from, start } = windowStartsOf(aggregate, 'f.pane');
  const groups = aggregate.groupBy.map((column) => `f.${column}`).join(', ');
  const panes = { startMs, endMs: endMs - slideMs + lengthMs };
  return `
    fresh as materialized (
      select ${start} as window_start, ${start} + ${interval(lengthMs)} as window_end, ${groups}, ${measuresFromFacts(aggregate)}
      from ${factsOf(aggregate, schema)} ${from}
      where ${inSpans('f.pane', [panes])} and ${start} >= ${instant(startMs)} and ${start} < ${instant(endMs)}
      group by ${start}, ${groups}
    )`;
}
