// The newest workflows of one kind that belong to a topic, each with what it says of itself.
import type { WorkflowExecutionInfo } from '@temporalio/client';

import type { Control, Target } from './temporal-control.ts';

/** One workflow; `state` null where nobody could say more than Temporal's own status. */
export type ListedRun<State> = {
  readonly id: string;
  readonly startedMs: number;
  readonly status: string;
  readonly state: State | null;
};

/** `idOf` makes a workflow id of the short one that people type. */
export type WhichRuns = {
  readonly type: string;
  readonly topic: string;
  readonly limit: number;
  readonly idOf: (id: string) => string;
  readonly targetOf: (id: string) => Target;
};

/** Newest first. A run that continued as new is told by the one after it. */
export async function newestRuns<State extends { readonly phase: string; readonly startedMs: number }>(
  control: Control,
  { type, topic, limit, idOf, targetOf }: WhichRuns,
): Promise<ListedRun<State>[]> {
  const found: WorkflowExecutionInfo[] = [];
  for await (const run of control.client.workflow.list({ query: `WorkflowType = '${type}'` })) {
    if (run.memo?.['topic'] === topic && run.status.name !== 'CONTINUED_AS_NEW') found.push(run);
    if (found.length === limit) break;
  }
  const stateOf = async (run: WorkflowExecutionInfo, id: string): Promise<State | null> => {
    if (run.status.name === 'RUNNING') return await control.state<State>(targetOf(id));
    if (run.status.name !== 'COMPLETED') return null;
    const result: State = await control.client.workflow.getHandle(run.workflowId, run.runId).result();
    return result;
  };
  return await Promise.all(
    found.map(async (run) => {
      const id = run.workflowId.slice(idOf('').length);
      const state = await stateOf(run, id).catch(() => null);
      const startedMs = state?.startedMs ?? run.startTime.getTime();
      return { id, startedMs, status: state?.phase ?? run.status.name.toLowerCase(), state };
    }),
  );
}
