// Waits for a reprocess with a progress bar; Ctrl-C stops the waiting, not the work.
import { listenForInterrupts, waitMs } from '../workers/interrupts.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { reprocessId } from '../pipeline/ids.ts';
import { revisedRows } from '../pipeline/rebuild.ts';
import type { ReprocessState } from '../workflows/reprocess-state.ts';
import { CliFailure } from './failure.ts';
import { plural } from './output.ts';
import { openProgressLine, progressBar } from './progress-line.ts';
import { reprocessTarget } from './targets.ts';
import type { Control } from './temporal-control.ts';

const LOOK_EVERY_MS = 400;

/** The state in which it ended. Throws CliFailure when it ended in another way than being done or cancelled. */
export async function followReprocess(control: Control, id: string): Promise<ReprocessState | 'left running'> {
  const interrupts = listenForInterrupts();
  const line = openProgressLine();
  try {
    while (await control.isRunning(reprocessId(id))) {
      if (interrupts.signal.aborted) return 'left running';
      line.show(await lineOf(control, id));
      await waitMs(LOOK_EVERY_MS, interrupts.signal);
    }
    return await outcomeOf(control, id);
  } finally {
    line.clear();
    interrupts.forget();
  }
}

async function lineOf(control: Control, id: string): Promise<string> {
  try {
    return progressOf(await control.state<ReprocessState>(reprocessTarget(id)));
  } catch (thrown) {
    // No worker at present, or it has ended just now: the next look tells.
    return messageOf(thrown);
  }
}

function progressOf({ phase, counts, panesDone, panesInAll, message, failures }: ReprocessState): string {
  if (failures.count > 0 || (phase !== 'rebuilding' && phase !== 'counting')) return message;
  return `${progressBar('Rebuilding', panesDone, panesInAll)} panes, ${plural(revisedRows(counts), 'row')} revised`;
}

async function outcomeOf({ client }: Control, id: string): Promise<ReprocessState> {
  const handle = client.workflow.getHandle(reprocessId(id));
  try {
    const outcome: ReprocessState = await handle.result();
    return outcome;
  } catch (cause) {
    throw new CliFailure(
      `Reprocess ${id} was ended from outside (${messageOf(cause)}); what it had rebuilt stays, and starting it again does the rest.`,
      { exitCode: 1, cause },
    );
  }
}
