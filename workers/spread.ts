// Spreads leases over the workers of a task queue: a worker that holds more than its fair share gives one back now and then.
//
// Every 15 s it asks Temporal who else asks for leases and how many partitions there are. Over its share it gives one lease
// back, looks again soon, and takes no more than its share meanwhile (activities/held-leases.ts). When Temporal doesn't
// answer, or nobody else is certainly alive, nothing is given back and everything is taken.
import { setTimeout as wait } from 'node:timers/promises';

import type { NativeConnection } from '@temporalio/worker';

import type { HeldLeases } from '../activities/held-leases.ts';
import type { Log } from '../observability/log.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { fairShare, leaseToYield, liveWorkers } from '../pipeline/fair-share.ts';
import type { Poller } from '../pipeline/fair-share.ts';

export type SpreadOptions = {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  /** Under which this worker asks for leases. */
  readonly identity: string;
  readonly held: HeldLeases;
  readonly lookEveryMs: number;
  readonly log: Log;
  /** Aborting it ends the looks. */
  readonly signal: AbortSignal;
};

export const SPREAD_LOOK_EVERY_MS = 15_000;
/** Leases that are given back follow each other this much sooner than looks. */
const SOONER = 5;
const ANSWER_WITHIN_MS = 5_000;
/** TASK_QUEUE_TYPE_ACTIVITY of Temporal's API. */
const ACTIVITY_QUEUE = 2;

/** Looks until `signal` aborts; never throws. */
export async function keepSpread(options: SpreadOptions): Promise<void> {
  const { lookEveryMs, held, log, signal } = options;
  let waitMs = lookEveryMs;
  const seen: Seen = { partitions: null };
  while (!signal.aborted) {
    // Up to a fifth more or less, so that workers which started together don't act together.
    await wait(waitMs * (0.8 + 0.4 * Math.random()), undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    waitMs = lookEveryMs;
    try {
      if (await look(options, seen)) waitMs = lookEveryMs / SOONER;
    } catch (error) {
      held.share = Infinity;
      log.debug({ cause: messageOf(error) }, 'Temporal did not say who else takes leases; they stay where they are');
    }
  }
}

type Seen = { partitions: number | null };

/** Brings the share up to date. True when a lease was given back, or when there is no telling yet. */
async function look(options: SpreadOptions, seen: Seen): Promise<boolean> {
  const { taskQueue, identity, held, log, signal } = options;
  const view = { identity, pollers: await pollersOf(options), lastTakeoverMs: held.lastTakeoverMs };
  const workers = liveWorkers(view);
  const partitions = workers === 1 ? null : await partitionsOf(options);
  // Temporal's lists lag behind: of a pipeline that starts, only some partitions are there at first.
  const isSure = partitions === seen.partitions;
  seen.partitions = partitions;
  held.share = partitions === null || !isSure ? Infinity : fairShare({ ...view, partitions });
  if (!isSure) return true;
  log.debug({ held: held.all.length, share: held.share, workers }, 'Looked at who takes leases');
  const lease = leaseToYield(held.all, held.share);
  if (lease === null || signal.aborted) return false;
  const { topic, partition } = lease;
  log.info(
    { topic, partition, held: held.all.length, share: held.share, workers, taskQueue },
    'A lease is given back for another worker to take: this one holds more than its share',
  );
  held.giveBack(lease);
  return true;
}

async function pollersOf({ connection, namespace, taskQueue }: SpreadOptions): Promise<Poller[]> {
  const { pollers } = await connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
    connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: taskQueue },
      taskQueueType: ACTIVITY_QUEUE,
    }),
  );
  return (pollers ?? []).map(({ identity, lastAccessTime }) => ({
    identity: identity ?? '',
    lastAskedMs: Number(lastAccessTime?.seconds ?? 0) * 1_000 + (lastAccessTime?.nanos ?? 0) / 1_000_000,
  }));
}

/** Partitions of all pipelines whose leases come through the task queue, paused ones included. */
async function partitionsOf({ connection, namespace, taskQueue }: SpreadOptions): Promise<number> {
  const query = `TaskQueue = '${taskQueue}' and WorkflowType = 'ingestPartition' and ExecutionStatus = 'Running'`;
  const { count } = await connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
    connection.workflowService.countWorkflowExecutions({ namespace, query }),
  );
  return Number(count);
}
