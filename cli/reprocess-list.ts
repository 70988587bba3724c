// `weir reprocess list`: which ranges are being rebuilt or were, and what came of it.
import type { WorkflowExecutionInfo } from '@temporalio/client';
import type { Command } from 'commander';

import { reprocessId } from '../pipeline/ids.ts';
import { revisedRows } from '../pipeline/rebuild.ts';
import { amount } from '../pipeline/setting-values.ts';
import type { ReprocessState } from '../workflows/reprocess-state.ts';
import { WHERE, createCommand, parsedBy, settingsOf } from './command.ts';
import { grouped, printJson, printLine, tableOf, timeText } from './output.ts';
import { reprocessTarget } from './targets.ts';
import type { Control } from './temporal-control.ts';
import { withControl } from './with-servers.ts';

type Flags = { readonly limit: number; readonly json?: boolean };

/** One reprocess; `state` null where nobody could say more than Temporal's own status. */
type Listed = {
  readonly id: string;
  readonly startedMs: number;
  readonly status: string;
  readonly state: ReprocessState | null;
};

export function reprocessListCommand(): Command {
  return createCommand({
    name: 'list',
    summary: 'the newest reprocesses of the topic: range, progress, outcome',
    examples: [['weir reprocess list', 'newest first']],
    settings: WHERE,
  })
    .option('--limit <count>', 'how many', parsedBy(amount(1, 1000)), 20)
    .option('--json', 'print JSON')
    .action(async ({ limit, json }: Flags, command: Command) => {
      const { settings } = settingsOf(command);
      await withControl(settings, async (control) => {
        const listed = await listReprocesses(control, settings.topic, limit);
        if (json) printJson(listed);
        else print(listed);
      });
    });
}

async function listReprocesses(control: Control, topic: string, limit: number): Promise<Listed[]> {
  const found: WorkflowExecutionInfo[] = [];
  for await (const run of control.client.workflow.list({ query: `WorkflowType = 'reprocess'` })) {
    // A run that continued as new is told by the one after it.
    if (run.memo?.['topic'] === topic && run.status.name !== 'CONTINUED_AS_NEW') found.push(run);
    if (found.length === limit) break;
  }
  return await Promise.all(found.map(async (run) => await listedOf(control, run)));
}

async function listedOf(control: Control, run: WorkflowExecutionInfo): Promise<Listed> {
  const id = run.workflowId.slice(reprocessId('').length);
  const state = await stateOf(control, run, id).catch(() => null);
  const startedMs = state?.startedMs ?? run.startTime.getTime();
  return { id, startedMs, status: state?.phase ?? run.status.name.toLowerCase(), state };
}

async function stateOf(control: Control, run: WorkflowExecutionInfo, id: string): Promise<ReprocessState | null> {
  if (run.status.name === 'RUNNING') return await control.state<ReprocessState>(reprocessTarget(id));
  if (run.status.name !== 'COMPLETED') return null;
  const result: ReprocessState = await control.client.workflow.getHandle(run.workflowId, run.runId).result();
  return result;
}

function print(listed: readonly Listed[]): void {
  if (listed.length === 0) {
    printLine('No reprocess of this topic is known; `weir reprocess --from TIME --to TIME` starts one.');
    return;
  }
  const rows = listed.map(({ id, startedMs, status, state }) => [
    id,
    timeText(startedMs),
    status,
    state ? `${timeText(state.range.startMs)} to ${timeText(state.range.endMs)}` : '-',
    state ? `${grouped(state.panesDone)} of ${grouped(state.panesInAll)}` : '-',
    state ? grouped(revisedRows(state.counts)) : '-',
    state ? grouped(state.lateTakenIn) : '-',
  ]);
  printLine(tableOf(['id', 'started', 'phase', 'range', 'panes done', 'rows revised', 'late taken in'], rows));
}
