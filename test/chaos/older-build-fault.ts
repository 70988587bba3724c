// A roll-out that goes back and forth: for a while one worker is of an older build, and meets workflows that a newer one began.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { WorkflowNotFoundError } from '@temporalio/client';

import { lettersId, offsetsId, partitionId, pipelineId, windowsId } from '../../pipeline/ids.ts';
import { eventually } from '../support/eventually.ts';
import { bundleOlderBuild } from '../workflows/older-build.ts';
import type { ChaosWorld } from './chaos-world.ts';
import { busiest } from './fault.ts';
import type { Fault, Injection } from './fault.ts';

const BESIDE_MS = 40_000;
const BEGINS_WITHIN_MS = 120_000;
const BEGIN_EVERY_MS = 5_000;
const POLLS_WITHIN_MS = 60_000;

/**
 * The worker that commits most is replaced by an older build. Then the other one starts anew as well, so that for some seconds
 * every workflow has only the older build to turn to. Once the older build has begun a run of its own too, both are of the
 * present build again.
 */
async function rollBackAndForth(world: ChaosWorld): Promise<Injection> {
  const bundlePath = await olderBundle(world);
  const { victim } = await busiest(world);
  await replace(victim, { bundlePath });
  const { pid } = victim;
  const startedMs = Date.now();
  for (const other of world.workers) if (other !== victim) await replace(other);
  let tasks = { done: 0, refused: 0 };
  do {
    await wait(BEGIN_EVERY_MS);
    tasks = await workflowTasks(world, `${pid}@`);
    if (tasks.done === 0) await endRun(world);
  } while (Date.now() - startedMs < (tasks.done === 0 ? BEGINS_WITHIN_MS : BESIDE_MS));
  const commits = (await victim.commits()) ?? 0;
  await replace(victim);
  return {
    hit: commits > 0 && tasks.done > 0 && tasks.refused > 0,
    endedAtMs: Date.now(),
    detail: `${victim.name}: ${commits} commits, ${tasks.done} workflow tasks done, ${tasks.refused} left to the newer build`,
  };
}

/**
 * The runs of the present build are not the older one's to go on with, and in so short a time hardly one begins by itself. What
 * publishes the offsets is begun again by its pipeline when it is gone, by whichever worker is the first to ask for work.
 */
async function endRun({ client, spec }: ChaosWorld): Promise<void> {
  try {
    await client.workflow.getHandle(offsetsId(spec.topic)).terminate('A new run is to begin beside an older build.');
  } catch (error) {
    // Ended a moment ago, and not begun again yet.
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

type StruckWorker = ChaosWorld['workers'][number];

async function replace(worker: StruckWorker, by: Parameters<StruckWorker['start']>[0] = {}): Promise<void> {
  worker.signal('SIGTERM');
  await worker.ended();
  worker.start(by);
  await eventually(() => worker.isPolling, { deadlineMs: POLLS_WITHIN_MS, what: `${worker.name} polls` });
}

/** Made once a run. */
async function olderBundle({ stack }: ChaosWorld): Promise<string> {
  const path = join(stack.home, 'older-build.js');
  if (!existsSync(path)) writeFileSync(path, (await bundleOlderBuild()).code);
  return path;
}

/** Workflow tasks of the pipeline that a process finished, and those that it failed because it does not know the history. */
async function workflowTasks(
  { client, spec, partitions }: ChaosWorld,
  identity: string,
): Promise<{ done: number; refused: number }> {
  const ingest = Array.from({ length: partitions }, (_, partition) => partitionId(spec.topic, partition));
  const tasks = { done: 0, refused: 0 };
  for (const id of [...[pipelineId, windowsId, offsetsId, lettersId].map((of) => of(spec.topic)), ...ingest]) {
    const { events } = await client.workflow.getHandle(id).fetchHistory();
    for (const event of events ?? []) {
      if (event.workflowTaskCompletedEventAttributes?.identity?.startsWith(identity)) tasks.done += 1;
      if (event.workflowTaskFailedEventAttributes?.identity?.startsWith(identity)) tasks.refused += 1;
    }
  }
  return tasks;
}

export const OLDER_BUILD_FAULT: Fault = { name: 'older build beside', inject: rollBackAndForth };
