// Schedules of generators on a real Temporal server: kept, listed, paused, triggered, removed, and what happens when runs overlap.
import { randomUUID } from 'node:crypto';

import type { ScheduleOptions } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';

import { pauseSchedule, removeSchedule, resumeSchedule, triggerSchedule } from '../../cli/generator-schedule-list.ts';
import { createSchedule, scheduleOptions } from '../../cli/generator-schedule.ts';
import { describeSchedule, explainSchedule, listSchedules } from '../../cli/generator-schedules.ts';
import type { OverlapName } from '../../cli/generator-schedules.ts';
import { generatorNamed, generatorReport } from '../../cli/running-generators.ts';
import { ensureSearchAttributes } from '../../cli/search-attributes.ts';
import { openControl } from '../../cli/temporal-control.ts';
import type { Control } from '../../cli/temporal-control.ts';
import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import type { GeneratorSpec } from '../../generator/generator-spec.ts';
import { openLog } from '../../observability/log.ts';
import { generatorId } from '../../pipeline/ids.ts';
import { bundleOfSources } from '../../workers/workflow-bundle.ts';
import type { GeneratorState } from '../../workflows/generator-state.ts';
import { eventually } from '../support/eventually.ts';
import { freshTopic, indexesOf, readWholeTopic, withWorker } from './generator-world.ts';

const PATIENCE_MS = 100_000;
vi.setConfig({ testTimeout: 2 * PATIENCE_MS });

const ONCE = { timeZone: 'UTC', overlap: 'skip', catchUp: 60_000 } as const;
let control: Control;
const made: string[] = [];

beforeAll(async () => {
  const open = async (): Promise<Control> =>
    await openControl({ address: inject('servers').temporalAddress, namespace: 'default' });
  control = await eventually(open, { deadlineMs: PATIENCE_MS, what: 'an answer of Temporal' });
  await ensureSearchAttributes(control.client);
  // Made here, so that no test waits for it.
  await bundleOfSources({ log: openLog({ name: 'schedules', level: 'silent' }), signal: new AbortController().signal });
}, 6 * PATIENCE_MS);

afterAll(async () => {
  await Promise.all(made.map(async (name) => await removeSchedule(control, name).catch(() => {})));
  await control.close();
}, PATIENCE_MS);

type Flags = Parameters<typeof scheduleOptions>[2];

/** A schedule with a name, a topic and a task queue of the test's own, made as the command makes it. */
async function schedule(given: Partial<Flags>): Promise<{ name: string; queue: string; spec: GeneratorSpec }> {
  const name = `night-${randomUUID()}`;
  const queue = `generator-${randomUUID()}`;
  const topic = await freshTopic();
  const options = scheduleOptions(topic, name, { ...ONCE, ...given });
  await createSchedule(control, onQueue(options, queue), topic);
  made.push(name);
  const spec = createGeneratorSpec({ topic, name });
  return { name, queue, spec };
}

function onQueue(options: ScheduleOptions, queue: string): ScheduleOptions {
  const taskQueues = { ingest: queue, windows: queue, generator: queue };
  const { action } = options;
  const [input] = action.args ?? [];
  const args = [{ ...Object(input), options: { leaseMs: 1_500, heartbeatTimeoutMs: 3_000, taskQueues } }];
  return { ...options, action: { ...action, taskQueue: queue, args } };
}

const statusOf = async (workflowId: string): Promise<string> =>
  (await control.client.workflow.getHandle(workflowId).describe()).status.name;
const untilStatus = async (workflowId: string, status: string): Promise<boolean> =>
  await eventually(async () => (await statusOf(workflowId)) === status, {
    deadlineMs: PATIENCE_MS,
    what: `${workflowId} is ${status}`,
  });
const report = async (name: string) => await describeSchedule(control, generatorId(name));

/** The workflow that a trigger started. */
async function trigger(name: string): Promise<string> {
  await triggerSchedule(control, name);
  const newest = async (): Promise<string | undefined> => (await report(name)).lastRuns[0]?.workflowId;
  const workflowId = await eventually(newest, { deadlineMs: PATIENCE_MS, what: `a run of ${name}` });
  expect(workflowId).toMatch(new RegExp(`^generator/${name}-\\d{4}-\\d\\d-\\d\\dT`));
  return workflowId;
}

test('a schedule says when it runs next, in its time zone, what it makes, and under which rules', async () => {
  const { name, spec } = await schedule({
    cron: '30 2 * * *',
    timeZone: 'Asia/Kolkata',
    for: 600_000,
    rate: 50,
    profile: 'burst',
    seed: 7,
  });
  const found = await report(name);
  expect(found).toMatchObject({
    name,
    when: 'cron 30 2 * * * in Asia/Kolkata',
    spec: { topic: spec.topic, rate: 50, profile: 'burst', forMs: 600_000, seed: 7 },
    seed: 7,
    overlap: 'skip',
    catchUpMs: 60_000,
    paused: false,
    note: `50/s, burst, for 10m, into topic ${spec.topic}; cron 30 2 * * * in Asia/Kolkata; seed 7 each run`,
    runs: 0,
  });
  expect(found.nextRuns[0]).toMatch(/T21:00:00Z$/);
  const listed = await eventually(async () => (await listSchedules(control)).find((each) => each.name === name), {
    deadlineMs: PATIENCE_MS,
    what: 'the schedule in the list',
  });
  expect(listed).toEqual(await report(name));
});

test('a paused schedule has no next run until it is resumed, and its note says why and what it is for', async () => {
  const { name } = await schedule({ every: 3_600_000, count: 10 });
  const { note } = await report(name);
  await pauseSchedule(control, name);
  expect(await report(name)).toMatchObject({
    paused: true,
    nextRuns: [],
    note: `${note}; paused with weir generator schedule pause`,
  });
  expect((await resumeSchedule(control, name)).message).toMatch(/next: \d{4}-/);
  expect(await report(name)).toMatchObject({ paused: false, note });
});

test('a removed schedule is gone, and what is asked of it then is answered in words', async () => {
  const { name } = await schedule({ every: 3_600_000, count: 10 });
  await removeSchedule(control, name);
  const failure = explainSchedule(await report(name).catch((thrown: unknown) => thrown), name);
  expect(failure).toMatchObject({ message: expect.stringContaining(`There is no schedule ${name}`) });
});

test.each([
  ['a cron line that is none', { cron: 'at noon' }, /cron/i],
  ['a minute that is none', { cron: '61 * * * *' }, /minute/i],
  ['a time zone that is none', { cron: '@hourly', timeZone: 'Mars/North' }, /time zone Mars/],
])('%s is refused in words', async (_what, when, words) => {
  const refused = await schedule({ ...when, count: 10 }).catch((thrown: unknown) => thrown);
  expect(refused).toMatchObject({ message: expect.stringMatching(/^Temporal does not take this schedule: /) });
  expect(refused).toMatchObject({ message: expect.stringMatching(words) });
});

test('a triggered run makes exactly as many events as its count says, with a seed of its own that it tells', async () => {
  const { name, queue, spec } = await schedule({ every: 86_400_000, count: 700, rate: 500 });
  await withWorker(queue, async () => {
    const workflowId = await trigger(name);
    const state: GeneratorState = await control.client.workflow.getHandle(workflowId).result();
    expect(state).toMatchObject({ phase: 'finished', nextIndex: 700, name });
    const { startTime } = await control.client.workflow.getHandle(workflowId).describe();
    expect(Math.abs(Number(state.seed) - startTime.getTime())).toBeLessThan(10_000);
    const messages = await readWholeTopic(spec.topic);
    expect(messages).toHaveLength(700);
    const indexes = [...indexesOf({ ...spec, seed: Number(state.seed) }, messages, 700).values()];
    expect(indexes.toSorted((one, other) => one - other)).toEqual(Array.from({ length: 700 }, (_, index) => index));
    expect((await report(name)).lastRuns).toMatchObject([{ workflowId, status: 'completed' }]);
  });
});

test('a run is found by its topic, like a generator that was started by hand', async () => {
  const { name, spec } = await schedule({ every: 86_400_000, count: 10 });
  const workflowId = await trigger(name);
  const idsOfTopic = async (): Promise<string[]> => {
    const ids: string[] = [];
    const query = `WeirTopic = '${spec.topic}'`;
    for await (const one of control.client.workflow.list({ query })) ids.push(one.workflowId);
    return ids;
  };
  const found = async (): Promise<string[] | false> => {
    const ids = await idsOfTopic();
    return ids.length > 0 && ids;
  };
  const ids = await eventually(found, { deadlineMs: 30_000, what: `the topic of ${workflowId} in the list` });
  expect(ids).toEqual([workflowId]);
  await cleanUp(name);
});

test('a run is found by the name of its schedule, tells what it does, and can be stopped by that name', async () => {
  const { name, queue } = await schedule({ every: 86_400_000, for: 3_600_000, rate: 100, seed: 3 });
  await withWorker(queue, async () => {
    const workflowId = await trigger(name);
    const seen = await eventually(
      async () => {
        const target = await generatorNamed(control, name);
        const found = await generatorReport(control, target.id);
        // Between two leases nobody sends, and no target is told.
        return found !== null && Number(found.acknowledged) > 100 && found.target > 0 ? found : null;
      },
      { deadlineMs: PATIENCE_MS, what: 'a report of a run that sends' },
    );
    expect(seen).toMatchObject({ id: workflowId, phase: 'running', seed: 3, rate: 100, errors: {}, trouble: null });
    expect(seen.target).toBe(100);
    expect(seen.bytesPerSecond).toBeGreaterThan(100);
    await control.update(await generatorNamed(control, name), 'stop', { withinMs: PATIENCE_MS });
    await untilStatus(workflowId, 'COMPLETED');
  });
});

/** Temporal names a run by the second in which it is due: another of the same second would have the same name. */
async function nextSecond(workflowId: string): Promise<void> {
  const dueMs = Date.parse(workflowId.slice(-20));
  const passed = (): boolean => Date.now() > dueMs + 1_100;
  await eventually(passed, { deadlineMs: PATIENCE_MS, what: `a second after ${workflowId}` });
}

/** Removes the schedule, then ends what it started. */
async function cleanUp(name: string): Promise<void> {
  const { lastRuns } = await report(name);
  await removeSchedule(control, name);
  for (const { workflowId } of lastRuns) {
    await control.client.workflow
      .getHandle(workflowId)
      .terminate()
      .catch(() => {});
  }
}

const OVERLAPPING: [OverlapName, { first: string; runs: number; skippedByOverlap: number }][] = [
  ['skip', { first: 'RUNNING', runs: 1, skippedByOverlap: 1 }],
  ['allow-all', { first: 'RUNNING', runs: 2, skippedByOverlap: 0 }],
  ['cancel-other', { first: 'CANCELLED', runs: 2, skippedByOverlap: 0 }],
  ['terminate-other', { first: 'TERMINATED', runs: 2, skippedByOverlap: 0 }],
];

test.each(OVERLAPPING)('a run that is due while the last one goes on: %s', async (overlap, { first, ...counts }) => {
  const { name, queue } = await schedule({ every: 86_400_000, for: 3_600_000, rate: 20, overlap });
  await withWorker(queue, async () => {
    const workflowId = await trigger(name);
    await nextSecond(workflowId);
    await triggerSchedule(control, name);
    const counted = async (): Promise<boolean> => {
      const { runs, skippedByOverlap } = await report(name);
      return runs === counts.runs && skippedByOverlap === counts.skippedByOverlap;
    };
    await eventually(counted, { deadlineMs: PATIENCE_MS, what: JSON.stringify(counts) });
    await untilStatus(workflowId, first);
    const newest = (await report(name)).lastRuns[0]?.workflowId ?? '';
    expect(await statusOf(newest)).toBe('RUNNING');
    await cleanUp(name);
  });
});

test('with buffer-one a run that is due too early begins when the last one ends', async () => {
  const { name, queue } = await schedule({ every: 86_400_000, for: 3_600_000, rate: 20, overlap: 'buffer-one' });
  await withWorker(queue, async () => {
    const workflowId = await trigger(name);
    await nextSecond(workflowId);
    expect(await triggerSchedule(control, name)).toMatchObject({ workflowId: null });
    expect(await report(name)).toMatchObject({ runs: 1, skippedByOverlap: 0 });
    await control.update(await generatorNamed(control, name), 'stop', { withinMs: PATIENCE_MS });
    await eventually(async () => (await report(name)).runs === 2, { deadlineMs: PATIENCE_MS, what: 'the second run' });
    await cleanUp(name);
  });
});
