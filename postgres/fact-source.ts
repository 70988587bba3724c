// Which facts an aggregate is made from, as rows `f`: a user's minutes as they are, the same by event type, or the purchases.
import { AGGREGATES } from '../pipeline/aggregates.ts';
import type { Aggregate, EventKey, Measure } from '../pipeline/aggregates.ts';
import { assert } from '../pipeline/ensure.ts';
import { COUNT_COLUMNS } from './pane-facts.ts';
import { quoteSchema } from './schema-name.ts';

type FactSource = {
  /** What can be grouped by and looked at. */
  readonly keys: readonly EventKey[];
  readonly measures: readonly Measure['kind'][];
  /** FROM item `f`: `pane`, the keys, `events`, and what the measures read. Only of the aggregate's event types. */
  readonly from: (aggregate: Aggregate, schema: string) => string;
};

const MINUTES: FactSource = {
  keys: ['user_id', 'session_id', 'device', 'location'],
  measures: ['events', 'eventsByType', 'firstAt', 'lastAt', 'durationSeconds', 'uniques', 'least'],
  from: (_, schema) => `${quoteSchema(schema)}.pane_facts f`,
};

const MINUTES_BY_TYPE: FactSource = {
  keys: [...MINUTES.keys, 'event_type'],
  measures: ['events', 'uniques', 'least'],
  from: ({ eventTypes }, schema) => {
    const counts = Object.entries(COUNT_COLUMNS).filter(([type]) => eventTypes?.some((each) => each === type) ?? true);
    const rows = counts.map(([type, column]) => `('${type}' collate "C", p.${column})`);
    return `(
      select p.pane, ${MINUTES.keys.map((key) => `p.${key}`).join(', ')}, t.event_type, t.events
      from ${quoteSchema(schema)}.pane_facts p cross join lateral (values ${rows.join(', ')}) as t (event_type, events)
      where t.events > 0
    ) f`;
  },
};

const PURCHASES: FactSource = {
  keys: ['user_id', 'currency'],
  measures: ['events', 'uniques', 'least', 'revenue'],
  from: (_, schema) => `${quoteSchema(schema)}.purchase_facts f`,
};

function sourceOf({ eventTypes, groupBy }: Aggregate): FactSource {
  if (eventTypes?.every((type) => type === 'purchase')) return PURCHASES;
  return eventTypes === null && !groupBy.includes('event_type') ? MINUTES : MINUTES_BY_TYPE;
}

/** FROM item `f` of the facts of an aggregate's events. */
export function factsOf(aggregate: Aggregate, schema: string): string {
  return sourceOf(aggregate).from(aggregate, schema);
}

/** What no facts say, each as a sentence that names the field; empty: the declaration is right. */
export function aggregateProblems(aggregates: readonly Aggregate[]): string[] {
  return aggregates.flatMap((aggregate) => {
    const source = sourceOf(aggregate);
    const wrongKeys = aggregate.groupBy.filter((key) => !source.keys.includes(key));
    const wrongMeasures = Object.entries(aggregate.measures).filter(
      ([, measure]) =>
        !source.measures.includes(measure.kind) || ('of' in measure && !source.keys.includes(measure.of)),
    );
    return [
      ...wrongKeys.map((key) => `Aggregate ${aggregate.name}, groupBy: ${key} is none of ${source.keys.join(', ')}.`),
      ...wrongMeasures.map(
        ([column, { kind }]) =>
          `Aggregate ${aggregate.name}, measure ${column}: of its events, facts say no ${kind} of that.`,
      ),
    ];
  });
}

const PROBLEMS = aggregateProblems(AGGREGATES);
assert(PROBLEMS.length === 0, `The aggregates are declared wrongly: ${PROBLEMS.join(' ')}`);
