// Lives with a rewind and with reprocesses in them, for the histories that the replay tests hold the workflows to.
import { randomUUID } from 'node:crypto';

import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';

import { partitionId, reprocessId } from '../pipeline/ids.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { quoteSchema } from '../postgres/schema-name.ts';
import { eventually } from '../test/support/eventually.ts';
import { sendTo, untilAt } from '../test/workflows/lose-range.ts';
import { eventsFrom } from '../test/workflows/pipeline-world.ts';
import type { PipelineWorld } from '../test/workflows/pipeline-world.ts';
import { rewindPartitionUpdate } from '../workflows/commands.ts';
import type { ReprocessInput, reprocess } from '../workflows/reprocess.ts';

type Record = (name: string, of: string | { id: string; runId: string }) => Promise<void>;

/** A partition that is rewound while it reads, refused a rewind, and rewound while it rests. */
export async function recordRewind(world: PipelineWorld, record: Record): Promise<void> {
  const partition = world.client.workflow.getHandle(partitionId(world.spec.topic, 0));
  const rewind = async (offset: string): Promise<unknown> =>
    await partition.executeUpdate(rewindPartitionUpdate, { args: [{ target: { offset }, why: 'a recording' }] });
  await sendTo(world, 0, 100);
  await world.start();
  await untilAt(world, 0, 100);
  await rewind('40');
  await untilAt(world, 0, 100);
  await rewind('1000').catch(() => {});
  await partition.executeUpdate('pause');
  await rewind('0');
  await partition.executeUpdate('resume');
  await untilAt(world, 0, 100);
  await record('ingest-partition.rewound', partitionId(world.spec.topic, 0));
}

/** Reprocesses: one that waits for the topic to be read again, one that goes on in a next run, one that rests and is cancelled. */
export async function recordReprocess(world: PipelineWorld, record: Record): Promise<void> {
  const { pool, spec } = world;
  const tables = quoteSchema(spec.schema);
  const fromMs = Math.floor(Date.now() / 600_000) * 600_000 - 3 * 3_600_000;
  const toMs = fromMs + 30 * 60_000;
  await world.send(eventsFrom(new Date(fromMs).toISOString(), 180, 10_000));
  await world.start();
  await world.untilIngested(180);
  const closed = `closed_through where written_through >= to_timestamp(${toMs / 1000 + 240})`;
  await eventually(async () => (await world.count(closed)) === 1, {
    deadlineMs: 60_000,
    what: 'all windows are closed',
  });
  const start = async (
    options: object,
    more: Partial<ReprocessInput> = {},
  ): Promise<WorkflowHandleWithFirstExecutionRunId<typeof reprocess>> => {
    await pool.query(`update ${tables}.event_counts set event_count = event_count + 1`);
    return await world.client.workflow.start<typeof reprocess>('reprocess', {
      workflowId: reprocessId(randomUUID()),
      taskQueue: world.taskQueues.windows,
      args: [{ spec, fromMs, toMs, ...more, options: { ...world.options, ...options } }],
    });
  };

  const checkpoints = await readCheckpoints(pool, spec);
  const partition = world.client.workflow.getHandle(partitionId(spec.topic, 0));
  const why = 'a recording';
  await partition.executeUpdate(rewindPartitionUpdate, { args: [{ target: { offset: '0' }, why }] });
  const afterOffsets = Object.fromEntries(checkpoints.map((one) => [String(one.partition), String(one.nextOffset)]));
  const done = await start({}, { afterOffsets, rereadFor: why });
  await done.result();
  await record('reprocess.done', done.workflowId);

  const continued = await start({ leaseMs: 50, turnsPerRun: 1 });
  await continued.result();
  await record('reprocess.continued', { id: continued.workflowId, runId: continued.firstExecutionRunId });

  const cancelled = await start({});
  await cancelled.executeUpdate('pause');
  await cancelled.executeUpdate('cancel');
  await cancelled.result();
  await record('reprocess.cancelled', cancelled.workflowId);
}
