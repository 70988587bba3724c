// Which open session holds a window open, and when event time ends that.
import { describe, expect, test } from 'vitest';

import { closesAtLatest, heldOpenBy } from '../../pipeline/open-sessions.ts';

const MINUTE_MS = 60_000;
const RULES = { gapMs: 30 * MINUTE_MS, maxMs: 12 * 60 * MINUTE_MS };
const at = (time: string): number => Date.parse(`2026-11-01T${time}Z`);
const session = (since: string, start: string, last: string) => ({
  userId: 'user_7',
  activeSinceMs: at(since),
  startMs: at(start),
  lastAtMs: at(last),
});
const iso = (ms: number): string => new Date(ms).toISOString();

describe('a session that goes on as long as it can', () => {
  test('closes the gap after it has been cut at the greatest length, counted in minutes', () => {
    expect(iso(closesAtLatest(session('10:03:12', '10:03:12', '10:41:02'), RULES))).toBe('2026-11-01T22:33:00.000Z');
  });

  test('that was cut from longer activity is cut again the same length later', () => {
    const rules = { gapMs: 30 * MINUTE_MS, maxMs: 60 * MINUTE_MS };
    expect(iso(closesAtLatest(session('10:03:12', '11:03:00', '11:20:00'), rules))).toBe('2026-11-01T12:33:00.000Z');
    expect(iso(closesAtLatest(session('10:03:12', '11:02:59', '11:20:00'), rules))).toBe('2026-11-01T11:33:00.000Z');
  });
});

test('one session is named with its times, of several the last to close', () => {
  const last = session('10:03:12', '10:03:12', '10:41:02');
  expect(heldOpenBy({ count: 1, last }, RULES)).toEqual({
    reason: 'open-sessions',
    partition: null,
    sentence:
      'One session that started in it is open, that of user user_7: since 2026-11-01T10:03:12Z, last seen 2026-11-01T10:41:02Z. It closes when event time has come to 2026-11-01T11:12:00Z, later if the user goes on, at the latest at 2026-11-01T22:33:00Z.',
  });
  expect(heldOpenBy({ count: 1_200, last }, RULES).sentence).toMatch(
    /^1,200 sessions that started in it are open; the last to close is that of user user_7: since/,
  );
});
