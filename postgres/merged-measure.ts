// What a result row says once late events are added to it, measure by measure: every measure is either a sum of two parts or
// follows from measures that are.
import type { Aggregate, Measure } from '../pipeline/aggregates.ts';
import { must } from '../pipeline/ensure.ts';
import { countsByType, eventsColumn } from './result-sql.ts';

/**
 * SQL expression: the measure `column` of the stored row `r` (all columns null when there is none) with the row `a` of what
 * is added. Of uniques `a` counts only those that `r` does not hold yet. Throws when the declaration lacks a measure that
 * another one follows from: an average needs the sum, a duration needs the first and the last instant.
 */
export function mergedMeasure(aggregate: Aggregate, column: string): string {
  const measure = must(aggregate.measures[column], `measure ${column} of aggregate ${aggregate.name}`);
  const smallest = (of: string): string => `least(r.${of}, a.${of})`;
  const greatest = (of: string): string => `greatest(r.${of}, a.${of})`;
  const sum = (of: string): string => `(coalesce(r.${of}, 0) + a.${of})`;
  switch (measure.kind) {
    case 'events':
    case 'uniques':
      return sum(column);
    case 'eventsByType': {
      const of = (row: string, type: string): string => `coalesce((${row}.${column} ->> '${type}')::bigint, 0)`;
      return countsByType((type) => `nullif(${of('r', type)} + ${of('a', type)}, 0)`);
    }
    case 'firstAt':
    case 'least':
      return smallest(column);
    case 'lastAt':
      return greatest(column);
    case 'durationSeconds': {
      const first = columnOf(aggregate, ({ kind }) => kind === 'firstAt');
      const last = columnOf(aggregate, ({ kind }) => kind === 'lastAt');
      return `extract(epoch from ${greatest(last)} - ${smallest(first)})::double precision`;
    }
    default: {
      if (measure.take === 'min') return smallest(column);
      if (measure.take === 'max') return greatest(column);
      if (measure.take === 'sum') return sum(column);
      const total = columnOf(aggregate, (other) => other.kind === 'revenue' && other.take === 'sum');
      return `round(${sum(total)} / ${sum(eventsColumn(aggregate))}, 2)`;
    }
  }
}

function columnOf(aggregate: Aggregate, wanted: (measure: Measure) => boolean): string {
  const found = Object.entries(aggregate.measures).find(([, measure]) => wanted(measure));
  return must(found, `the measure of aggregate ${aggregate.name} that another of its measures follows from`)[0];
}
