// closeWindow: one boundary of event time and everything before it that was open; its result says what closed there.
//
// States: closing (moveClosed and then closeRange run, tried again by Temporal for as long as it takes), closed (it returns).
// Cancelled (its pipeline stops): it ends between two transactions; what is left is the next closeWindow's.
import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';

import type { createCloseRange } from '../activities/close-range.ts';
import type { createMoveClosed } from '../activities/move-closed.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { ClosedWindows } from './commands.ts';
import { closedSentence, isoTime } from './details.ts';
import { runOptions } from './run-options.ts';
import type { RunOptions } from './run-options.ts';

type Activities = {
  moveClosed: ReturnType<typeof createMoveClosed>;
  closeRange: ReturnType<typeof createCloseRange>;
};

/**
 * Epoch ms of event time. `fromMs`: where the results stood before, null at the very first close. `seenAtMs` is of the wall
 * clock: when the low watermark was first seen to have reached the boundary; older builds don't say.
 */
export type CloseWindowInput = {
  readonly spec: PipelineSpec;
  readonly fromMs: number | null;
  readonly throughMs: number;
  readonly seenAtMs?: number;
  readonly options?: Partial<RunOptions>;
};

/**
 * Moves `closed_through` to the boundary, then writes every pane and window up to it, each once.
 * May be run again after any failure or crash: it goes on where the results stand.
 * Ends when the range is written.
 */
export async function closeWindow(input: CloseWindowInput): Promise<ClosedWindows> {
  const { spec, throughMs, seenAtMs } = input;
  const options = runOptions(input.options);
  const retry = { initialInterval: options.backoffFirstMs, maximumInterval: options.backoffLongestMs };
  const shared = { taskQueue: options.taskQueues.windows, retry };
  const range = `${isoTime(input.fromMs)} to ${isoTime(throughMs)}`;
  const { moveClosed } = proxyActivities<Activities>({
    ...shared,
    // It waits for a connection and for the clock, and gives up on both sooner: after this its worker is lost.
    startToCloseTimeout: '30 seconds',
    summary: `events before ${isoTime(throughMs)} are late from now on`,
  });
  const { closeRange } = proxyActivities<Activities>({
    ...shared,
    startToCloseTimeout: '1 day',
    heartbeatTimeout: options.heartbeatTimeoutMs,
    summary: `write ${range}`,
  });
  setCurrentDetails(`Closing event time ${range}.`);
  await moveClosed({ spec, throughMs });
  const { windows, panes, events } = await closeRange({ spec, throughMs, ...(seenAtMs ? { seenAtMs } : {}) });
  setCurrentDetails(`Closed event time ${range}: ${closedSentence({ windows, panes, events })}`);
  return { windows, panes, events };
}
