// The range of a rebuild: which panes it goes over, and from where on a topic must be read for it.
import { expect, test } from 'vitest';

import { LONGEST_WINDOW_MS } from '../../pipeline/aggregates.ts';
import { panesToGoOver, rereadFromMs } from '../../pipeline/rebuild.ts';

const MINUTE_MS = 60_000;
const atMs = Date.parse('2026-11-23T10:20:00Z');
const range = { startMs: atMs, endMs: atMs + 5 * MINUTE_MS };

test('it begins with the first pane of the first window over the range', () => {
  expect(panesToGoOver(range, Infinity).startMs).toBe(atMs - LONGEST_WINDOW_MS + MINUTE_MS);
});

test('a topic is read again from the earliest message on that may hold an event of one of its windows', () => {
  const maxFutureMs = 300_000;
  const fromMs = rereadFromMs({ startMs: atMs + 1, endMs: range.endMs }, { maxFutureMs });
  // An event of the first pane that came as far ahead of its message as the rules allow: not a millisecond is left out.
  expect(fromMs + maxFutureMs).toBe(panesToGoOver(range, Infinity).startMs);
});
