// Generators on a real Temporal server and a real broker: every index once, whatever people ask and whichever process dies.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { expect, inject, test } from 'vitest';

import { createMessageMaker } from '../../generator/produced-message.ts';
import { openTopicObserver } from '../../kafka/topics.ts';
import type { GeneratorState } from '../../workflows/generator-state.ts';
import { eventually } from '../support/eventually.ts';
import { brokers, indexesOf, readWholeTopic, startGenerator, withWorker } from './generator-world.ts';
import type { GeneratorWorld } from './generator-world.ts';

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
  await eventually(held, { deadlineMs: 40_000, what: `${messages} messages in ${spec.topic}` });
  await observer.close();
}

const range = (to: number): number[] => Array.from({ length: to }, (_, index) => index);
const inOrder = (indexes: Iterable<number>): number[] => [...indexes].toSorted((one, other) => one - other);

test('rate changes, pauses and a stop leave no gap and make no message twice', async () => {
  const world = await startGenerator({ rate: 200 });
  const stopped = await withWorker(world.queue, async () => {
    await untilTopicHolds(world, 200);
    expect(await setRate(world, 2_000)).toMatchObject({ rate: 2_000, segment: { rate: 2_000 } });
    await untilTopicHolds(world, 2_000);
    const paused = await update(world, 'pause');
    expect(paused.phase).toBe('paused');
    expect(await readWholeTopic(world.spec.topic)).toHaveLength(paused.nextIndex);
    const resumed = await update(world, 'resume');
    expect(resumed).toMatchObject({ phase: 'running', segment: { fromIndex: paused.nextIndex } });
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
    const rate = async (): Promise<boolean> => (await world.handle.query<GeneratorState>('state')).segment.rate === 700;
    await eventually(rate, { deadlineMs: 30_000, what: 'the new rate' });
    await update(world, 'stop');
    return await world.handle.result();
  });
  const messages = await readWholeTopic(world.spec.topic);
  const indexes = indexesOf(world.spec, messages, stopped.nextIndex);
  expect(inOrder(indexes.values())).toEqual(range(stopped.nextIndex));
  expect(stopped.segment.rate).toBe(700);
}, 120_000);

test('a count ends the generator, through several runs of its workflow', async () => {
  const options = { turnsPerRun: 2, leaseMs: 600 };
  const world = await startGenerator({ rate: 1_000, count: 3_000 }, options);
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
