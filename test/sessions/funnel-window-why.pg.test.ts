// What a window of the funnels waits for: event time, its open sessions, or to be written again.
import { beforeEach, describe, expect, test } from 'vitest';

import { isWaiting, readExplainedFunnel, whyFunnelWaits } from '../../cli/funnel-window-why.ts';
import { windowLines } from '../../cli/window-text.ts';
import { amendWindows } from '../../postgres/amend-windows.ts';
import { readClock } from '../../postgres/closed-through.ts';
import { DEFAULT_SESSION_RULES } from '../../pipeline/session.ts';
import type { EventTimeFacts } from '../../pipeline/why-open.ts';
import { insertEvents, storedEvent } from '../support/events.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

let pipeline: WindowedPipeline;

const stored = (time: string, user: string) => storedEvent(`2026-11-01T${time}Z`, { user });

beforeEach(async () => {
  pipeline = await windowedPipeline();
  await insertEvents(pipeline.pool, pipeline.schema, {
    events: [
      stored('10:02:10', 'one'),
      stored('10:03:20', 'two'),
      stored('10:25:00', 'two'),
      stored('10:31:00', 'six'),
    ],
  });
});

/** The lines of `weir windows --why` for the window of 10:00. */
async function why(atMs = Date.parse('2026-11-01T10:00Z')): Promise<string[]> {
  const { pool, schema, spec } = pipeline;
  const { nowMs, closedThroughMs, writtenThroughMs } = await readClock(pool, spec);
  const window = await readExplainedFunnel(pool, { schema, atMs, writtenThroughMs });
  const facts: EventTimeFacts = {
    nowMs,
    closedThroughMs,
    writtenThroughMs,
    lowWatermarkMs: closedThroughMs,
    lastWindowEndMs: null,
    latenessMs: 0,
    idleAfterMs: 30_000,
    partitions: [],
    troubles: [],
  };
  const waits = isWaiting(window) ? whyFunnelWaits(window, { facts, rules: DEFAULT_SESSION_RULES }) : [];
  return windowLines([{ ...window, why: waits }]);
}

describe('the window of the funnels', () => {
  test('waits for event time before its end', async () => {
    await closeThrough(pipeline, '2026-11-01T10:05:00Z');
    const [head, time, held] = await why();
    expect(head).toBe('funnel 2026-11-01T10:00:00Z to 2026-11-01T10:10:00Z is not closed. It holds 2 sessions so far.');
    expect(time).toMatch(/^ {2}- Event time has come to 2026-11-01T10:05:00Z \(low watermark\), and 5m up to its end/);
    expect(held).toMatch(/There is no partition|2 sessions that started in it are open/);
  });

  test('waits for its open sessions behind its end, and names the last to close', async () => {
    await closeThrough(pipeline, '2026-11-01T10:40:00Z');
    expect(await why()).toEqual([
      'funnel 2026-11-01T10:00:00Z to 2026-11-01T10:10:00Z is not closed. It holds 2 sessions so far.',
      '  - One session that started in it is open, that of user two: since 2026-11-01T10:03:20Z, last seen 2026-11-01T10:25:00Z. It closes when event time has come to 2026-11-01T10:56:00Z, later if the user goes on, at the latest at 2026-11-01T22:33:00Z.',
    ]);
    await closeThrough(pipeline, '2026-11-01T10:55:00Z');
    expect((await why())[0]).toMatch(/is not closed/);
    await closeThrough(pipeline, '2026-11-01T10:56:00Z');
    expect(await why()).toEqual([
      expect.stringMatching(/^funnel .* is closed, since .*, with 2 sessions \(revision 1\)\.$/),
    ]);
  });

  test('is closed without a row where no session started', async () => {
    await closeThrough(pipeline, '2026-11-01T12:00:00Z');
    expect(await why(Date.parse('2026-11-01T10:12Z'))).toEqual([
      'funnel 2026-11-01T10:10:00Z to 2026-11-01T10:20:00Z is closed, without a row: it held no session.',
    ]);
  });

  test('tells what amended it, and that it waits to be written again', async () => {
    const { pool, schema, spec } = pipeline;
    await closeThrough(pipeline, '2026-11-01T11:30:00Z');
    const late = { closedThrough: '2026-11-01T11:30:00Z' };
    await insertEvents(pool, schema, { events: [stored('10:07:00', 'ten')], late });
    await amendWindows(pool, spec);
    expect(await why()).toEqual([
      expect.stringMatching(/ is closed, since .*, with 2 sessions; it holds 3 sessions now \(revision 2\)\.$/),
      expect.stringMatching(/^ {2}revision 2 at .*, late event: 7 rows changed \(\+1 session\)$/),
    ]);
    // Makes one session of all that two did, and it is open at 11:30.
    const more = ['10:54:00', '11:23:00'].map((time) => stored(time, 'two'));
    await insertEvents(pool, schema, { events: more, late });
    await amendWindows(pool, spec);
    const lines = await why();
    expect(lines[0]).toMatch(/ is closed, .* \(revision 2\)\.$/);
    expect(lines.slice(-2)).toEqual([
      '  - A late event changed which sessions started in it or what they say, so its rows are to be written again.',
      expect.stringMatching(
        /^ {2}- One session that started in it is open, that of user two: since 2026-11-01T10:03:20Z/,
      ),
    ]);
  });
});
