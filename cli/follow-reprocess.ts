// Waits for a reprocess with a progress bar.
import { revisedRows } from '../pipeline/rebuild.ts';
import type { ReprocessState } from '../workflows/reprocess-state.ts';
import { followRun } from './follow-run.ts';
import { plural } from './output.ts';
import { progressBar } from './progress-line.ts';
import { reprocessTarget } from './targets.ts';
import type { Control } from './temporal-control.ts';

/** The state in which it ended. Throws CliFailure when it ended in another way than being done or cancelled. */
export async function followReprocess(control: Control, id: string): Promise<ReprocessState | 'left running'> {
  const stays = 'what it had rebuilt stays, and starting it again does the rest';
  return await followRun<ReprocessState>(control, { target: reprocessTarget(id), line: progressOf, stays });
}

function progressOf({ phase, counts, panesDone, panesInAll, message, failures, ...of }: ReprocessState): string {
  if (phase === 'reading' && failures.count === 0 && of.unreadAtFirst > 0) {
    return `${progressBar('Reading again', of.unreadAtFirst - of.unread, of.unreadAtFirst)} messages`;
  }
  if (failures.count > 0 || (phase !== 'rebuilding' && phase !== 'counting')) return message;
  return `${progressBar('Rebuilding', panesDone, panesInAll)} panes, ${plural(revisedRows(counts), 'row')} revised`;
}
