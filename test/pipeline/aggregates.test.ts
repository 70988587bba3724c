// The declarations of the aggregates: what each of them must be for the SQL that comes from it to be right.
import { describe, expect, it } from 'vitest';

import { AGGREGATES, LONGEST_WINDOW_MS, lastWindowEndOfAny } from '../../pipeline/aggregates.ts';

const names = AGGREGATES.map(({ name }) => name);

describe('the declared aggregates', () => {
  it('are the five results', () => {
    expect(names).toEqual(['event_counts', 'user_activity', 'purchase_metrics', 'session_metrics', 'device_stats']);
  });

  it.each(names)('%s counts its events in exactly one column', (name) => {
    const measures = Object.values(AGGREGATES.find((aggregate) => aggregate.name === name)?.measures ?? {});
    expect(measures.filter(({ kind }) => kind === 'events')).toHaveLength(1);
  });

  it.each(names)('%s is grouped, and by nothing that it also measures', (name) => {
    const aggregate = AGGREGATES.find((candidate) => candidate.name === name);
    expect(aggregate?.groupBy.length).toBeGreaterThan(0);
    expect(aggregate?.groupBy.filter((column) => column in aggregate.measures)).toEqual([]);
  });

  it('have nothing open after the last window that holds an event', () => {
    expect(LONGEST_WINDOW_MS).toBe(600_000);
    expect(lastWindowEndOfAny(Date.parse('2026-11-01T10:03:10Z'))).toBe(Date.parse('2026-11-01T10:10:00Z'));
    // Of an event in the tenth minute the sliding windows last longest.
    expect(lastWindowEndOfAny(Date.parse('2026-11-01T10:09:10Z'))).toBe(Date.parse('2026-11-01T10:14:00Z'));
  });
});
