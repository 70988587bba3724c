// `weir reprocess list`: which ranges are being rebuilt or were, and what came of it.
import type { Command } from 'commander';

import { reprocessId } from '../pipeline/ids.ts';
import { revisedRows } from '../pipeline/rebuild.ts';
import { amount } from '../pipeline/setting-values.ts';
import type { ReprocessState } from '../workflows/reprocess-state.ts';
import { WHERE, createCommand, parsedBy, settingsOf } from './command.ts';
import { newestRuns } from './newest-runs.ts';
import type { ListedRun } from './newest-runs.ts';
import { grouped, printJson, printLine, tableOf, timeText } from './output.ts';
import { outcomeJson } from './reprocess-text.ts';
import { reprocessTarget } from './targets.ts';
import type { Control } from './temporal-control.ts';
import { withControl } from './with-servers.ts';

type Flags = { readonly limit: number; readonly json?: boolean };

type Listed = ListedRun<ReprocessState>;

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
        if (json) printJson(listed.map(listedJson));
        else print(listed);
      });
    });
}

async function listReprocesses(control: Control, topic: string, limit: number): Promise<Listed[]> {
  const which = { type: 'reprocess', topic, limit, idOf: reprocessId, targetOf: reprocessTarget };
  return await newestRuns<ReprocessState>(control, which);
}

/** One reprocess for programs; where nobody could say more than Temporal's own status, nothing more. */
const listedJson = ({ id, startedMs, status, state }: Listed) => {
  const started = { id, startedAt: new Date(startedMs).toISOString(), phase: status };
  if (state === null) return started;
  const { outcome: _phase, ...of } = outcomeJson(id, state);
  return { ...started, panesDone: state.panesDone, ...of };
};

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
