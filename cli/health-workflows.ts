// What Temporal and the workflows of a topic say of themselves, for `weir health`: asked all at once, each with a deadline.
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';

import type { PartitionWorkflow, WorkflowFacts } from '../pipeline/health-facts.ts';
import { partitionId, pipelineId, windowsId } from '../pipeline/ids.ts';
import type { PartitionReport, PartitionState, PipelineState, WindowsState } from '../workflows/commands.ts';
import { NO_WORKER, generatorReport, runningGenerators } from './running-generators.ts';
import type { Control } from './temporal-control.ts';

/** A worker that is up answers in milliseconds, and one that is very busy within this. */
const ANSWER_WITHIN_MS = 3_000;
/** PENDING_ACTIVITY_STATE_STARTED of Temporal's API: a worker has it and has been heard within the heartbeat timeout. */
const STARTED = 2;

/** Throws what Temporal throws when it cannot be asked. `partitions`: those of the topic, as far as anybody knows them. */
export async function readWorkflows(
  control: Control,
  { topic, partitions }: { topic: string; partitions: readonly number[] | null },
): Promise<WorkflowFacts> {
  const { client } = control;
  const [pipeline, closer, generators] = await Promise.all([
    look<PipelineState>(client, pipelineId(topic)),
    look<WindowsState>(client, windowsId(topic)),
    readGenerators(control, topic),
  ]);
  const known = partitions ?? pipeline.says?.partitions.map((each) => each.partition) ?? [];
  const found = await Promise.all(
    known.map(async (partition) => {
      const report = pipeline.says?.partitions.find((each) => each.partition === partition) ?? null;
      return [partition, await partitionWorkflow(client, partitionId(topic, partition), report)] as const;
    }),
  );
  return { pipeline, closer, partitions: new Map(found), generators };
}

type Looked<State> = { readonly running: boolean; readonly leased: boolean; readonly says: State | null };

/** What the server knows of a workflow, and what the workflow itself answers where a worker is up. */
async function look<State>(client: Client, id: string): Promise<Looked<State>> {
  const handle = client.workflow.getHandle(id);
  const described = await handle.describe().catch((thrown: unknown) => {
    if (thrown instanceof Error && thrown.name === 'WorkflowNotFoundError') return null;
    throw thrown;
  });
  if (described?.status.name !== 'RUNNING') return { running: false, leased: false, says: null };
  const answer = client.withDeadline(Date.now() + ANSWER_WITHIN_MS, async () => await handle.query<State>('state'));
  return { running: true, leased: isLeased(described), says: await answer.catch(() => null) };
}

function isLeased({ raw }: WorkflowExecutionDescription): boolean {
  return (raw.pendingActivities ?? []).some(({ state }) => Number(state) === STARTED);
}

/** `report`: what the pipeline last heard of it, which is told where its worker is too busy to answer for itself. */
async function partitionWorkflow(
  client: Client,
  id: string,
  report: PartitionReport | null,
): Promise<PartitionWorkflow> {
  const { says, ...known } = await look<PartitionState>(client, id);
  if (says === null) return { ...known, says: report === null ? null : wordsOf(report) };
  const { phase, message, pausedByPerson, failures, leaseStartedMs } = says;
  const leaseAgeMs = leaseStartedMs === null ? null : Date.now() - leaseStartedMs;
  return { ...known, says: { phase, message, pausedByPerson, failures, leaseAgeMs } };
}

function wordsOf({ phase, message, pausedByPerson }: PartitionReport): PartitionWorkflow['says'] {
  const failures = { count: phase === 'backing-off' ? 1 : 0, message };
  return { phase, message, pausedByPerson, failures, leaseAgeMs: null };
}

async function readGenerators(control: Control, topic: string): Promise<WorkflowFacts['generators']> {
  const ids = await runningGenerators(control);
  const reports = await Promise.all(
    ids.map(async (id) => await generatorReport(control, id, { withinMs: ANSWER_WITHIN_MS })),
  );
  return reports
    .filter((report) => report !== null)
    .filter((report) => report.topic === topic)
    .map(({ name, phase, behindMs, trouble }) => ({ name, phase, behindMs, trouble, answered: phase !== NO_WORKER }));
}
