// reprocess: rebuilds the windows of a range of event time, beside everything else that goes on.
//
// States: what is true, and what leaves it.
//   reading      partitions that were rewound read the topic again; when they stand where they stood: planning.
//   planning     how far the range reaches in what is written is looked up; nothing of it: done, else amending.
//   amending     late events of the range are taken into their windows; then rebuilding.
//   rebuilding   one lease of rebuildRange after another; when the range is done: counting.
//   counting     what was revised is counted in `amendments`; then done.
//   backing-off  a lease failed; a timer runs (1 s growing to 10 s), then the same step again from where it stood.
//   paused       nothing runs; resume leads to the step in which it was.
//   cancelled    cancel was asked for; what was rebuilt stays, and is counted. It returns, as it does when it is done.
import {
  ActivityCancellationType,
  allHandlersFinished,
  condition,
  makeContinueAsNewFunc,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { ActivityOptions } from '@temporalio/workflow';

import type { createAmendRange } from '../activities/amend-range.ts';
import type { createAwaitOffsets } from '../activities/await-offsets.ts';
import type { createCountRevisions } from '../activities/count-revisions.ts';
import type { createPlanRebuild } from '../activities/plan-rebuild.ts';
import type { createRebuildRange } from '../activities/rebuild-range.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { rangeWith } from '../pipeline/put-back.ts';
import { addRebuilt } from '../pipeline/rebuild.ts';
import type { EndOffsets } from './commands.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import {
  cancelReprocessUpdate,
  firstReprocessState,
  panesBefore,
  pauseReprocessUpdate,
  reprocessDetails,
  reprocessMessage,
  reprocessStateQuery,
  resumeReprocessUpdate,
} from './reprocess-state.ts';
import type { ReprocessPhase, ReprocessState, ReprocessStep } from './reprocess-state.ts';
import { runOptions } from './run-options.ts';
import type { RunOptions } from './run-options.ts';

type Activities = {
  awaitOffsets: ReturnType<typeof createAwaitOffsets>;
  planRebuild: ReturnType<typeof createPlanRebuild>;
  amendRange: ReturnType<typeof createAmendRange>;
  rebuildRange: ReturnType<typeof createRebuildRange>;
  countRevisions: ReturnType<typeof createCountRevisions>;
};

export type ReprocessInput = {
  readonly spec: PipelineSpec;
  /** Epoch ms of event time; every window that holds a part of `[fromMs, toMs)` is rebuilt, as far as windows are written. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Takes in late events of the range that lie beyond the amend horizon, and clears their mark. */
  readonly includeBeyondHorizon?: boolean;
  /** Offset by partition up to which the topic is read again before the range is rebuilt; somebody has rewound them. */
  readonly afterOffsets?: EndOffsets;
  /** The reason that those rewinds gave. */
  readonly rereadFor?: string;
  /** Only from the run before, through continue-as-new. */
  readonly state?: ReprocessState;
  readonly options?: Partial<RunOptions>;
};

/** Short, because the workflow's details say how far it is only between two leases. */
const REBUILD_LEASE_MS = 3_000;
/** A turn is up to ten events of history, which a worker that takes over replays. */
const TURNS_PER_RUN = 50;

/**
 * Rebuilds every window over the range from `events`: rows that differ get a next revision. A range that is right is not touched.
 * Update pause, resume and cancel take effect between two transactions. Continues as new every fifty leases.
 */
export async function reprocess(input: ReprocessInput): Promise<ReprocessState> {
  const life = new ReprocessLife(input);
  life.listen();
  await life.live();
  await condition(allHandlersFinished);
  return life.state;
}

class ReprocessLife {
  state: ReprocessState;
  private readonly input: ReprocessInput;
  private readonly options: RunOptions;
  private readonly keeper: LeaseKeeper;

  constructor(input: ReprocessInput) {
    this.input = input;
    this.options = runOptions({ leaseMs: REBUILD_LEASE_MS, ...input.options });
    const { spec, fromMs: startMs, toMs: endMs, includeBeyondHorizon = false } = input;
    const begin = { topic: spec.topic, range: { startMs, endMs }, includeBeyondHorizon, startedMs: Date.now() };
    this.state = input.state ?? firstReprocessState(begin, { rereads: input.afterOffsets !== undefined });
    this.keeper = new LeaseKeeper(this.options, this.state.failures);
  }

  /** Each Update answers when what it asked for is true, or after some seconds with the state as it is. */
  listen(): void {
    setHandler(reprocessStateQuery, () => this.state);
    setHandler(pauseReprocessUpdate, () => this.change({ pauseWanted: true }, () => this.state.phase === 'paused'));
    setHandler(resumeReprocessUpdate, () =>
      this.change({ pauseWanted: false }, () => this.state.phase !== 'paused' && this.state.phase !== 'backing-off'),
    );
    setHandler(cancelReprocessUpdate, () => this.change({ cancelWanted: true }, () => false));
  }

  async live(): Promise<void> {
    const turnsPerRun = this.options.turnsPerRun ?? TURNS_PER_RUN;
    for (let turn = 0; this.state.step !== 'over'; turn += 1) {
      const longEnough = turn >= turnsPerRun || workflowInfo().continueAsNewSuggested;
      // An Update that waits for what comes next would wait in vain for it, and this for the Update.
      if (longEnough && allHandlersFinished()) await this.continueIt();
      const { step, cancelWanted, pauseWanted, panes } = this.state;
      // Before the plan nothing can have been revised.
      if (cancelWanted && step !== 'counting') this.next(panes ? 'counting' : 'over');
      else if (pauseWanted && !cancelWanted) await this.rest();
      else await this.takeStep(step);
    }
    this.enter(this.state.cancelWanted ? 'cancelled' : 'done');
  }

  private async rest(): Promise<void> {
    this.enter('paused');
    await condition(() => !this.state.pauseWanted || this.state.cancelWanted);
  }

  private async takeStep(step: ReprocessStep): Promise<void> {
    if (step === 'over') return;
    this.enter(step);
    const outcome = await this.keeper.run(async () => await this[step]());
    this.state = { ...this.state, failures: this.keeper.failures };
    if (outcome.kind !== 'failed' || this.state.cancelWanted || this.state.pauseWanted) return;
    this.enter('backing-off');
    await this.keeper.backOff();
  }

  private async reading(): Promise<void> {
    const { leaseMs, publishEveryMs: everyMs } = this.options;
    const offsets = this.input.afterOffsets ?? {};
    const { awaitOffsets } = this.activities('partitions read the topic again');
    const { spec, rereadFor: why } = this.input;
    const { reason, ...progress } = await awaitOffsets({ spec, offsets, why, leaseMs, everyMs });
    this.state = { ...this.state, ...progress, unreadAtFirst: Math.max(this.state.unreadAtFirst, progress.unread) };
    if (reason !== 'done') return;
    if (progress.putBack) this.state = { ...this.state, range: rangeWith(this.state.range, progress.putBack) };
    this.next('planning');
  }

  private async planning(): Promise<void> {
    const { planRebuild } = this.activities('how far does the range reach?');
    const { panes, afterAmendment } = await planRebuild({ spec: this.input.spec, range: this.state.range });
    this.state = { ...this.state, panes, afterAmendment, panesInAll: panes ? panesBefore(panes, panes.endMs) : 0 };
    this.next(panes ? 'amending' : 'over');
  }

  private async amending(): Promise<void> {
    const { range, includeBeyondHorizon } = this.state;
    const { amendRange } = this.activities('take in late events of the range');
    const { events, reason } = await amendRange({ spec: this.input.spec, range, includeBeyondHorizon });
    this.state = { ...this.state, lateTakenIn: this.state.lateTakenIn + events };
    if (reason === 'done') this.next('rebuilding');
  }

  private async rebuilding(): Promise<void> {
    const { range, panes, positionMs: fromMs, panesDone, panesInAll } = this.state;
    const { rebuildRange } = this.activities(`rebuild from pane ${panesDone} of ${panesInAll}`);
    const { leaseMs } = this.options;
    const lease = await rebuildRange({ spec: this.input.spec, range, positionMs: fromMs, leaseMs });
    const positionMs = lease.done && panes ? panes.endMs : lease.positionMs;
    this.state = {
      ...this.state,
      positionMs,
      panesDone: panes ? panesBefore(panes, positionMs) : 0,
      counts: addRebuilt(this.state.counts, lease.counts),
    };
    if (lease.done) this.next('counting');
  }

  private async counting(): Promise<void> {
    const { range, afterAmendment, counts } = this.state;
    const { countRevisions } = this.activities('count what was revised');
    const counted = await countRevisions({ spec: this.input.spec, range, afterAmendment });
    this.state = { ...this.state, counts: { ...counts, ...counted } };
    this.next('over');
  }

  private activities(summary: string): ReturnType<typeof proxyActivities<Activities>> {
    return proxyActivities<Activities>({ ...workOptions(this.options), summary });
  }

  private next(step: ReprocessStep): void {
    this.state = { ...this.state, step };
  }

  private async change(
    wish: Partial<Pick<ReprocessState, 'pauseWanted' | 'cancelWanted'>>,
    isTrue: () => boolean,
  ): Promise<ReprocessState> {
    this.state = { ...this.state, ...wish };
    this.keeper.interrupt();
    const over = (): boolean => this.state.phase === 'done' || this.state.phase === 'cancelled';
    await condition(() => isTrue() || over(), this.options.answerWithinMs);
    return this.state;
  }

  private async continueIt(): Promise<void> {
    // The memo tells the command line which topic this belongs to; it is passed on by hand, since not every server does.
    const continueAsNew = makeContinueAsNewFunc<typeof reprocess>({ memo: workflowInfo().memo ?? {} });
    await continueAsNew({ ...this.input, state: this.state });
  }

  private enter(phase: ReprocessPhase): void {
    const state = { ...this.state, phase };
    this.state = { ...state, message: reprocessMessage(state) };
    setCurrentDetails(reprocessDetails(this.state));
  }
}

/** One attempt each, because the workflow itself backs off and shows why. A dense pane alone may take long. */
function workOptions(options: RunOptions): ActivityOptions {
  return {
    taskQueue: options.taskQueues.windows,
    startToCloseTimeout: '1 day',
    heartbeatTimeout: options.heartbeatTimeoutMs,
    retry: { maximumAttempts: 1 },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  };
}
