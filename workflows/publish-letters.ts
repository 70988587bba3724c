// publishLetters: keeps the topic of dead letters up with their table, for other Kafka tools.
//
// States: what is true, and what leaves it.
//   publishing    a lease of publishLetters runs; renewed when it ends. A failure leads to backing-off.
//   backing-off   a lease failed (no such topic, no right to write it, no Kafka, no PostgreSQL); a timer runs, then publishing.
//   paused        the pipeline is paused; no lease runs until it resumes.
//   stopped       the pipeline asked for it; the workflow returns.
// Nothing waits for it: ingestion goes on in all of them.
import {
  condition,
  continueAsNew,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';

import type { PublishLettersResult, createPublishLetters } from '../activities/publish-letters.ts';
import { deadLetterTopic } from '../pipeline/ids.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { configureSignal, pipelinePausedSignal, stopSignal } from './commands.ts';
import type { Failures } from './commands.ts';
import { LeaseKeeper, leaseOptions } from './lease-keeper.ts';
import { lettersDetails, lettersMessage, lettersStateQuery } from './letters-state.ts';
import type { LettersCounts, LettersPhase, LettersState } from './letters-state.ts';
import { runOptions, turnsOfRun } from './run-options.ts';
import type { RunOptions } from './run-options.ts';

/** What a run hands to the one it continues as. */
type Carried = LettersCounts & { readonly failures: Failures };

export type PublishLettersWorkflowInput = {
  readonly spec: PipelineSpec;
  readonly pausedByPipeline: boolean;
  readonly options?: Partial<RunOptions>;
  readonly carried?: Carried;
};

/**
 * Renews leases of `publishLetters`, which copy dead letters to their topic, at least once each. A failure makes it back
 * off and say so. Continues as new every few dozen leases.
 */
export async function publishLetters(input: PublishLettersWorkflowInput): Promise<void> {
  const life = new LettersLife(input);
  life.listen();
  await life.live();
}

class LettersLife {
  private input: PublishLettersWorkflowInput;
  private readonly options: RunOptions;
  private readonly turnsOfRun: number;
  private readonly keeper: LeaseKeeper;
  private phase: LettersPhase = 'publishing';
  private counts: LettersCounts;
  private stopping = false;

  constructor(input: PublishLettersWorkflowInput) {
    this.input = input;
    this.options = runOptions(input.options);
    this.turnsOfRun = turnsOfRun(this.options);
    this.keeper = new LeaseKeeper(this.options, input.carried?.failures);
    const { published = 0, refused = 0 } = input.carried ?? {};
    this.counts = { published, refused };
  }

  listen(): void {
    setHandler(lettersStateQuery, () => this.state());
    setHandler(pipelinePausedSignal, (pausedByPipeline) => {
      this.input = { ...this.input, pausedByPipeline };
      if (pausedByPipeline) this.keeper.interrupt();
    });
    setHandler(configureSignal, ({ spec, pausedByPipeline }) => {
      const same = JSON.stringify(spec) === JSON.stringify(this.input.spec);
      this.input = { ...this.input, spec, pausedByPipeline };
      if (!same || pausedByPipeline) this.keeper.interrupt();
    });
    setHandler(stopSignal, () => {
      this.stopping = true;
      this.keeper.interrupt();
    });
  }

  async live(): Promise<void> {
    for (let turn = 0; !this.stopping; turn += 1) {
      if (turn >= this.turnsOfRun || workflowInfo().continueAsNewSuggested) await this.continueIt();
      if (this.input.pausedByPipeline) await this.rest();
      else await this.publish();
    }
    this.enter('stopped');
  }

  private async rest(): Promise<void> {
    this.enter('paused');
    await condition(() => this.stopping || !this.input.pausedByPipeline);
  }

  private async publish(): Promise<void> {
    this.enter('publishing');
    const outcome = await this.keeper.run(async () => await this.lease());
    if (outcome.kind === 'done') {
      const { published, refused } = outcome.value;
      this.counts = { published: this.counts.published + published, refused: this.counts.refused + refused };
    }
    if (outcome.kind !== 'failed' || this.stopping || this.input.pausedByPipeline) return;
    this.enter('backing-off');
    await this.keeper.backOff();
  }

  private async lease(): Promise<PublishLettersResult> {
    const { spec } = this.input;
    const activities = proxyActivities<{ publishLetters: ReturnType<typeof createPublishLetters> }>({
      ...leaseOptions(this.options, this.options.taskQueues.windows),
      summary: `publish to ${deadLetterTopic(spec.topic)}`,
    });
    const { leaseMs, publishEveryMs: everyMs } = this.options;
    return await activities.publishLetters({ spec, leaseMs, everyMs });
  }

  private async continueIt(): Promise<never> {
    const carried = { ...this.counts, failures: this.keeper.failures };
    return await continueAsNew<typeof publishLetters>({ ...this.input, carried });
  }

  private enter(phase: LettersPhase): void {
    this.phase = phase;
    setCurrentDetails(lettersDetails(this.state()));
  }

  private state(): LettersState {
    const { phase } = this;
    const { topic } = this.input.spec;
    const { failures } = this.keeper;
    const { publishEveryMs: everyMs } = this.options;
    const message = lettersMessage(phase, { topic, everyMs, failure: failures.message });
    return { phase, topic, deadLetterTopic: deadLetterTopic(topic), ...this.counts, failures, message };
  }
}
