// Lives of replays of dead letters, for the histories that the replay tests hold the workflow to.
import { randomUUID } from 'node:crypto';

import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';

import { replayId } from '../pipeline/ids.ts';
import { selectLetters } from '../pipeline/letter-selection.ts';
import { planReplay } from '../postgres/replayed-letters.ts';
import { eventually } from '../test/support/eventually.ts';
import { insertManyLetters } from '../test/support/letters.ts';
import type { PipelineWorld } from '../test/workflows/pipeline-world.ts';
import type { ReplayInput, replayDeadLetters } from '../workflows/replay-dead-letters.ts';
import type { ReplayState } from '../workflows/replay-state.ts';

type Record = (name: string, of: string | { id: string; runId: string }) => Promise<void>;
type Started = WorkflowHandleWithFirstExecutionRunId<typeof replayDeadLetters>;

/** Replays: one that rests, backs off, takes another rate and is done; one that goes on in a next run; one that is cancelled. */
export async function recordReplays(world: PipelineWorld, record: Record): Promise<void> {
  const { pool, spec } = world;
  await insertManyLetters(pool, spec.schema, 40);
  await world.start();
  const start = async (options: object, changes: Partial<ReplayInput> = {}): Promise<Started> => {
    const selection = selectLetters({ status: ['open'] }, 0);
    const plan = await planReplay(pool, spec.schema, { selection, limit: 20 });
    const repair = { steps: [], transform: null };
    const replay = randomUUID().slice(0, 8);
    return await world.client.workflow.start<typeof replayDeadLetters>('replayDeadLetters', {
      workflowId: replayId(replay),
      taskQueue: world.taskQueues.windows,
      args: [
        { spec, replay, selection, plan, repair, rate: 10, ...changes, options: { ...world.options, ...options } },
      ],
    });
  };

  const done = await start({});
  await done.executeUpdate('pause');
  await pool.query(`alter table "${spec.schema}".dead_letters rename to hidden`);
  await done.executeUpdate('setRate', { args: [100] });
  await done.executeUpdate('resume');
  const state = async (): Promise<ReplayState> => await done.query<ReplayState>('state');
  await eventually(async () => (await state()).failures.count > 0, { deadlineMs: 60_000, what: 'it backs off' });
  await pool.query(`alter table "${spec.schema}".hidden rename to dead_letters`);
  await done.result();
  await record('replay-dead-letters.done', done.workflowId);

  const continued = await start({ leaseMs: 50, turnsPerRun: 1 });
  await continued.result();
  await record('replay-dead-letters.continued', { id: continued.workflowId, runId: continued.firstExecutionRunId });

  const cancelled = await start({});
  await cancelled.executeUpdate('pause');
  await cancelled.executeUpdate('cancel');
  await cancelled.result();
  await record('replay-dead-letters.cancelled', cancelled.workflowId);
}
