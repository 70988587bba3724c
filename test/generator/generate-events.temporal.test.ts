// Generators on a real Temporal server and a real broker: every index once, whatever people ask and whichever process dies.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { expect, inject, test, vi } from 'vitest';

import { createMessageMaker } from '../../generator/produced-message.ts';
import { openTopicObserver } from '../../kafka/topics.ts';
import type { GeneratorState } from '../../workflows/generator-state.ts';
import { eventually } from '../support/eventually.ts';
import { brokers, indexesOf, readWholeTopic, startGenerator, withWorker } from './generator-world.ts';
import type { GeneratorWorld } from './generator-world.ts';

/** A worker's process takes its time to start where others are at work. */
const PATIENCE_MS = 100_000;
vi.setConfig({ testTimeout: 2 * PATIENCE_MS });

const update = async ({ handle }: GeneratorWorld, name: 'pause' | 'resume' | 'stop'): Promise<GeneratorState> =>
  await handle.executeUpdate<GeneratorState, []>(name);
const setRate = async ({ handle }: GeneratorWorld, rate: number): Promise<GeneratorState> =>
  await handle.executeUpdate<GeneratorState, [number]>('setRate', { args: [rate] });

/** Waits until the topic holds at least so many messages. */
async function untilTopicHolds({ spec }: GeneratorWorld, messages: number): Promise<void> {
  const observer = await openTopicObserver({ brokers: brokers(), topic: spec.topic });
  const held = async (): Promise<boolean> => {
    const offsets = await observer.offsets();
    return offsets.reduce((sum, { endOffset }) => sum + endOffset, 0) >= messages;
  };
  await eventually(held, { deadlineMs: PATIENCE_MS, what: `${messages} messages in ${spec.topic}` });
  await observer.close();
}

/** The answer to an Update may come before what it asked for is true: it does not wait for long. */
async function untilState(
  { handle }: GeneratorWorld,
  holds: (state: GeneratorState) => boolean,
): Promise<GeneratorState> {
  const look = async (): Promise<GeneratorState | null> => {
    const state = await handle.query<GeneratorState>('state');
    return holds(state) ? state : null;
  };
  return await eventually(look, { deadlineMs: PATIENCE_MS, what: `a state that fulfils ${holds.toString()}` });
}

const range = (to: number): number[] => Array.from({ length: to }, (_, index) => index);
const inOrder = (indexes: Iterable<number>): number[] => [...indexes].toSorted((one, other) => one - other);

test('rate changes, pauses and a stop leave no gap and make no message twice', async () => {
  const world = await startGenerator({ rate: 200 });
  const stopped = await withWorker(world.queue, async () => {
    await untilTopicHolds(world, 200);
    expect(await setRate(world, 2_000)).toMatchObject({ rate: 2_000 });
    await untilState(world, ({ segment }) => segment.rate === 2_000);
    await untilTopicHolds(world, 2_000);
    await update(world, 'pause');
    const paused = await untilState(world, ({ phase }) => phase === 'paused');
    expect(await readWholeTopic(world.spec.topic)).toHaveLength(paused.nextIndex);
    await update(world, 'resume');
    const resumed = await untilState(world, ({ phase }) => phase === 'running');
    expect(resumed.segment.fromIndex).toBe(paused.nextIndex);
    await untilTopicHolds(world, paused.nextIndex + 1_000);
    await update(world, 'stop');
    return await world.handle.result();
  });
  expect(stopped.phase).toBe('stopped');
  const messages = await readWholeTopic(world.spec.topic);
  expect(messages).toHaveLength(stopped.nextIndex);
  expect(inOrder(indexesOf(world.spec, messages, stopped.nextIndex).values())).toEqual(range(stopped.nextIndex));
});

test('a rate that is none is refused, and the generator goes on', async () => {
  const world = await startGenerator({ rate: 100 });
  await withWorker(world.queue, async () => {
    await expect(setRate(world, 0)).rejects.toMatchObject({
      cause: { message: 'Rate 0 must be above 0 and at most 1000000 messages per second; pause stops the flow.' },
    });
    await untilTopicHolds(world, 50);
    await update(world, 'stop');
  });
});

test('a worker that leaves hands over to the next without a gap', async () => {
  const world = await startGenerator({ rate: 1_000 }, { leaseMs: 60_000 });
  await withWorker(world.queue, async () => await untilTopicHolds(world, 1_000));
  const afterFirst = (await readWholeTopic(world.spec.topic)).length;
  const stopped = await withWorker(world.queue, async () => {
    await untilTopicHolds(world, afterFirst + 1_000);
    await update(world, 'stop');
    return await world.handle.result();
  });
  const messages = await readWholeTopic(world.spec.topic);
  expect(messages).toHaveLength(stopped.nextIndex);
  expect(inOrder(indexesOf(world.spec, messages, stopped.nextIndex).values())).toEqual(range(stopped.nextIndex));
});

test('a worker that is killed leaves no gap, and what is sent again carries the same event ids', async () => {
  const world = await startGenerator({ rate: 500 }, { leaseMs: 60_000, heartbeatTimeoutMs: 2_000 });
  const { temporalAddress: address, kafkaBrokers } = inject('servers');
  const program = fileURLToPath(new URL('run-worker.ts', import.meta.url));
  const place = JSON.stringify({ queue: world.queue, address, kafkaBrokers });
  const doomed = spawn(process.execPath, ['--import', 'tsx', program, place], { stdio: 'ignore' });
  await untilTopicHolds(world, 1_000);
  doomed.kill('SIGKILL');
  const before = (await readWholeTopic(world.spec.topic)).length;
  const stopped = await withWorker(world.queue, async () => {
    await untilTopicHolds(world, before + 500);
    await setRate(world, 700);
    // Only when all that the killed worker may have sent is made once more does the new rate begin.
    await untilState(world, ({ segment }) => segment.rate === 700);
    await update(world, 'stop');
    return await world.handle.result();
  });
  const messages = await readWholeTopic(world.spec.topic);
  const indexes = indexesOf(world.spec, messages, stopped.nextIndex);
  expect(inOrder(indexes.values())).toEqual(range(stopped.nextIndex));
  expect(stopped.segment.rate).toBe(700);
  // What came twice is the same to the byte: else it would be two events.
  expect(new Set(messages.map(({ value }) => String(value))).size).toBe(stopped.nextIndex);
});

test('several generators go on side by side in one process and one topic, and neither takes from the other', async () => {
  const one = await startGenerator({ rate: 300, count: 900, seed: 1 });
  const other = await startGenerator({ rate: 700, count: 2_100, seed: 2, topic: one.spec.topic });
  const results = await withWorker(one.queue, async () =>
    withWorker(other.queue, async () => await Promise.all([one.handle.result(), other.handle.result()])),
  );
  expect(results.map(({ phase, nextIndex }) => ({ phase, nextIndex }))).toEqual([
    { phase: 'finished', nextIndex: 900 },
    { phase: 'finished', nextIndex: 2_100 },
  ]);
  const messages = await readWholeTopic(one.spec.topic);
  expect(messages).toHaveLength(3_000);
  for (const { spec } of [one, other]) {
    const found = [...indexesOf(spec, messages, Number(spec.count)).values()].filter((index) => index >= 0);
    expect(inOrder(new Set(found))).toEqual(range(Number(spec.count)));
  }
});

test('a count ends the generator, through several runs of its workflow', async () => {
  const options = { turnsPerRun: 2, leaseMs: 600 };
  const world = await startGenerator({ rate: 200, count: 3_000 }, options);
  const result = await withWorker(world.queue, async () => await world.handle.result());
  expect(result).toMatchObject({ phase: 'finished', nextIndex: 3_000 });
  const first = await world.handle.fetchHistory();
  expect(first.events?.some((event) => event.workflowExecutionStartedEventAttributes?.continuedExecutionRunId)).toBe(
    true,
  );
  const messages = await readWholeTopic(world.spec.topic);
  expect(inOrder(indexesOf(world.spec, messages, 3_000).values())).toEqual(range(3_000));
});

test('history is made at once, with the bytes, keys and times that its seed and start time say', async () => {
  const given = { startTimeMs: Date.UTC(2026, 2, 1), count: 20_000, duplicates: 0.01, malformed: 0.01, late: 0.01 };
  const world = await startGenerator(given);
  const startedMs = Date.now();
  await withWorker(world.queue, async () => await world.handle.result());
  expect(Date.now() - startedMs).toBeLessThan(30_000);
  const segment = { fromIndex: 0, startMs: given.startTimeMs, rate: world.spec.rate };
  const expected = createMessageMaker(world.spec).messages(segment, 0, 20_000);
  const text = (key: string, value: Buffer | null, atMs: number): string =>
    `${atMs} ${key} ${String(value?.toString('latin1'))}`;
  const found = (await readWholeTopic(world.spec.topic)).map((message) =>
    text(String(message.key), message.value, message.timestampMs),
  );
  expect(found.toSorted()).toEqual(
    expected.map(({ key, value, timestampMs }) => text(key, value, timestampMs)).toSorted(),
  );
});

test('a generator that goes on for a time makes exactly what its profile lets fall due in that time', async () => {
  const given = { rate: 30, profile: 'burst', profileMs: 10_000, forMs: 10_000 } as const;
  const world = await startGenerator(given);
  const result = await withWorker(world.queue, async () => await world.handle.result());
  // A thirtieth of the time as usual, two at twenty times the rate, and the rest as usual.
  expect(result).toMatchObject({ phase: 'finished', timeOver: true, nextIndex: 10 + 400 + 270 });
  const messages = await readWholeTopic(world.spec.topic);
  expect(inOrder(indexesOf(world.spec, messages, 680).values())).toEqual(range(680));
  expect(messages).toHaveLength(680);
  const second = (nth: number): number => Number(result.startedMs) + nth * 1_000;
  const inBurst = messages.filter(({ timestampMs }) => timestampMs >= second(1 / 3) && timestampMs < second(1));
  expect(Math.abs(inBurst.length - 400)).toBeLessThan(20);
});

test('a stop, a pause and a new rate are answered within a second, each with what is then the case', async () => {
  const world = await startGenerator({ rate: 100 });
  await withWorker(world.queue, async () => {
    await untilTopicHolds(world, 100);
    const tookMs: number[] = [];
    const timed = async (ask: () => Promise<GeneratorState>): Promise<GeneratorState> => {
      const startedMs = performance.now();
      const state = await ask();
      tookMs.push(performance.now() - startedMs);
      return state;
    };
    const faster = await timed(async () => await setRate(world, 200));
    expect(faster).toMatchObject({ rate: 200, stopping: false });
    await timed(async () => await update(world, 'pause'));
    await timed(async () => await update(world, 'stop'));
    // The machine may be busy with something else for one of them, hardly for all.
    expect(Math.min(...tookMs)).toBeLessThan(1_000);
    expect(await world.handle.result()).toMatchObject({ phase: 'stopped' });
  });
});
