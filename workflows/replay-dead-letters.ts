// replayDeadLetters: sends chosen dead letters through their topic again, beside everything else, and reports what became of them.
//
// States: what is true, and what leaves it.
//   sending      one lease of replayLetters after another; when no letter is left: waiting.
//   waiting      leases watch for outcomes, which ingestion writes; all known, all read past, or nothing moved for long: counting.
//   counting     outcomes are counted in the table; then done.
//   backing-off  a lease failed; a timer runs (1 s growing to 10 s), then the same step again from where it stood.
//   paused       nothing runs; resume leads to the step in which it was.
//   cancelled    cancel was asked for; what was sent is counted as far as its outcomes are known. It returns, as it does when done.
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

import type { createAwaitOutcomes } from '../activities/await-outcomes.ts';
import type { createCountOutcomes } from '../activities/count-outcomes.ts';
import type { createReplayLetters } from '../activities/replay-letters.ts';
import { describeSelection } from '../pipeline/letter-selection.ts';
import type { LetterSelection } from '../pipeline/letter-selection.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { describeRepair } from '../pipeline/repair.ts';
import type { Repair } from '../pipeline/repair.ts';
import { addUnsent } from '../pipeline/replay.ts';
import type { ReplayPlan } from '../pipeline/replay.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import {
  cancelReplayUpdate,
  firstReplayState,
  pauseReplayUpdate,
  replayDetails,
  replayMessage,
  replayStateQuery,
  resumeReplayUpdate,
  setReplayRateUpdate,
} from './replay-state.ts';
import type { ReplayPhase, ReplayState, ReplayStep } from './replay-state.ts';
import { runOptions } from './run-options.ts';
import type { RunOptions } from './run-options.ts';

type Activities = {
  replayLetters: ReturnType<typeof createReplayLetters>;
  awaitOutcomes: ReturnType<typeof createAwaitOutcomes>;
  countOutcomes: ReturnType<typeof createCountOutcomes>;
};

export type ReplayInput = {
  readonly spec: PipelineSpec;
  /** The id behind `replay/`: it is written to the letters that are sent. */
  readonly replay: string;
  readonly selection: LetterSelection;
  readonly plan: ReplayPlan;
  readonly repair: Repair;
  /** Letters a second. */
  readonly rate: number;
  /** Only from the run before, through continue-as-new. */
  readonly state?: ReplayState;
  readonly options?: Partial<RunOptions>;
  /** How long it waits for outcomes while nothing moves. */
  readonly patienceMs?: number;
};

/** Short, because the workflow's details say how far it is only between two leases. */
const REPLAY_LEASE_MS = 5_000;
/** A turn is up to ten events of history, which a worker that takes over replays. */
const TURNS_PER_RUN = 50;
const PATIENCE_MS = 600_000;
const MOST_A_SECOND = 100_000;

/**
 * Sends the letters of the selection up to the plan's last one, oldest first. Updates pause, resume, cancel and setRate take
 * effect between two pages. Continues as new every fifty leases, so that a million letters make no long history.
 */
export async function replayDeadLetters(input: ReplayInput): Promise<ReplayState> {
  const life = new ReplayLife(input);
  life.listen();
  await life.live();
  await condition(allHandlersFinished);
  return life.state;
}

class ReplayLife {
  state: ReplayState;
  private readonly input: ReplayInput;
  private readonly options: RunOptions;
  private readonly keeper: LeaseKeeper;

  constructor(input: ReplayInput) {
    this.input = input;
    this.options = runOptions({ leaseMs: REPLAY_LEASE_MS, ...input.options });
    const { replay, rate, plan } = input;
    const words = { meant: describeSelection(input.selection), repair: describeRepair(input.repair) };
    const begin = { topic: input.spec.topic, replay, rate, ...words, letters: plan.letters, startedMs: Date.now() };
    this.state = input.state ?? firstReplayState(begin);
    this.keeper = new LeaseKeeper(this.options, this.state.failures);
  }

  /** Each Update answers when what it asked for is true, or after some seconds with the state as it is. */
  listen(): void {
    setHandler(replayStateQuery, () => this.state);
    setHandler(pauseReplayUpdate, () => this.change({ pauseWanted: true }, () => this.state.phase === 'paused'));
    setHandler(resumeReplayUpdate, () =>
      this.change({ pauseWanted: false }, () => this.state.phase !== 'paused' && this.state.phase !== 'backing-off'),
    );
    setHandler(cancelReplayUpdate, () => this.change({ cancelWanted: true }, () => false));
    setHandler(setReplayRateUpdate, (rate) => this.change({ rate }, () => true), { validator: checkRate });
  }

  async live(): Promise<void> {
    const turnsPerRun = this.options.turnsPerRun ?? TURNS_PER_RUN;
    for (let turn = 0; this.state.step !== 'over'; turn += 1) {
      const longEnough = turn >= turnsPerRun || workflowInfo().continueAsNewSuggested;
      // An Update that waits for what comes next would wait in vain for it, and this for the Update.
      if (longEnough && allHandlersFinished()) await this.continueIt();
      const { step, cancelWanted, pauseWanted } = this.state;
      if (cancelWanted && step !== 'counting') this.next('counting');
      else if (pauseWanted && !cancelWanted) await this.rest();
      else await this.takeStep(step);
    }
    this.enter(this.state.cancelWanted ? 'cancelled' : 'done');
  }

  private async rest(): Promise<void> {
    this.enter('paused');
    await condition(() => !this.state.pauseWanted || this.state.cancelWanted);
  }

  private async takeStep(step: ReplayStep): Promise<void> {
    if (step === 'over') return;
    this.enter(step);
    const outcome = await this.keeper.run(async () => await this[step]());
    this.state = { ...this.state, failures: this.keeper.failures };
    if (outcome.kind !== 'failed' || this.state.cancelWanted || this.state.pauseWanted) return;
    this.enter('backing-off');
    await this.keeper.backOff();
  }

  private async sending(): Promise<void> {
    const { spec, replay, selection, plan, repair } = this.input;
    const { after, rate } = this.state;
    const { replayLetters } = this.activities(`send letters from ${after} on`);
    const position = { after, throughId: plan.throughId, leaseMs: this.options.leaseMs };
    const lease = await replayLetters({ spec, replay, selection, repair, rate, ...position });
    this.state = {
      ...this.state,
      after: lease.after,
      sent: this.state.sent + lease.sent,
      leftOut: this.state.leftOut + lease.leftOut,
      unsent: addUnsent(this.state.unsent, lease.unsent),
    };
    if (lease.done) this.next('waiting');
  }

  private async waiting(): Promise<void> {
    const { leaseMs, pollEveryMs: everyMs } = this.options;
    const { ends, undecided, unread, quietSinceMs } = this.state;
    const { awaitOutcomes } = this.activities('what became of the letters?');
    const { spec, replay, patienceMs = PATIENCE_MS } = this.input;
    const seen = await awaitOutcomes({ spec, replay, ends, leaseMs, everyMs });
    const hasMoved = seen.undecided !== undecided || seen.unread !== unread;
    const quietSince = hasMoved || quietSinceMs === null ? Date.now() : quietSinceMs;
    const { undecided: left, unread: toRead } = seen;
    this.state = { ...this.state, undecided: left, unread: toRead, ends: seen.ends, quietSinceMs: quietSince };
    const isKnown = seen.reason === 'done' || seen.reason === 'passed';
    if (isKnown || Date.now() - quietSince >= patienceMs) this.next('counting');
  }

  private async counting(): Promise<void> {
    const { countOutcomes } = this.activities('count what became of the letters');
    const outcomes = await countOutcomes({ spec: this.input.spec, replay: this.input.replay });
    this.state = { ...this.state, outcomes, sent: outcomes.sent };
    this.next('over');
  }

  /** One attempt each, because the workflow itself backs off and shows why. */
  private activities(summary: string): ReturnType<typeof proxyActivities<Activities>> {
    return proxyActivities<Activities>({
      taskQueue: this.options.taskQueues.windows,
      startToCloseTimeout: '1 day',
      heartbeatTimeout: this.options.heartbeatTimeoutMs,
      retry: { maximumAttempts: 1 },
      cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
      summary,
    });
  }

  private next(step: ReplayStep): void {
    this.state = { ...this.state, step };
  }

  private async change(
    wish: Partial<Pick<ReplayState, 'pauseWanted' | 'cancelWanted' | 'rate'>>,
    isTrue: () => boolean,
  ): Promise<ReplayState> {
    this.state = { ...this.state, ...wish };
    this.keeper.interrupt();
    const isOver = (): boolean => this.state.phase === 'done' || this.state.phase === 'cancelled';
    await condition(() => isTrue() || isOver(), this.options.answerWithinMs);
    return this.state;
  }

  private async continueIt(): Promise<void> {
    // The memo tells the command line which topic this belongs to; it is passed on by hand, since not every server does.
    const continueAsNew = makeContinueAsNewFunc<typeof replayDeadLetters>({ memo: workflowInfo().memo ?? {} });
    await continueAsNew({ ...this.input, state: this.state });
  }

  private enter(phase: ReplayPhase): void {
    const state = { ...this.state, phase };
    this.state = { ...state, message: replayMessage(state) };
    setCurrentDetails(replayDetails(this.state));
  }
}

function checkRate(rate: number): void {
  if (Number.isInteger(rate) && rate >= 1 && rate <= MOST_A_SECOND) return;
  throw new Error(`${rate} is no rate; give whole letters a second, from 1 to ${MOST_A_SECOND}`);
}
