// Faults of Temporal and of the workflows: the server killed or frozen, a workflow terminated or reset from outside.
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';

import { partitionId, pipelineId } from '../../pipeline/ids.ts';
import { eventually } from '../support/eventually.ts';
import type { ChaosWorld } from './chaos-world.ts';
import { busiest, isMoving } from './fault.ts';
import type { Chance, Fault, Injection } from './fault.ts';

const RUNS_AGAIN_WITHIN_MS = 120_000;
/** Long enough for its leases to be given to the other worker: those are lost after 10 s of silence. */
const CUT_OFF_MS = 30_000;
const MOST_CUT_OFFS = 4;

async function terminatePartition(world: ChaosWorld, chance: Chance): Promise<Injection> {
  const hit = isMoving(world);
  const partition = Math.floor(chance * world.partitions);
  const id = partitionId(world.spec.topic, partition);
  const { runId } = await world.client.workflow.getHandle(id).describe();
  await world.client.workflow.getHandle(id).terminate('Chaos.');
  const endedAtMs = await runsAnew(world, { id, not: runId });
  return { hit, endedAtMs, detail: `partition ${partition}` };
}

/** Sends the pipeline back to one of its earlier workflow tasks: it forgets what came after, its children do not. */
async function resetPipeline(world: ChaosWorld, chance: Chance): Promise<Injection> {
  const hit = isMoving(world);
  const id = pipelineId(world.spec.topic);
  const { runId } = await world.client.workflow.getHandle(id).describe();
  const { events } = await world.client.workflow.getHandle(id).fetchHistory();
  const tasks = (events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes);
  const task = tasks[Math.floor(chance * tasks.length)];
  await world.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: id },
    reason: 'Chaos.',
    workflowTaskFinishEventId: task?.eventId ?? null,
    requestId: randomUUID(),
  });
  const endedAtMs = await runsAnew(world, { id, not: runId });
  return { hit, endedAtMs, detail: `to event ${String(task?.eventId)} of ${events?.length}` };
}

/**
 * The worker reads and commits on, and does not hear that Temporal has given its partitions to another: two writers, between
 * which only the fence stands. Temporal may give them to the cut-off worker itself, whose polls it still holds: then once more.
 */
async function cutOff(world: ChaosWorld): Promise<Injection> {
  const before = await fencedLeases(world);
  let fenced = 0;
  let times = 0;
  while (fenced === 0 && times < MOST_CUT_OFFS) {
    const { victim } = await busiest(world);
    victim.temporal.blackhole();
    await wait(CUT_OFF_MS);
    await victim.temporal.heal();
    fenced = (await fencedLeases(world)) - before;
    times += 1;
  }
  return { hit: fenced > 0, endedAtMs: Date.now(), detail: `cut off ${times} times, ${fenced} leases fenced` };
}

async function fencedLeases({ workers }: ChaosWorld): Promise<number> {
  const counts = await Promise.all(workers.map(async (worker) => await worker.metric('weir_fenced_total')));
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

/** Waits until the workflow runs under another run id and a worker answers for it; when that was (epoch ms). */
async function runsAnew({ client }: ChaosWorld, { id, not }: { id: string; not: string }): Promise<number> {
  return await eventually(
    async () => {
      const { runId, status } = await client.workflow.getHandle(id).describe();
      if (runId === not || status.name !== 'RUNNING') return null;
      const { phase } = await client.workflow.getHandle(id, runId).query<{ phase: string }>('state');
      return phase === 'running' || phase === 'ingesting' ? Date.now() : null;
    },
    { deadlineMs: RUNS_AGAIN_WITHIN_MS, what: `${id} runs again` },
  );
}

export const TEMPORAL_FAULTS: readonly Fault[] = [
  {
    name: 'Temporal SIGKILL',
    inject: async (world) => {
      const hit = isMoving(world);
      world.stack.signal('temporal', 'SIGKILL');
      await world.stack.ended('temporal');
      await world.stack.startAgain();
      return { hit, endedAtMs: Date.now(), detail: 'restarted' };
    },
  },
  {
    name: 'Temporal silent 60 s',
    probes: { ready: 'lost' },
    inject: async (world) => {
      const hit = isMoving(world);
      world.stack.signal('temporal', 'SIGSTOP');
      await wait(60_000);
      world.stack.signal('temporal', 'SIGCONT');
      return { hit, endedAtMs: Date.now(), detail: '60 s' };
    },
  },
  { name: 'worker cut off from Temporal', probes: { ready: 'lost' }, inject: cutOff },
  { name: 'ingestPartition terminated', inject: terminatePartition },
  { name: 'runPipeline reset', inject: resetPipeline },
];
