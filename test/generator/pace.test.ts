// Pace: what is due when, and that slow acknowledgements never change it.
import { assert, double, integer, oneof, property, record } from 'fast-check';
import { expect, test } from 'vitest';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { behindMs, createRateMeter, dueMs, dueThrough } from '../../generator/pace.ts';
import type { Segment } from '../../generator/pace.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import { sendOnSchedule } from '../../generator/send-on-schedule.ts';
import type { Clock, Sending } from '../../generator/send-on-schedule.ts';

const START = Date.UTC(2026, 2, 1);
const maker = createMessageMaker(createGeneratorSpec({ topic: 't' }));

/** A clock that moves only when somebody sleeps or a broker takes its time. */
function virtualClock(): Clock & { pass(ms: number): void } {
  let nowMs = START;
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { nowMs: () => nowMs, pass, sleep: async (ms) => pass(ms) };
}

type Batch = { readonly atMs: number; readonly indexes: number[] };

/** Runs a sending whose broker takes `ackMs` for each batch; record times are unique at these rates, so they name the index. */
async function run(given: Partial<Sending> & { segment: Segment }, ackMs = 0) {
  const clock = virtualClock();
  const batches: Batch[] = [];
  const sending: Sending = {
    maker,
    fromIndex: given.segment.fromIndex,
    endIndex: Infinity,
    endMs: Infinity,
    paced: true,
    clock,
    signal: new AbortController().signal,
    write: async (messages) => {
      const { fromIndex, startMs, rate } = given.segment;
      const indexOf = (timestampMs: number): number => fromIndex + ((timestampMs - startMs) * rate) / 1_000;
      batches.push({ atMs: clock.nowMs(), indexes: messages.map((message) => indexOf(message.timestampMs)) });
      clock.pass(ackMs);
      return true;
    },
    onAcknowledged: () => {},
    ...given,
  };
  const sent = await sendOnSchedule(sending);
  return { sent, batches, indexes: batches.flatMap((batch) => batch.indexes), nowMs: clock.nowMs() };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, nth) => from + nth);

test('a message is due when its time has come, and not a millisecond before', () => {
  const segment = record({
    fromIndex: integer({ min: 0, max: 1e9 }),
    startMs: integer({ min: 1e12, max: 2e12 }),
    rate: oneof(integer({ min: 1, max: 20_000 }), double({ min: 0.01, max: 5_000, noNaN: true })),
  });
  assert(
    property(segment, integer({ min: 0, max: 86_400_000 }), (of, passedMs) => {
      const nowMs = of.startMs + passedMs;
      const due = dueThrough(of, nowMs);
      expect(dueMs(of, due)).toBeGreaterThan(nowMs);
      expect(dueMs(of, due - 1)).toBeLessThanOrEqual(nowMs);
    }),
  );
});

test('nothing is due before a segment starts', () => {
  expect(dueThrough({ fromIndex: 7, startMs: START, rate: 1_000 }, START - 1)).toBe(7);
});

test('being behind is the age of the next message that was due', () => {
  const segment = { fromIndex: 100, startMs: START, rate: 10 };
  expect(behindMs(segment, 100, START + 250)).toBe(250);
  expect(behindMs(segment, 102, START + 250)).toBe(50);
  expect(behindMs(segment, 103, START + 250)).toBe(0);
});

test('each message is sent within a tick of its time, in order, none twice', async () => {
  const segment = { fromIndex: 1_000, startMs: START, rate: 500 };
  const { indexes, batches, sent } = await run({ segment, endMs: START + 10_000 });
  expect(indexes).toEqual(range(1_000, sent.nextIndex));
  expect(Math.abs(indexes.length - 5_000)).toBeLessThanOrEqual(3);
  for (const {
    atMs,
    indexes: [first = 0],
  } of batches)
    expect(atMs - dueMs(segment, first)).toBeLessThanOrEqual(5);
});

test('slow acknowledgements make batches larger, not the rate lower', async () => {
  const segment = { fromIndex: 0, startMs: START, rate: 1_000 };
  const { indexes, batches } = await run({ segment, endMs: START + 10_000 }, 400);
  expect(indexes).toEqual(range(0, indexes.length));
  expect(indexes.length).toBeGreaterThan(9_500);
  expect(batches.length).toBeLessThan(30);
});

test('after an outage of the broker what had become due goes out, nothing is skipped', async () => {
  const segment = { fromIndex: 0, startMs: START, rate: 1_000 };
  const clock = virtualClock();
  let outage = 7_000;
  const sizes: number[] = [];
  const write = async (messages: readonly unknown[]): Promise<boolean> => {
    sizes.push(messages.length);
    if (clock.nowMs() > START + 1_000) {
      clock.pass(outage);
      outage = 0;
    }
    return true;
  };
  const { sent } = await run({ segment, endMs: START + 9_000, clock, write });
  expect(sent.nextIndex).toBe(sizes.reduce((sum, size) => sum + size, 0));
  expect(Math.abs(sent.nextIndex - 9_000)).toBeLessThan(10);
  expect(Math.max(...sizes)).toBe(3_000);
});

test('history goes out without waiting, and ends at its count', async () => {
  const segment = { fromIndex: 0, startMs: START - 86_400_000, rate: 1_000 };
  const { indexes, nowMs } = await run({ segment, paced: false, endIndex: 10_001 });
  expect(indexes).toEqual(range(0, 10_001));
  expect(nowMs).toBe(START);
});

test('a count ends a paced segment too', async () => {
  const { indexes } = await run({ segment: { fromIndex: 0, startMs: START, rate: 1_000 }, endIndex: 2_345 });
  expect(indexes).toEqual(range(0, 2_345));
});

test('a batch that was given up is not counted as sent', async () => {
  const segment = { fromIndex: 0, startMs: START, rate: 1_000 };
  let batches = 0;
  const write = async (): Promise<boolean> => ++batches < 4;
  const { sent } = await run({ segment, endMs: START + 60_000, write });
  expect(batches).toBe(4);
  expect(sent.unconfirmed).toBeGreaterThan(0);
  expect(dueThrough(segment, START + 20)).toBeGreaterThanOrEqual(sent.nextIndex + sent.unconfirmed);
});

test('the batch in hand is seen through when the sending is asked to stop', async () => {
  const segment = { fromIndex: 0, startMs: START, rate: 1_000 };
  const stop = new AbortController();
  const sizes: number[] = [];
  const write = async (messages: readonly unknown[]): Promise<boolean> => {
    sizes.push(messages.length);
    if (sizes.length === 3) stop.abort();
    return true;
  };
  const { sent } = await run({ segment, signal: stop.signal, write });
  expect(sizes).toHaveLength(3);
  expect(sent).toMatchObject({ nextIndex: sizes.reduce((sum, size) => sum + size, 0), unconfirmed: 0 });
});

test('the meter shows the rate of the last five seconds', () => {
  const meter = createRateMeter(START);
  expect(meter.perSecond(START)).toEqual({ messages: 0, bytes: 0 });
  for (let ms = 100; ms <= 10_000; ms += 100) {
    meter.add(ms <= 5_000 ? { messages: 50, bytes: 10_000 } : { messages: 10, bytes: 2_500 }, START + ms);
  }
  expect(meter.perSecond(START + 10_000)).toEqual({ messages: 100, bytes: 25_000 });
});
