// Which aggregates can be made from facts: what is asked for and not there is named before anything is done with it.
import { describe, expect, test } from 'vitest';

import { AGGREGATES } from '../../pipeline/aggregates.ts';
import type { Aggregate } from '../../pipeline/aggregates.ts';
import { tumbling } from '../../pipeline/window.ts';
import { aggregateProblems, factsOf } from '../../postgres/fact-source.ts';

const declared = (given: Partial<Aggregate>): Aggregate => ({
  name: 'mine',
  window: tumbling(60_000),
  eventTypes: null,
  groupBy: ['device'],
  measures: { events: { kind: 'events' } },
  ...given,
});

describe('a declared aggregate', () => {
  test('that stands in the list is right', () => {
    expect(aggregateProblems(AGGREGATES)).toEqual([]);
  });

  test('of all events is made of the minutes as they are, one by type or of a few types of the minutes by type', () => {
    expect(factsOf(declared({}), 's')).toBe('"s".pane_facts f');
    expect(factsOf(declared({ groupBy: ['event_type'] }), 's')).toContain(`('search' collate "C", p.searches)`);
    const few = factsOf(declared({ eventTypes: ['search', 'purchase'] }), 's');
    expect(few).toContain(`values ('purchase' collate "C", p.orders), ('search' collate "C", p.searches)`);
    expect(few).not.toContain('p.clicks');
  });

  test('of purchases alone is made of those', () => {
    const revenue = { kind: 'revenue', take: 'sum' } as const;
    const of = declared({ eventTypes: ['purchase'], groupBy: ['currency'], measures: { revenue } });
    expect(factsOf(of, 's')).toBe('"s".purchase_facts f');
    expect(aggregateProblems([of])).toEqual([]);
  });

  test.each<[string, Partial<Aggregate>, string]>([
    [
      'a currency where other events are, too',
      { groupBy: ['currency'] },
      'Aggregate mine, groupBy: currency is none of user_id, session_id, device, location.',
    ],
    [
      'a device of purchases',
      { eventTypes: ['purchase'], groupBy: ['device'] },
      'Aggregate mine, groupBy: device is none of user_id, currency.',
    ],
    [
      'revenue of all events',
      { measures: { revenue: { kind: 'revenue', take: 'sum' } } },
      'Aggregate mine, measure revenue: of its events, facts say no revenue of that.',
    ],
    [
      'the first instant of a type',
      { groupBy: ['event_type'], measures: { first: { kind: 'firstAt' } } },
      'Aggregate mine, measure first: of its events, facts say no firstAt of that.',
    ],
    [
      'sessions of purchases',
      {
        eventTypes: ['purchase'],
        groupBy: ['currency'],
        measures: { sessions: { kind: 'uniques', of: 'session_id' } },
      },
      'Aggregate mine, measure sessions: of its events, facts say no uniques of that.',
    ],
  ])('that asks for %s is wrong, and the field is named', (_, given, sentence) => {
    expect(aggregateProblems([declared(given)])).toEqual([sentence]);
  });
});
