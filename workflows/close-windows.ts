// closeWindows: follows event time and closes what it passes.
//
// States: what is true, and what leaves it.
//   waiting       a lease of awaitWatermark runs. News leads to closing or amending, its end to the next lease.
//   closing       one closeWindow child runs; afterwards amending (if late events wait) or waiting.
//   amending      late events are taken into windows that have closed; afterwards waiting.
//   backing-off   something failed; a timer runs (1 s growing to 10 s), then waiting: what was begun is found again.
//   stopped       the pipeline asked for it; the workflow returns.
// Beside these, `stream`: open, ending (endStream named the last offsets), ended (they were reached and every window closed).
import {
  ActivityCancellationType,
  allHandlersFinished,
  condition,
  continueAsNew,
  executeChild,
  log,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';

import type { createAmendLate } from '../activities/amend-late.ts';
import type { EventTime, WatermarkNews, createAwaitWatermark } from '../activities/await-watermark.ts';
import { closeWindowId } from '../pipeline/ids.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { closeWords } from './child-words.ts';
import { closeWindow } from './close-window.ts';
import { configureSignal, endStreamUpdate, stopSignal, windowsStateQuery } from './commands.ts';
import type { EndOffsets, Failures, WindowsPhase, WindowsState } from './commands.ts';
import { isoTime, windowsDetails } from './details.ts';
import { LeaseKeeper, leaseOptions } from './lease-keeper.ts';
import { runOptions, turnsOfRun } from './run-options.ts';
import type { RunOptions } from './run-options.ts';

type Activities = {
  awaitWatermark: ReturnType<typeof createAwaitWatermark>;
  amendLate: ReturnType<typeof createAmendLate>;
};

/** What a run hands to the one it continues as. */
type Carried = {
  readonly eventTime: EventTime;
  readonly lastClosed: WindowsState['lastClosed'];
  readonly amendedRows: number;
  readonly amendedAtMs: number;
  readonly endOffsets: EndOffsets | null;
  readonly stream: WindowsState['stream'];
  readonly failures: Failures;
};

export type CloseWindowsInput = {
  readonly spec: PipelineSpec;
  readonly options?: Partial<RunOptions>;
  readonly carried?: Carried;
};

const UNKNOWN: EventTime = { lowWatermarkMs: null, closedThroughMs: null, writtenThroughMs: null, heldBackBy: null };
const REMEMBERED_CLOSES = 10;

/**
 * Waits for the low watermark, starts one `closeWindow` child per boundary (a range of them when catching up) and waits for it.
 * In between it takes late events into the windows they belong to, collected for the amend interval.
 * Continues as new every few hundred turns, never while a child runs.
 */
export async function closeWindows(input: CloseWindowsInput): Promise<void> {
  const life = new WindowsLife(input);
  life.listen();
  await life.live();
}

class WindowsLife {
  private input: CloseWindowsInput;
  private readonly options: RunOptions;
  private readonly turnsOfRun: number;
  private readonly keeper: LeaseKeeper;
  private phase: WindowsPhase = 'waiting';
  private carried: Omit<Carried, 'failures'>;
  private closingThroughMs: number | null = null;
  private stopping = false;

  constructor(input: CloseWindowsInput) {
    this.input = input;
    this.options = runOptions(input.options);
    this.turnsOfRun = turnsOfRun(this.options);
    this.keeper = new LeaseKeeper(this.options, input.carried?.failures);
    this.carried = input.carried ?? {
      eventTime: UNKNOWN,
      lastClosed: [],
      amendedRows: 0,
      amendedAtMs: 0,
      endOffsets: null,
      stream: 'open',
    };
  }

  listen(): void {
    setHandler(windowsStateQuery, () => this.state());
    setHandler(endStreamUpdate, ({ endOffsets }) => {
      this.keep({ endOffsets, stream: 'ending' });
      this.lookAgain();
      return this.state();
    });
    setHandler(configureSignal, ({ spec }) => {
      const same = JSON.stringify(spec) === JSON.stringify(this.input.spec);
      this.input = { ...this.input, spec };
      if (!same) this.lookAgain();
    });
    setHandler(stopSignal, () => {
      this.stopping = true;
      this.keeper.interrupt();
    });
  }

  async live(): Promise<void> {
    for (let turn = 0; !this.stopping; turn += 1) {
      if (turn >= this.turnsOfRun || workflowInfo().continueAsNewSuggested) await this.continueIt();
      const news = await this.nextNews();
      if (news === null || this.stopping) continue;
      if (news.eventTime !== null) this.keep({ eventTime: news.eventTime });
      await this.act(news);
    }
    this.enter('stopped');
    await condition(allHandlersFinished);
  }

  /** The next news, or null when the lease failed or was ended early. */
  private async nextNews(): Promise<WatermarkNews | null> {
    this.enter('waiting');
    const { awaitWatermark } = proxyActivities<Activities>({
      ...leaseOptions(this.options, this.options.taskQueues.windows),
      summary: this.carried.endOffsets === null ? 'watch the low watermark' : 'watch for the end of the stream',
    });
    const { leaseMs, pollEveryMs: everyMs } = this.options;
    const amendAfterMs = Math.max(0, this.carried.amendedAtMs + this.input.spec.amendIntervalMs - Date.now());
    const { endOffsets } = this.carried;
    return await this.attempt(() =>
      awaitWatermark({ spec: this.input.spec, leaseMs, everyMs, amendAfterMs, endOffsets }),
    );
  }

  private async act({ reason, closeThroughMs, lateWaiting, seenAtMs }: WatermarkNews): Promise<void> {
    const { endOffsets } = this.carried;
    const ended = reason === 'stream-ended';
    if (closeThroughMs !== null && !(await this.close(closeThroughMs, seenAtMs))) return;
    const collected = Date.now() >= this.carried.amendedAtMs + this.input.spec.amendIntervalMs;
    if ((ended || (lateWaiting > 0 && collected)) && !(await this.amend())) return;
    // Somebody may have named other offsets meanwhile: then that end is still to come.
    if (ended && this.carried.endOffsets === endOffsets) this.keep({ endOffsets: null, stream: 'ended' });
  }

  /** True when everything up to the boundary is written. */
  private async close(throughMs: number, seenAtMs?: number): Promise<boolean> {
    const { spec, options } = this.input;
    const fromMs = this.carried.eventTime.writtenThroughMs;
    this.closingThroughMs = throughMs;
    this.enter('closing');
    const closed = await this.attempt(() =>
      executeChild(closeWindow, {
        workflowId: closeWindowId(spec.topic, isoTime(throughMs)),
        args: [{ spec, fromMs, throughMs, ...(seenAtMs ? { seenAtMs } : {}), ...(options ? { options } : {}) }],
        taskQueue: this.options.taskQueues.windows,
        // The same boundary may be closed again after a failed or interrupted attempt; it goes on where that one stood.
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        parentClosePolicy: 'REQUEST_CANCEL',
        ...closeWords(spec.topic, { fromMs, throughMs }),
      }),
    );
    this.closingThroughMs = null;
    if (closed === null) return false;
    const lastClosed = [{ fromMs, throughMs, ...closed }, ...this.carried.lastClosed].slice(0, REMEMBERED_CLOSES);
    const eventTime = { ...this.carried.eventTime, closedThroughMs: throughMs, writtenThroughMs: throughMs };
    this.keep({ lastClosed, eventTime });
    return true;
  }

  /** True when the late events that waited are in their windows. */
  private async amend(): Promise<boolean> {
    this.enter('amending');
    const { amendLate } = proxyActivities<Activities>({
      taskQueue: this.options.taskQueues.windows,
      startToCloseTimeout: '1 day',
      heartbeatTimeout: this.options.heartbeatTimeoutMs,
      retry: { maximumAttempts: 1 },
      cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
      summary: 'amend windows for late events',
    });
    const amended = await this.attempt(() => amendLate({ spec: this.input.spec }));
    if (amended === null) return false;
    this.keep({ amendedAtMs: Date.now(), amendedRows: this.carried.amendedRows + amended.rows });
    return true;
  }

  /** Runs one piece of work; null when it failed (then the wait is over already) or was ended early. */
  private async attempt<T>(work: () => Promise<T>): Promise<T | null> {
    if (this.stopping) return null;
    const outcome = await this.keeper.run(work);
    if (outcome.kind === 'done') return outcome.value;
    if (outcome.kind === 'failed' && !this.stopping) {
      log.warn('Closing windows failed', { message: this.keeper.failures.message });
      this.enter('backing-off');
      await this.keeper.backOff();
    }
    return null;
  }

  private keep(change: Partial<Carried>): void {
    this.carried = { ...this.carried, ...change };
  }

  /** Ends a wait, so that the next lease knows what has changed; a close or an amendment is left to finish. */
  private lookAgain(): void {
    if (this.phase === 'waiting' || this.phase === 'backing-off') this.keeper.interrupt();
  }

  private async continueIt(): Promise<never> {
    await condition(allHandlersFinished);
    const carried = { ...this.carried, failures: this.keeper.failures };
    return await continueAsNew<typeof closeWindows>({ ...this.input, carried });
  }

  private enter(phase: WindowsPhase): void {
    this.phase = phase;
    setCurrentDetails(windowsDetails(this.state()));
  }

  private message(): string {
    if (this.phase === 'closing') return `Writing panes and windows up to ${isoTime(this.closingThroughMs)}.`;
    if (this.phase === 'amending') return 'Taking late events into the windows they belong to.';
    if (this.phase === 'stopped') return 'Stopped with its pipeline; open windows stay open.';
    if (this.phase === 'backing-off') return `${this.keeper.failures.message ?? ''} It is tried again by itself.`;
    if (this.carried.stream === 'ended') return 'The stream has ended and every window is closed.';
    return 'Waiting for the low watermark to pass a minute.';
  }

  private state(): WindowsState {
    const { eventTime, lastClosed, amendedRows, stream } = this.carried;
    return {
      phase: this.phase,
      topic: this.input.spec.topic,
      ...eventTime,
      lastClosed,
      closingThroughMs: this.closingThroughMs,
      amendedRows,
      stream,
      failures: this.keeper.failures,
      message: this.message(),
    };
  }
}
