// Plain events: valid ones, with the shares that they say, and the same again from the same seed.
import { describe, expect, test } from 'vitest';

import { plainMessage } from '../../bench/plain-events.ts';
import type { PlainSpec } from '../../bench/plain-events.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';

const START_MS = Date.parse('2026-11-01T10:00:00Z');
const COUNT = 50_000;
const spec = (given: Partial<PlainSpec> = {}): PlainSpec => ({
  seed: 7,
  users: 10_000,
  eventRate: 5_000,
  startTimeMs: START_MS,
  ids: 'v7',
  disordered: true,
  ...given,
});

const verdicts = (of: PlainSpec) =>
  Array.from({ length: COUNT }, (_, index) => {
    const { key, value, timestampMs } = plainMessage(of, index);
    const message = { offset: index, key: Buffer.from(key), value, timestampMs, headers: [] };
    return { dueMs: timestampMs, verdict: parseMessage(message, { maxFutureMs: 300_000, retentionMs: null }) };
  });

const eventsOf = (of: PlainSpec) =>
  verdicts(of).flatMap(({ dueMs, verdict }) => (verdict.event ? [{ dueMs, event: verdict.event }] : []));

describe('plain events', () => {
  test('are valid, all of them when nothing is to be wrong, and none is there twice', () => {
    for (const ids of ['v4', 'v7'] as const) {
      const events = eventsOf(spec({ ids, disordered: false }));
      expect(events).toHaveLength(COUNT);
      expect(new Set(events.map(({ event }) => event.eventId)).size).toBe(COUNT);
      expect(events.every(({ event }) => event.eventId[14] === ids[1])).toBe(true);
      expect(events.every(({ dueMs, event }) => event.occurredAtMs === dueMs)).toBe(true);
    }
  });

  test('in disorder come with about the shares of repeated, early, late and malformed ones that are said', () => {
    const events = eventsOf(spec());
    const share = (count: number): number => count / COUNT;
    expect(share(COUNT - events.length)).toBeCloseTo(0.001, 3);
    expect(share(events.length - new Set(events.map(({ event }) => event.eventId)).size)).toBeCloseTo(0.005, 2);
    const behind = events.map(({ dueMs, event }) => dueMs - event.occurredAtMs);
    expect(share(behind.filter((ms) => ms > 1_000 && ms <= 120_000).length)).toBeCloseTo(0.02, 2);
    expect(share(behind.filter((ms) => ms >= 400_000).length)).toBeCloseTo(0.002, 3);
  });

  test('of one seed are the same bytes again, of another seed others', () => {
    const bytes = (of: PlainSpec) => Array.from({ length: 100 }, (_, index) => plainMessage(of, index));
    expect(bytes(spec())).toEqual(bytes(spec()));
    expect(bytes(spec())).not.toEqual(bytes(spec({ seed: 8 })));
  });
});
