// Workflows are found by topic, partition and window on a real server; where that cannot be, pipelines run without.
import { randomBytes } from 'node:crypto';

import { Connection } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { ensureSearchAttributes, hasSearchAttributes } from '../../cli/search-attributes.ts';
import { startPipeline } from '../../cli/start-pipeline.ts';
import { openControl } from '../../cli/temporal-control.ts';
import type { Control } from '../../cli/temporal-control.ts';
import { closeWindowId, partitionId, pipelineId, windowsId } from '../../pipeline/ids.ts';
import { eventually } from '../support/eventually.ts';
import { PipelineWorld, eventsFrom, startWorker } from './pipeline-world.ts';
import type { TestWorker } from './pipeline-world.ts';

const servers = inject('servers');
let connection: Connection;
const controls: Control[] = [];

/** A client in a namespace of its own, where nothing is registered. */
async function freshNamespace(): Promise<Control> {
  const namespace = `sa-${randomBytes(4).toString('hex')}`;
  await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs('1 day') });
  const control = await openControl({ address: servers.temporalAddress, namespace });
  controls.push(control);
  await eventually(async () => (await control.client.workflow.count('')).count >= 0, {
    deadlineMs: 60_000,
    what: 'the namespace is known',
  });
  return control;
}

beforeAll(async () => {
  connection = await Connection.connect({ address: servers.temporalAddress });
});

afterAll(async () => {
  for (const control of controls) await control.close();
  await connection.close();
});

describe('search attributes', { timeout: 180_000 }, () => {
  test('are registered where they are missing, and are usable then', async () => {
    const control = await freshNamespace();
    expect(await hasSearchAttributes(control.client)).toBe(false);
    expect(await ensureSearchAttributes(control.client)).toBeNull();
    expect(await hasSearchAttributes(control.client)).toBe(true);
    expect(await ensureSearchAttributes(control.client)).toBeNull();
    const spec = { ...SPEC, topic: 'orders' };
    expect(await startPipeline(control, spec)).toMatchObject({ outcome: 'started', note: null });
    await eventually(async () => (await idsOf(control.client, "WeirTopic = 'orders'")).includes(pipelineId('orders')), {
      deadlineMs: 30_000,
      what: 'the pipeline is found by its topic',
    });
    await control.client.workflow.getHandle(pipelineId('orders')).terminate();
  });

  test('of another type are left alone: one sentence says so, and the pipeline starts without', async () => {
    const control = await freshNamespace();
    const { namespace } = control.client.options;
    const keyword = 2;
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: { WeirPartition: keyword } });
    await eventually(
      async () => {
        const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
        return customAttributes?.['WeirPartition'] !== undefined;
      },
      { deadlineMs: 30_000, what: 'the other attribute is there' },
    );
    const { outcome, note } = await startPipeline(control, SPEC);
    expect(outcome).toBe('started');
    expect(note).toMatch(
      /^Workflows cannot be searched for .*WeirPartition of namespace .* is not of type INT; .*`temporal operator search-attribute create --name WeirTopic --type Keyword/,
    );
    const handle = control.client.workflow.getHandle(pipelineId(SPEC.topic));
    expect((await handle.describe()).status.name).toBe('RUNNING');
    await handle.terminate();
  });
});

const SPEC = {
  topic: 'plain',
  schema: 'nobody',
  latenessMs: 1_000,
  idleAfterMs: 1_000,
  maxFutureMs: 1_000,
  amendHorizonMs: 1_000,
  amendIntervalMs: 1_000,
  retentionMs: null,
};

async function idsOf(client: Client, query: string): Promise<string[]> {
  const ids = new Set<string>();
  for await (const { workflowId } of client.workflow.list({ query })) ids.add(workflowId);
  return [...ids].toSorted();
}

describe('a pipeline that was started with them', { timeout: 300_000 }, () => {
  let worker: TestWorker;
  let world: PipelineWorld;

  beforeAll(async () => {
    worker = await startWorker(servers);
    world = await PipelineWorld.open(servers, worker.taskQueues, { options: { turnsPerRun: 2, leaseMs: 1_000 } });
  });
  afterAll(async () => {
    await world.close();
    await worker.drain();
  });

  test('hands them on to its children and to the runs they continue as: lists by topic, partition and window find them', async () => {
    const { topic } = world.spec;
    expect(await ensureSearchAttributes(world.client)).toBeNull();
    await world.client.workflow.start('runPipeline', {
      workflowId: pipelineId(topic),
      taskQueue: world.taskQueues.windows,
      args: [{ spec: world.spec, options: world.options }],
      typedSearchAttributes: [{ key: { name: 'WeirTopic', type: 'KEYWORD' }, value: topic }],
    });
    await world.send(eventsFrom('2026-11-01T10:00:00Z', 240));
    const of = async (rest: string): Promise<string[]> => await idsOf(world.client, `WeirTopic = '${topic}'${rest}`);
    await eventually(
      async () => {
        // The newest runs of what continues as new again and again.
        expect(await of(' AND WeirPartition = 1')).toEqual([partitionId(topic, 1)]);
        expect(
          (await world.client.workflow.count(`WeirTopic = '${topic}' AND WeirPartition = 1`)).count,
        ).toBeGreaterThan(2);
        expect(
          (await world.client.workflow.count(`WeirTopic = '${topic}' AND WorkflowType = 'runPipeline'`)).count,
        ).toBeGreaterThan(1);
        expect(await of('')).toEqual(expect.arrayContaining([pipelineId(topic), windowsId(topic)]));
        return true;
      },
      { deadlineMs: 120_000, what: 'every run is found by topic and partition' },
    );
    const closes = await eventually(
      async () => {
        const found = await of(" AND WeirWindow > '2026-11-01T10:00:00Z' AND WeirWindow <= '2026-11-02T00:00:00Z'");
        return found.length > 0 ? found : null;
      },
      { deadlineMs: 60_000, what: 'closes are found by their window' },
    );
    expect(closes[0]).toMatch(new RegExp(`^${closeWindowId(topic, '2026-11-01T1')}`));
    expect(await of(" AND WeirWindow > '2030-01-01T00:00:00Z'")).toEqual([]);
  });

  test('tells people in the Web UI what each workflow is', async () => {
    const { topic } = world.spec;
    // Of the first run: Temporal hands these words to no run that another one continues as.
    const query = `WeirTopic = '${topic}' AND WorkflowType = 'closeWindow'`;
    const close = await eventually(async () => (await idsOf(world.client, query))[0], {
      deadlineMs: 60_000,
      what: 'a window has closed',
    });
    const described = await world.client.workflow.getHandle(close).describe();
    expect(await described.staticSummary()).toMatch(/^close event time \S+ to 2026-11-01T1/);
    expect(await described.staticDetails()).toMatch(/^Closes event time of topic .* older events are late/);
  });
});
