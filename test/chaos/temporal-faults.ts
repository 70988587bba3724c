// Faults of Temporal and of the workflows: the server killed or frozen, a workflow terminated or reset from outside.
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';

import { partitionId, pipelineId } from '../../pipeline/ids.ts';
import type { ChaosWorld } from './chaos-world.ts';
import { isMoving } from './fault.ts';
import type { Chance, Fault, Injection } from './fault.ts';

async function terminatePartition(world: ChaosWorld, chance: Chance): Promise<Injection> {
  const hit = isMoving(world);
  const partition = Math.floor(chance * world.partitions);
  await world.client.workflow.getHandle(partitionId(world.spec.topic, partition)).terminate('Chaos.');
  return { hit, endedAtMs: Date.now(), detail: `partition ${partition}` };
}

/** Sends the pipeline back to one of its earlier workflow tasks: it forgets what came after, its children do not. */
async function resetPipeline(world: ChaosWorld, chance: Chance): Promise<Injection> {
  const hit = isMoving(world);
  const workflowId = pipelineId(world.spec.topic);
  const { events } = await world.client.workflow.getHandle(workflowId).fetchHistory();
  const tasks = (events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes);
  const task = tasks[Math.floor(chance * tasks.length)];
  await world.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId },
    reason: 'Chaos.',
    workflowTaskFinishEventId: task?.eventId ?? null,
    requestId: randomUUID(),
  });
  return { hit, endedAtMs: Date.now(), detail: `to event ${String(task?.eventId)}` };
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
    inject: async (world) => {
      const hit = isMoving(world);
      world.stack.signal('temporal', 'SIGSTOP');
      await wait(60_000);
      world.stack.signal('temporal', 'SIGCONT');
      return { hit, endedAtMs: Date.now(), detail: '60 s' };
    },
  },
  { name: 'ingestPartition terminated', inject: terminatePartition },
  { name: 'runPipeline reset', inject: resetPipeline },
];
