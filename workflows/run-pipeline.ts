// runPipeline: the one workflow a pipeline is started by; it does no work itself and keeps those alive that do.
//
// States: what is true, and what leaves it.
//   starting      the partitions are not known yet. The first look leads to running or paused.
//   running       one ingestPartition per partition, one closeWindows, one commitOffsets and one publishLetters are alive; a
//                 look every minute (or when one of them ends) starts what is missing. Pause and stop lead on.
//   pausing       the partitions were told to pause and not all have answered yet.
//   paused        they have; dead letters wait, windows still close and offsets are still published. Resume leads to running.
//   backing-off   a look failed (no Kafka, no PostgreSQL): the children go on, a timer runs, then the next look.
//   stopping      the children were told to end. When all have: stopped, and the workflow returns.
// A schema that holds another topic's checkpoints is refused: the workflow fails with the sentence that says what to do.
import {
  ApplicationFailure,
  CancellationScope,
  allHandlersFinished,
  condition,
  isCancellation,
  makeContinueAsNewFunc,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';

import type { createListPartitions } from '../activities/list-partitions.ts';
import { lettersId, partitionId } from '../pipeline/ids.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { Children } from './children.ts';
import {
  partitionReportSignal,
  pausePipelineUpdate,
  pipelinePausedSignal,
  pipelineStateQuery,
  resumePipelineUpdate,
  stopPipelineUpdate,
} from './commands.ts';
import type { PipelinePhase, PipelineState } from './commands.ts';
import { pipelineDetails, pipelineMessage } from './details.ts';
import { NO_FAILURES, addFailure, backoffMs, failureSentence, failureType } from './failure-series.ts';
import { PartitionBook } from './partition-book.ts';
import { isPatched } from './patches.ts';
import { wantedChildren } from './wanted-children.ts';
import { runOptions, turnsOfRun } from './run-options.ts';
import type { RunOptions } from './run-options.ts';

/** What a run hands to the one it continues as. */
type Carried = Pick<PipelineState, 'paused' | 'partitions' | 'restarts'>;

export type RunPipelineInput = {
  readonly spec: PipelineSpec;
  readonly options?: Partial<RunOptions>;
  readonly carried?: Carried;
};

/**
 * Finds the partitions of the topic, again every minute, and keeps one `ingestPartition` each, one `closeWindows`, one
 * `commitOffsets` and one `publishLetters` alive. Pause, resume and stop reach all of them through it.
 * Continues as new every few hundred looks; its children stay.
 */
export async function runPipeline(input: RunPipelineInput): Promise<PipelineState> {
  const life = new PipelineLife(input);
  life.listen();
  return await life.live();
}

class PipelineLife {
  private readonly input: RunPipelineInput;
  private readonly options: RunOptions;
  private readonly children = new Children();
  private readonly partitions: PartitionBook;
  private readonly publishesLetters: boolean;
  private readonly earlierRestarts: number;
  private ending: 'stopping' | 'stopped' | null = null;
  private paused: boolean;
  private stopRequested = false;
  private failures = NO_FAILURES;
  private seenEnds = 0;

  constructor(input: RunPipelineInput) {
    this.input = input;
    this.options = runOptions(input.options);
    this.paused = input.carried?.paused ?? false;
    this.earlierRestarts = input.carried?.restarts ?? 0;
    this.partitions = new PartitionBook(input.carried?.partitions);
    this.publishesLetters = isPatched('publishLetters');
  }

  listen(): void {
    setHandler(pipelineStateQuery, () => this.state());
    setHandler(partitionReportSignal, (report) => {
      this.partitions.note(report);
      this.show();
    });
    const running = {
      validator: () => {
        if (this.stopRequested) throw new Error('The pipeline is stopping; start it again with "weir pipeline start".');
      },
    };
    setHandler(pausePipelineUpdate, async () => await this.setPaused(true), running);
    setHandler(resumePipelineUpdate, async () => await this.setPaused(false), running);
    setHandler(stopPipelineUpdate, async () => {
      this.stopRequested = true;
      await condition(() => this.ending === 'stopped');
      return this.state();
    });
  }

  async live(): Promise<PipelineState> {
    try {
      for (let turn = 0, turns = turnsOfRun(this.options); !this.stopRequested; turn += 1) {
        const longEnough = turn >= turns || workflowInfo().continueAsNewSuggested;
        if (longEnough && allHandlersFinished()) await this.continueIt();
        await this.look();
        await this.untilNextLook();
      }
    } catch (cancelled) {
      if (!isCancellation(cancelled)) throw cancelled;
      await CancellationScope.nonCancellable(async () => await this.stop());
      throw cancelled;
    }
    await this.stop();
    await condition(allHandlersFinished);
    return this.state();
  }

  private async look(): Promise<void> {
    const { spec } = this.input;
    const { listPartitions } = proxyActivities<{ listPartitions: ReturnType<typeof createListPartitions> }>({
      taskQueue: this.options.taskQueues.windows,
      startToCloseTimeout: '30 seconds',
      // The workflow itself backs off, so that it can show what is wrong.
      retry: { maximumAttempts: 1 },
      summary: 'which partitions are there?',
    });
    try {
      const { partitions } = await listPartitions({ spec });
      this.partitions.found(partitions);
      const { paused, publishesLetters } = this;
      await this.children.keepAlive(wantedChildren(this.input, { partitions, paused, publishesLetters }), () =>
        this.input.carried ? null : { spec, pausedByPipeline: this.paused },
      );
      if (!this.paused) this.partitions.started(partitions);
      // Pause or resume came while children were starting: some may not have been there to be told.
      if (this.paused !== paused) await this.tellChildren();
      this.failures = NO_FAILURES;
    } catch (failure) {
      if (isCancellation(failure)) throw failure;
      if (failureType(failure) === 'ForeignSchema') {
        throw ApplicationFailure.nonRetryable(failureSentence(failure), 'ForeignSchema');
      }
      this.failures = addFailure(this.failures, failure, { lastedMs: 0 });
    }
    this.show();
  }

  private async untilNextLook(): Promise<void> {
    const mustAct = (): boolean => this.stopRequested || this.children.unexpectedEnds > this.seenEnds;
    if (this.failures.count > 0) {
      await condition(() => this.stopRequested, backoffMs(this.failures, this.options), { summary: 'look again' });
      return;
    }
    const called = await condition(mustAct, this.options.lookEveryMs, { summary: 'next look for partitions' });
    if (!called || this.stopRequested) return;
    this.seenEnds = this.children.unexpectedEnds;
    // A child that ends as soon as it starts must not be restarted in a tight loop.
    await condition(() => this.stopRequested, this.options.backoffFirstMs, { summary: 'restart what has ended' });
  }

  private async setPaused(paused: boolean): Promise<PipelineState> {
    this.paused = paused;
    this.show();
    await this.tellChildren();
    const { partitions } = this;
    const answered = (): boolean =>
      this.paused !== paused || (paused ? partitions.allRest() : partitions.noneRestsWithThePipeline());
    await condition(answered, this.options.answerWithinMs, { summary: 'partitions answer' });
    this.show();
    return this.state();
  }

  /** Tells those that rest while the pipeline does. */
  private async tellChildren(): Promise<void> {
    const { topic } = this.input.spec;
    const partitions = this.partitions.numbers.map((partition) => partitionId(topic, partition));
    const ids = this.publishesLetters ? [...partitions, lettersId(topic)] : partitions;
    const { paused } = this;
    await Promise.all(ids.map((id) => this.children.tell(id, (child) => child.signal(pipelinePausedSignal, paused))));
  }

  private async stop(): Promise<void> {
    this.stopRequested = true;
    this.ending = 'stopping';
    this.show();
    await this.children.stopAll();
    this.ending = 'stopped';
    this.show();
  }

  private async continueIt(): Promise<never> {
    const carried = {
      paused: this.paused,
      partitions: this.partitions.reports,
      restarts: this.earlierRestarts + this.children.unexpectedEnds,
    };
    // The memo tells the command line what the pipeline was given; it is passed on by hand, since not every server does.
    const continueAsNew = makeContinueAsNewFunc<typeof runPipeline>({ memo: workflowInfo().memo ?? {} });
    return await continueAsNew({ ...this.input, carried });
  }

  private phase(): PipelinePhase {
    if (this.ending !== null) return this.ending;
    if (this.failures.count > 0) return 'backing-off';
    if (this.partitions.numbers.length === 0) return 'starting';
    if (!this.paused) return 'running';
    return this.partitions.allRest() ? 'paused' : 'pausing';
  }

  private show(): void {
    setCurrentDetails(pipelineDetails(this.state()));
  }

  private state(): PipelineState {
    const phase = this.phase();
    return {
      phase,
      topic: this.input.spec.topic,
      paused: this.paused,
      partitions: this.partitions.reports,
      children: this.children.ids,
      restarts: this.earlierRestarts + this.children.unexpectedEnds,
      failures: this.failures,
      message: pipelineMessage(phase, { partitions: this.partitions.numbers.length, failure: this.failures.message }),
    };
  }
}
