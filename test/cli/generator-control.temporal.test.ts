// What people are told about a generator: with nobody to work on it, and when they name none that runs.
import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';

import { NO_WORKER, generatorNamed, generatorReport } from '../../cli/running-generators.ts';
import { openControl } from '../../cli/temporal-control.ts';
import type { Control } from '../../cli/temporal-control.ts';
import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { generatorId } from '../../pipeline/ids.ts';
import { freshTopic, withWorker } from '../generator/generator-world.ts';
import { eventually } from '../support/eventually.ts';

const PATIENCE_MS = 100_000;
vi.setConfig({ testTimeout: 2 * PATIENCE_MS });

let control: Control;
beforeAll(async () => {
  control = await openControl({ address: inject('servers').temporalAddress, namespace: 'default' });
}, PATIENCE_MS);
afterAll(() => control.close());

/** A generator on a task queue that nobody polls yet. */
async function startUnattended(): Promise<{ name: string; queue: string; id: string }> {
  const name = `lone-${randomUUID()}`;
  const [queue, id] = [name, generatorId(name)];
  const spec = createGeneratorSpec({ name, topic: await freshTopic(), rate: 50, count: 5_000 });
  const taskQueues = { ingest: queue, windows: queue, generator: queue };
  const args = [{ spec, options: { leaseMs: 1_500, heartbeatTimeoutMs: 3_000, taskQueues } }];
  await control.client.workflow.start('generateEvents', { workflowId: id, taskQueue: queue, args, memo: { spec } });
  return { name, queue, id };
}

test('without a worker a report says so and guesses nothing, and an order is refused with what to do', async () => {
  const { name, queue, id } = await startUnattended();
  const seen = await generatorReport(control, id);
  expect(seen).toMatchObject({ phase: NO_WORKER, acknowledged: null, count: 5_000, behindMs: null, target: 0 });
  expect(seen?.message).toMatch(/^No worker answers for it; start one with/);
  const target = await generatorNamed(control, name);
  await expect(control.update(target, 'stop', { withinMs: 1_000 })).rejects.toThrow(
    `The generator ${name} does not answer: most likely no worker is up; start one with \`weir worker\` or \`weir up\`. What was asked may be done then.`,
  );
  await withWorker(queue, async () => {
    await control.update(target, 'stop', { withinMs: PATIENCE_MS }).catch(() => {});
    const ended = async (): Promise<boolean> =>
      (await generatorReport(control, id, { orDid: true, withinMs: PATIENCE_MS }))?.phase === 'stopped';
    await eventually(ended, { deadlineMs: PATIENCE_MS, what: 'the end of what was asked to stop' });
  });
});

test('who names no generator that runs is told which ones do', async () => {
  const { name, id } = await startUnattended();
  const listed = async (): Promise<boolean> =>
    (await generatorNamed(control, `none-${name}`)).startHint.startsWith('say with --name which is meant: ');
  await eventually(listed, { deadlineMs: PATIENCE_MS, what: 'the generator in the list of what runs' });
  const target = await generatorNamed(control, `none-${name}`);
  await expect(control.update(target, 'stop')).rejects.toThrow(
    /^The generator none-lone-\S+ does not run; say with --name which is meant: \S+.*\.$/,
  );
  await control.client.workflow.getHandle(id).terminate();
});
