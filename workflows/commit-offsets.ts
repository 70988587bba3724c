// commitOffsets: keeps Kafka's own tools informed of where the pipeline is.
//
// States: publishing (a lease of publishOffsets runs; renewed when it ends), backing-off (a lease failed; a timer runs, then
// publishing), stopped (the pipeline asked for it; the workflow returns).
import { continueAsNew, proxyActivities, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';

import type { createPublishOffsets } from '../activities/publish-offsets.ts';
import { CONSUMER_GROUP } from '../pipeline/ids.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { configureSignal, offsetsStateQuery, stopSignal } from './commands.ts';
import type { OffsetsState } from './commands.ts';
import { offsetsDetails } from './details.ts';
import { LeaseKeeper, leaseOptions } from './lease-keeper.ts';
import { runOptions, turnsOfRun } from './run-options.ts';
import type { RunOptions } from './run-options.ts';

export type CommitOffsetsInput = { readonly spec: PipelineSpec; readonly options?: Partial<RunOptions> };

/**
 * Renews leases of `publishOffsets`, which copy the checkpoints to Kafka as offsets of one consumer group.
 * Nothing depends on them: a failure makes it back off and say so. Continues as new every few hundred leases.
 */
export async function commitOffsets(input: CommitOffsetsInput): Promise<void> {
  const life = new OffsetsLife(input);
  life.listen();
  await life.live();
}

class OffsetsLife {
  private input: CommitOffsetsInput;
  private readonly options: RunOptions;
  private readonly turnsOfRun: number;
  private readonly keeper: LeaseKeeper;
  private phase: OffsetsState['phase'] = 'publishing';
  private stopping = false;

  constructor(input: CommitOffsetsInput) {
    this.input = input;
    this.options = runOptions(input.options);
    this.turnsOfRun = turnsOfRun(this.options);
    this.keeper = new LeaseKeeper(this.options);
  }

  listen(): void {
    setHandler(offsetsStateQuery, () => this.state());
    setHandler(configureSignal, ({ spec }) => {
      const same = JSON.stringify(spec) === JSON.stringify(this.input.spec);
      this.input = { ...this.input, spec };
      if (!same) this.keeper.interrupt();
    });
    setHandler(stopSignal, () => {
      this.stopping = true;
      this.keeper.interrupt();
    });
  }

  async live(): Promise<void> {
    for (let turn = 0; !this.stopping; turn += 1) {
      if (turn >= this.turnsOfRun || workflowInfo().continueAsNewSuggested) {
        await continueAsNew<typeof commitOffsets>(this.input);
      }
      this.enter('publishing');
      const outcome = await this.keeper.run(async () => await this.publish());
      if (outcome.kind !== 'failed' || this.stopping) continue;
      this.enter('backing-off');
      await this.keeper.backOff();
    }
    this.enter('stopped');
  }

  private async publish(): Promise<unknown> {
    const { publishOffsets } = proxyActivities<{ publishOffsets: ReturnType<typeof createPublishOffsets> }>({
      ...leaseOptions(this.options, this.options.taskQueues.windows),
      summary: `publish to group ${CONSUMER_GROUP}`,
    });
    const { leaseMs, publishEveryMs: everyMs } = this.options;
    return await publishOffsets({ spec: this.input.spec, leaseMs, everyMs });
  }

  private enter(phase: OffsetsState['phase']): void {
    this.phase = phase;
    setCurrentDetails(offsetsDetails(this.state()));
  }

  private message(): string {
    if (this.phase === 'stopped') return 'Stopped with its pipeline.';
    if (this.phase === 'backing-off') return `${this.keeper.failures.message ?? ''} It is tried again by itself.`;
    const seconds = this.options.publishEveryMs / 1000;
    return `The checkpoints are published as offsets of Kafka group "${CONSUMER_GROUP}" every ${seconds} s.`;
  }

  private state(): OffsetsState {
    const { phase } = this;
    return { phase, topic: this.input.spec.topic, failures: this.keeper.failures, message: this.message() };
  }
}
