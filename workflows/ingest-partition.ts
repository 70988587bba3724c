// ingestPartition: owns one partition for as long as the pipeline lives.
//
// States: what is true, and what leaves it.
//   starting             before the first lease; the main loop leaves it at once.
//   ingesting            a lease of consumePartition runs. Its end leads to the next lease (still ingesting), a failure to
//                        backing-off, a lost range to its own state, pause and stop drain the lease and lead on.
//   backing-off          a lease failed; a timer runs (1 s doubling to 30 s). Then ingesting; resume ends the wait early.
//   paused               a person or the pipeline asked for it; no lease runs. Resume by the same one leads to ingesting.
//   stopped: lost range  Kafka no longer holds the next offset (guarantee 8); no lease runs until a person says resume.
//   stopped              the pipeline asked for it and the lease has drained; the workflow returns.
import {
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  log,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';

import type { ConsumeResult, createConsumePartition } from '../activities/consume-partition.ts';
import { pipelineId } from '../pipeline/ids.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import {
  configureSignal,
  partitionReportSignal,
  partitionStateQuery,
  pausePartitionUpdate,
  pipelinePausedSignal,
  resumePartitionUpdate,
  stopSignal,
} from './commands.ts';
import type { Failures, PartitionPhase, PartitionReport, PartitionState } from './commands.ts';
import { partitionDetails, partitionMessage } from './details.ts';
import { failureType } from './failure-series.ts';
import { LeaseKeeper, leaseOptions } from './lease-keeper.ts';
import { runOptions } from './run-options.ts';
import type { RunOptions } from './run-options.ts';

type Carried = {
  readonly lease: number;
  readonly nextOffset: string | null;
  readonly pausedByPerson: boolean;
  readonly lostRange: string | null;
  readonly failures: Failures;
};

export type IngestPartitionInput = {
  readonly spec: PipelineSpec;
  readonly partition: number;
  readonly pausedByPipeline: boolean;
  readonly options?: Partial<RunOptions>;
  /** What a run hands to the one it continues as. */
  readonly carried?: Carried;
};

/**
 * Renews bounded leases of `consumePartition`, one at a time, from the checkpoint in PostgreSQL, until its pipeline stops it.
 * Failures make it back off and say so; pause and stop let the lease commit the batch in hand first.
 * Continues as new every few hundred leases.
 */
export async function ingestPartition(input: IngestPartitionInput): Promise<{ readonly nextOffset: string | null }> {
  const life = new PartitionLife(input);
  life.listen();
  return await life.live();
}

class PartitionLife {
  private input: IngestPartitionInput;
  private readonly options: RunOptions;
  private readonly keeper: LeaseKeeper;
  private phase: PartitionPhase = 'starting';
  private lease: number;
  private leaseStartedMs: number | null = null;
  private last: ConsumeResult | null = null;
  private lastLeaseMs = 0;
  private nextOffset: string | null;
  private pausedByPerson: boolean;
  private lostRange: string | null;
  private stopping = false;
  private reported = 'ingesting';

  constructor(input: IngestPartitionInput) {
    this.input = input;
    this.options = runOptions(input.options);
    this.keeper = new LeaseKeeper(this.options, input.carried?.failures);
    this.lease = input.carried?.lease ?? 0;
    this.nextOffset = input.carried?.nextOffset ?? null;
    this.pausedByPerson = input.carried?.pausedByPerson ?? false;
    this.lostRange = input.carried?.lostRange ?? null;
  }

  listen(): void {
    setHandler(partitionStateQuery, () => this.state());
    setHandler(pausePartitionUpdate, async () => {
      this.pausedByPerson = true;
      this.keeper.interrupt();
      await condition(() => this.resting() || !this.pausedByPerson);
      return this.state();
    });
    setHandler(resumePartitionUpdate, () => {
      this.pausedByPerson = false;
      this.lostRange = null;
      if (this.phase !== 'ingesting') this.keeper.interrupt();
      return this.state();
    });
    setHandler(pipelinePausedSignal, (paused) => {
      this.input = { ...this.input, pausedByPipeline: paused };
      if (paused) this.keeper.interrupt();
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

  async live(): Promise<{ nextOffset: string | null }> {
    for (let turn = 0; !this.stopping; turn += 1) {
      const longEnough = turn >= this.options.turnsPerRun || workflowInfo().continueAsNewSuggested;
      // A handler that is still waiting for this very loop to rest must not wait for ever: then the next turn continues.
      if (longEnough && allHandlersFinished()) await this.continueIt();
      if (this.mustRest()) await this.rest();
      else await this.ingest();
    }
    await this.enter('stopped');
    await condition(allHandlersFinished);
    return { nextOffset: this.nextOffset };
  }

  private async ingest(): Promise<void> {
    this.lease += 1;
    this.leaseStartedMs = Date.now();
    await this.enter('ingesting');
    // Whatever asked for rest or an end while the report was under way found no lease to interrupt.
    if (this.mustRest() || this.stopping) return;
    const outcome = await this.keeper.run(async () => await this.consume());
    if (outcome.kind === 'done') {
      this.last = outcome.value;
      this.lastLeaseMs = Date.now() - this.leaseStartedMs;
      this.nextOffset = outcome.value.nextOffset;
    }
    if (outcome.kind === 'failed') await this.afterFailure(outcome.failure);
  }

  private async consume(): Promise<ConsumeResult> {
    const { spec, partition } = this.input;
    const { consumePartition } = proxyActivities<{ consumePartition: ReturnType<typeof createConsumePartition> }>({
      ...leaseOptions(this.options, this.options.taskQueues.ingest),
      summary: `lease ${this.lease} of partition ${partition}`,
    });
    return await consumePartition({ spec, partition, leaseMs: this.options.leaseMs });
  }

  private async afterFailure(failure: unknown): Promise<void> {
    const { message } = this.keeper.failures;
    log.warn('A lease failed', { partition: this.input.partition, message });
    if (failureType(failure) === 'LostRange') {
      this.lostRange = message;
      return;
    }
    await this.enter('backing-off');
    if (!this.mustRest() && !this.stopping) await this.keeper.backOff();
  }

  private async rest(): Promise<void> {
    const why = this.whyResting();
    await this.enter(this.restingPhase());
    await condition(() => this.stopping || !this.mustRest() || why !== this.whyResting());
  }

  private mustRest(): boolean {
    return this.lostRange !== null || this.pausedByPerson || this.input.pausedByPipeline;
  }

  private restingPhase(): PartitionPhase {
    return this.lostRange === null ? 'paused' : 'stopped: lost range';
  }

  private whyResting(): string {
    return `${this.restingPhase()} ${this.pausedByPerson ? 'by a person' : ''}`;
  }

  private resting(): boolean {
    return this.phase === 'paused' || this.phase === 'stopped: lost range' || this.phase === 'stopped';
  }

  /** Shows the phase, and tells the pipeline when partitions rest, go on or stop; a pipeline that is gone is no reason to fail. */
  private async enter(phase: PartitionPhase): Promise<void> {
    this.phase = phase;
    setCurrentDetails(partitionDetails(this.state(), { last: this.last, lastLeaseMs: this.lastLeaseMs }));
    const news = phase === 'paused' ? this.whyResting() : phase;
    if (news === this.reported || phase === 'backing-off') return;
    this.reported = news;
    const { spec, partition } = this.input;
    const report: PartitionReport = { partition, phase, pausedByPerson: this.pausedByPerson, message: this.message() };
    await CancellationScope.nonCancellable(async () => {
      await getExternalWorkflowHandle(pipelineId(spec.topic))
        .signal(partitionReportSignal, report)
        .catch(() => {});
    });
  }

  private async continueIt(): Promise<never> {
    const { lease, nextOffset, pausedByPerson, lostRange } = this;
    const carried = { lease, nextOffset, pausedByPerson, lostRange, failures: this.keeper.failures };
    return await continueAsNew<typeof ingestPartition>({ ...this.input, carried });
  }

  private message(): string {
    const failure = this.lostRange ?? this.keeper.failures.message;
    const { partition } = this.input;
    return partitionMessage(this.phase, { partition, lease: this.lease, failure, byPerson: this.pausedByPerson });
  }

  private state(): PartitionState {
    const { phase, nextOffset, lease, leaseStartedMs, pausedByPerson } = this;
    return {
      phase,
      topic: this.input.spec.topic,
      partition: this.input.partition,
      nextOffset,
      lease,
      leaseStartedMs,
      lastCounts: this.last?.counts ?? null,
      failures: this.keeper.failures,
      pausedByPerson,
      pausedByPipeline: this.input.pausedByPipeline,
      message: this.message(),
    };
  }
}
