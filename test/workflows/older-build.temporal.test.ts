// A roll-out on real servers: runs that one build began go on under the other, or wait for the one that knows them, and nothing is lost.
import type { Client } from '@temporalio/client';
import { beforeAll, describe, expect, inject, it } from 'vitest';

import { partitionId, pipelineId } from '../../pipeline/ids.ts';
import { PATCHES } from '../../workflows/patches.ts';
import { eventually } from '../support/eventually.ts';
import { bundleOlderBuild } from './older-build.ts';
import { eventsFrom, freshTaskQueues, inWorld, startWorker } from './pipeline-world.ts';
import type { PipelineWorld } from './pipeline-world.ts';

const DAY = '2026-11-01T10:00:00.000Z';
const WITHIN_MS = 90_000;

type Told = { readonly done: number; readonly failed: readonly string[]; readonly markers: readonly string[] };

/** What the history of a run tells: workflow tasks done, why others failed, and the patches that were recorded. */
async function historyOf(client: Client, id: string, runId: string): Promise<Told> {
  const { events = [] } = await client.workflow.getHandle(id, runId).fetchHistory();
  const all = events ?? [];
  return {
    done: all.filter((event) => event.workflowTaskCompletedEventAttributes).length,
    failed: all.flatMap((event) => {
      const failed = event.workflowTaskFailedEventAttributes;
      return failed ? [String(failed.failure?.message)] : [];
    }),
    markers: all.flatMap((event) => {
      const details = event.markerRecordedEventAttributes?.details?.['patch-data']?.payloads?.[0]?.data;
      return details ? [String(JSON.parse(Buffer.from(details).toString()).id)] : [];
    }),
  };
}

async function runOf(world: PipelineWorld): Promise<{ id: string; runId: string; status: string }> {
  const id = partitionId(world.spec.topic, 0);
  const { runId, status } = await world.client.workflow.getHandle(id).describe();
  return { id, runId, status: status.name };
}

describe.concurrent('two builds on the same queues', { timeout: 240_000 }, () => {
  const servers = inject('servers');
  let older: { code: string };
  beforeAll(async () => {
    older = await bundleOlderBuild();
  });

  it('a run that the older build began goes on under the newer one, without the patch', async () => {
    const taskQueues = freshTaskQueues();
    await inWorld({ servers, taskQueues, partitions: 1, options: { leaseMs: 2_000 } }, async (world) => {
      const first = await startWorker(servers, taskQueues, older);
      await world.start();
      await world.send(eventsFrom(DAY, 40));
      await world.untilIngested(40);
      const { id, runId } = await runOf(world);
      const before = await historyOf(world.client, id, runId);
      await first.drain();
      const second = await startWorker(servers, taskQueues);
      await world.send(eventsFrom(DAY, 40));
      await world.untilIngested(80);
      const tasksGoOn = async (): Promise<boolean> => (await historyOf(world.client, id, runId)).done > before.done + 3;
      await eventually(tasksGoOn, { deadlineMs: WITHIN_MS, what: 'the newer build carries the run on' });
      const after = await historyOf(world.client, id, runId);
      expect(await runOf(world)).toEqual({ id, runId, status: 'RUNNING' });
      expect(after).toMatchObject({ failed: [], markers: [] });
      expect(await world.count('events')).toBe(80);
      await second.drain();
    });
  });

  it('a run that the newer build began waits, unharmed, until a newer worker is back; ingestion goes on', async () => {
    const taskQueues = freshTaskQueues();
    await inWorld({ servers, taskQueues, partitions: 1, options: { leaseMs: 2_000 } }, async (world) => {
      const newer = await startWorker(servers, taskQueues);
      await world.start();
      await world.send(eventsFrom(DAY, 40));
      await world.untilIngested(40);
      const { id, runId } = await runOf(world);
      await newer.drain();
      const beside = await startWorker(servers, taskQueues, older);
      // Only the older build is there: it cannot go on with the run, and says so in the run's history.
      const refused = await eventually(
        async () => (await historyOf(world.client, id, runId)).failed.find((message) => message.includes('TMPRL1100')),
        { deadlineMs: WITHIN_MS, what: 'the older build refuses the run' },
      );
      expect(refused).toMatch(/[Nn]ondeterminism/);
      expect(await runOf(world)).toEqual({ id, runId, status: 'RUNNING' });
      const again = await startWorker(servers, taskQueues);
      for (let batch = 1; batch <= 5; batch += 1) {
        await world.send(eventsFrom(DAY, 20));
        await world.untilIngested(40 + batch * 20);
      }
      expect(await runOf(world)).toEqual({ id, runId, status: 'RUNNING' });
      expect((await historyOf(world.client, id, runId)).markers).toEqual([PATCHES.shortRuns, PATCHES.tellFailures]);
      // Each message once, and the pipeline above it never noticed more than a wait.
      expect(await world.count('events')).toBe(140);
      // A query that reaches the older build finds it unable to answer.
      const pipeline = await eventually(async () => await world.state(pipelineId(world.spec.topic)), {
        deadlineMs: WITHIN_MS,
        what: 'the newer build answers for the pipeline',
      });
      expect(pipeline).toMatchObject({ phase: 'running', restarts: 0 });
      await Promise.all([beside.drain(), again.drain()]);
    });
  });
});
