// One lease of a generator at a time: where it begins, how it ends, and what it tells meanwhile.
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';

import { createProduceEvents } from '../../activities/produce-events.ts';
import type { ProduceHeartbeat, ProduceInput, ProduceResult } from '../../activities/produce-events.ts';
import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { brokers, freshTopic, readWholeTopic } from '../generator/generator-world.ts';

async function freshInput(given: Partial<ProduceInput> = {}): Promise<ProduceInput> {
  const segment = { fromIndex: 0, startMs: Date.now(), rate: 1_000 };
  const spec = createGeneratorSpec({ topic: await freshTopic(), rate: 1_000 });
  return { spec, segment, fromIndex: 0, toIndex: null, leaseMs: 1_000, maxBehindMs: 300_000, ...given };
}

const metrics = openMetrics({ processMetrics: false }).generator;
const produce = createProduceEvents({ kafkaBrokers: brokers(), metrics });
const run = async (environment: MockActivityEnvironment, input: ProduceInput): Promise<ProduceResult> =>
  await environment.run(produce, input);

test('a lease sends what falls due while it lasts', async () => {
  const input = await freshInput();
  const result = await run(new MockActivityEnvironment(), input);
  expect(result).toMatchObject({ sent: result.nextIndex, unconfirmed: 0, reason: 'lease-over', trouble: null });
  expect(result.sent).toBeGreaterThan(900);
  expect(await readWholeTopic(input.spec.topic)).toHaveLength(result.sent);
});

test('a lease given twice sends the same bytes twice', async () => {
  const input = await freshInput({ toIndex: 300 });
  await run(new MockActivityEnvironment(), input);
  await run(new MockActivityEnvironment(), input);
  const values = (await readWholeTopic(input.spec.topic)).map(({ value }) => String(value));
  expect(values).toHaveLength(600);
  expect(new Set(values).size).toBe(300);
});

test('a lease goes on where its last heartbeat says that Kafka had acknowledged', async () => {
  const input = await freshInput({ toIndex: 300 });
  const heartbeatDetails = { nextIndex: 200, mayReachIndex: 9_000 };
  const result = await run(new MockActivityEnvironment({ heartbeatDetails }), input);
  expect(result).toMatchObject({ sent: 100, nextIndex: 300, unconfirmed: 0, reason: 'end-reached' });
  const expected = createMessageMaker(input.spec).messages(input.segment, 200, 300);
  const values = (await readWholeTopic(input.spec.topic)).map(({ value }) => String(value));
  expect(values.toSorted()).toEqual(expected.map(({ value }) => String(value)).toSorted());
});

test('what an attempt that died may have sent counts as unconfirmed until this one has sent it too', async () => {
  const heartbeatDetails = { nextIndex: 200, mayReachIndex: 9_000 };
  const early = await run(new MockActivityEnvironment({ heartbeatDetails }), await freshInput({ leaseMs: 300 }));
  expect(early.nextIndex).toBeGreaterThan(200);
  expect(early.unconfirmed).toBe(9_000 - early.nextIndex);
  const behind = { segment: { fromIndex: 0, startMs: Date.now() - 400_000, rate: 1_000 } };
  const none = await run(new MockActivityEnvironment({ heartbeatDetails }), await freshInput(behind));
  expect(none).toMatchObject({ nextIndex: 200, sent: 0, unconfirmed: 8_800, reason: 'behind-schedule' });
});

test('a lease that would begin minutes behind its schedule sends nothing', async () => {
  const segment = { fromIndex: 0, startMs: Date.now() - 301_000, rate: 1_000 };
  const result = await run(new MockActivityEnvironment(), await freshInput({ segment }));
  expect(result).toMatchObject({ nextIndex: 0, sent: 0, reason: 'behind-schedule' });
});

test('a lease whose worker shuts down ends at once, with everything acknowledged that it sent', async () => {
  const input = await freshInput({ leaseMs: 60_000 });
  const environment = new MockActivityEnvironment();
  environment.on('heartbeat', ({ nextIndex }: ProduceHeartbeat) => {
    if (nextIndex > 300) environment.cancel('WORKER_SHUTDOWN');
  });
  const result = await run(environment, input);
  expect(result).toMatchObject({ reason: 'drained', unconfirmed: 0 });
  expect(await readWholeTopic(input.spec.topic)).toHaveLength(result.nextIndex);
});

test('a lease that an operator pauses throws its cancellation instead of completing', async () => {
  const environment = new MockActivityEnvironment();
  const running = run(environment, await freshInput({ leaseMs: 60_000 }));
  environment.cancel('PAUSED', new ActivityCancellationDetails({ paused: true }));
  await expect(running).rejects.toThrow('PAUSED');
});

test('a heartbeat tells how far it is, at what rate, and how far behind', async () => {
  const heard: ProduceHeartbeat[] = [];
  const environment = new MockActivityEnvironment();
  environment.on('heartbeat', (details: ProduceHeartbeat) => heard.push(details));
  await run(environment, await freshInput({ leaseMs: 2_000 }));
  const last = heard.at(-1);
  expect(last?.rate).toBe(1_000);
  expect(last?.actualRate).toBeGreaterThan(800);
  expect(last?.behindMs).toBeLessThan(500);
  expect(last?.mayReachIndex).toBeGreaterThan((last?.nextIndex ?? 0) + 7_000);
});

test('while Kafka is away the schedule goes on: a heartbeat tells how late the next message is, and why', async () => {
  const heard: ProduceHeartbeat[] = [];
  const environment = new MockActivityEnvironment();
  const input = await freshInput({ leaseMs: 60_000 });
  const away = createProduceEvents({ kafkaBrokers: ['127.0.0.1:1'], metrics });
  environment.on('heartbeat', (details: ProduceHeartbeat) => {
    heard.push(details);
    if (details.behindMs > 1_500 && details.trouble !== null) environment.cancel('WORKER_SHUTDOWN');
  });
  const result: ProduceResult = await environment.run<[ProduceInput], ProduceResult, typeof away>(away, input);
  const last = heard.at(-1);
  expect(last).toMatchObject({ nextIndex: 0, actualRate: 0, targetRate: 1_000, bytesPerSecond: 0 });
  expect(last?.behindMs).toBeGreaterThan(1_500);
  expect(last?.trouble).toMatch(/127\.0\.0\.1:1/);
  expect(Object.values(last?.errors ?? {})[0]).toBeGreaterThan(0);
  // Nothing counts as sent that may not have come; what may have is said.
  expect(result).toMatchObject({ nextIndex: 0, sent: 0, reason: 'drained', trouble: expect.any(String) });
  expect(result.unconfirmed).toBeGreaterThan(0);
}, 100_000);
