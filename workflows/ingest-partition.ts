// ingestPartition: owns one partition for as long as the pipeline lives.
//
// States: what is true, and what leaves it.
//   starting             before the first lease; the main loop leaves it at once.
//   ingesting            a lease of consumePartition runs. Its end leads to the next lease at once (still ingesting), also when
//                        a worker gave it back or passed it on because it has its share; a failure to backing-off, a lost range to its own state, pause and stop drain the lease and lead on.
//   backing-off          a lease failed; a timer runs (1 s growing to 10 s). Then ingesting; resume ends the wait early.
//   rewinding            a person asked for it; the lease has ended, and an activity moves the checkpoint back. Then paused or ingesting as before.
//   paused               a person or the pipeline asked for it; no lease runs. Resume by the same one leads to ingesting.
//   stopped: lost range  Kafka no longer holds the next offset (guarantee 8); no lease runs until a person accepts the gap or says
//                        resume, which looks again.
//   stopped              the pipeline asked for it and the lease has drained; the workflow returns.
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  log,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';

import type { ConsumeResult, createConsumePartition } from '../activities/consume-partition.ts';
import {
  configureSignal,
  partitionStateQuery,
  pausePartitionUpdate,
  pipelinePausedSignal,
  resumePartitionUpdate,
  stopSignal,
} from './commands.ts';
import type { PartitionPhase, PartitionState } from './commands.ts';
import { partitionDetails, partitionMessage } from './details.ts';
import { NO_FAILURES } from './failure-series.ts';
import { LeaseKeeper, leaseOptions } from './lease-keeper.ts';
import { LeaseRecord } from './lease-record.ts';
import { KnownLostRange } from './lost-range.ts';
import type { IngestPartitionInput } from './partition-input.ts';
import { PartitionReports } from './partition-reports.ts';
import { PartitionRewinds } from './partition-rewinds.ts';
import { isResting, mustRest, restingPhase, whyResting } from './resting.ts';
import type { RestReasons } from './resting.ts';
import { runOptions, turnsOfRun } from './run-options.ts';
import type { RunOptions } from './run-options.ts';

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
  private readonly turnsOfRun: number;
  private readonly keeper: LeaseKeeper;
  private phase: PartitionPhase = 'starting';
  private readonly leases: LeaseRecord;
  private pausedByPerson: boolean;
  private readonly lostRange: KnownLostRange;
  private readonly rewinds: PartitionRewinds;
  private stopping = false;
  private readonly reports: PartitionReports;

  constructor(input: IngestPartitionInput) {
    this.input = input;
    this.options = runOptions(input.options);
    this.turnsOfRun = turnsOfRun(this.options);
    this.keeper = new LeaseKeeper(this.options, input.carried?.failures);
    this.leases = new LeaseRecord(input.carried);
    this.pausedByPerson = input.carried?.pausedByPerson ?? false;
    this.lostRange = new KnownLostRange(this.options.taskQueues.ingest, input.carried?.lostRange);
    this.rewinds = new PartitionRewinds(this.options.taskQueues.ingest);
    this.reports = new PartitionReports(input.spec.topic, input.carried?.told);
  }

  listen(): void {
    setHandler(partitionStateQuery, () => this.state());
    setHandler(pausePartitionUpdate, async () => {
      this.pausedByPerson = true;
      this.keeper.interrupt();
      await condition(() => isResting(this.phase) || !this.pausedByPerson);
      return this.state();
    });
    setHandler(resumePartitionUpdate, () => {
      this.pausedByPerson = false;
      this.lostRange.forget();
      if (this.phase !== 'ingesting') this.keeper.interrupt();
      return this.state();
    });
    this.lostRange.listen({
      of: () => ({ spec: this.input.spec, partition: this.input.partition, phase: this.phase }),
      onAccepted: (gap) => {
        this.leases.nextOffset = gap.toOffset;
        this.keeper.failures = NO_FAILURES;
      },
    });
    this.rewinds.listen({
      isStopping: () => this.stopping,
      onAsked: () => this.keeper.interrupt(),
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
      const longEnough = turn >= this.turnsOfRun || workflowInfo().continueAsNewSuggested;
      // A handler that is still waiting for this very loop to rest must not wait for ever: then the next turn continues.
      if (longEnough && allHandlersFinished()) await this.continueIt();
      if (this.rewinds.areWanted) await this.rewind();
      else if (this.mustRest()) await this.rest();
      else await this.ingest();
    }
    this.rewinds.end();
    await this.enter('stopped');
    await condition(allHandlersFinished);
    return { nextOffset: this.leases.nextOffset };
  }

  private async ingest(): Promise<void> {
    this.leases.begin();
    await this.enter('ingesting');
    // Whatever asked for something else while the report was under way found no lease to interrupt.
    if (this.hasOtherToDo()) return;
    const outcome = await this.keeper.run(async () => await this.consume());
    if (outcome.kind === 'done') this.leases.end(outcome.value);
    if (outcome.kind === 'failed') await this.afterFailure(outcome.failure);
  }

  private async consume(): Promise<ConsumeResult> {
    const { spec, partition } = this.input;
    const { consumePartition } = proxyActivities<{ consumePartition: ReturnType<typeof createConsumePartition> }>({
      ...leaseOptions(this.options, this.options.taskQueues.ingest),
      summary: `lease ${this.leases.number} of partition ${partition}`,
    });
    const { workerGone } = this.keeper;
    return await consumePartition({ spec, partition, leaseMs: this.options.leaseMs, workerGone });
  }

  private async afterFailure(failure: unknown): Promise<void> {
    const { message } = this.keeper.failures;
    log.warn('A lease failed', { partition: this.input.partition, message });
    if (this.lostRange.learn(failure)) return;
    await this.enter('backing-off', { quiet: !this.reports.isWorthTelling(failure, this.keeper.failures) });
    if (!this.hasOtherToDo()) await this.keeper.backOff();
  }

  private async rest(): Promise<void> {
    const why = whyResting(this.reasons());
    await this.enter(restingPhase(this.reasons()));
    await condition(
      () => this.stopping || this.rewinds.areWanted || !this.mustRest() || why !== whyResting(this.reasons()),
    );
  }

  /** Reads nothing meanwhile. Where it was paused it rests again afterwards; what stood in its way is looked at anew. */
  private async rewind(): Promise<void> {
    await this.enter('rewinding', { quiet: true });
    const rewound = await this.rewinds.carryOut(this.input);
    if (rewound === null) return;
    this.leases.nextOffset = rewound.toOffset;
    this.lostRange.forget();
    this.keeper.failures = NO_FAILURES;
  }

  private hasOtherToDo(): boolean {
    return this.stopping || this.rewinds.areWanted || this.mustRest();
  }

  private mustRest(): boolean {
    return mustRest(this.reasons());
  }

  private reasons(): RestReasons {
    const { input, pausedByPerson } = this;
    return { lostRange: this.lostRange.sentence, pausedByPerson, pausedByPipeline: input.pausedByPipeline };
  }

  /** Shows the phase, and unless it is to be quiet tells the pipeline when the partition rests, fails, goes on or stops. */
  private async enter(phase: PartitionPhase, { quiet = false } = {}): Promise<void> {
    this.phase = phase;
    setCurrentDetails(partitionDetails(this.state(), { last: this.leases.last, lastLeaseMs: this.leases.lastMs }));
    if (quiet) return;
    const news = phase === 'paused' ? whyResting(this.reasons()) : phase;
    const { pausedByPerson } = this;
    await this.reports.tell(news, {
      partition: this.input.partition,
      phase,
      pausedByPerson,
      message: this.message(),
    });
  }

  private async continueIt(): Promise<never> {
    const { number: lease, nextOffset } = this.leases;
    const { carried: lostRange } = this.lostRange;
    const { told } = this.reports;
    const { failures } = this.keeper;
    const carried = { lease, nextOffset, pausedByPerson: this.pausedByPerson, lostRange, told, failures };
    return await continueAsNew<typeof ingestPartition>({ ...this.input, carried });
  }

  private message(): string {
    const failure = this.lostRange.sentence ?? this.keeper.failures.message;
    const { partition } = this.input;
    return partitionMessage(this.phase, {
      partition,
      lease: this.leases.number,
      failure,
      byPerson: this.pausedByPerson,
    });
  }

  private state(): PartitionState {
    const { phase, leases, pausedByPerson } = this;
    return {
      phase,
      topic: this.input.spec.topic,
      partition: this.input.partition,
      nextOffset: leases.nextOffset,
      lease: leases.number,
      leaseStartedMs: leases.startedMs,
      lastCounts: leases.last?.counts ?? null,
      lostRange: this.lostRange.offsets,
      failures: this.keeper.failures,
      pausedByPerson,
      pausedByPipeline: this.input.pausedByPipeline,
      message: this.message(),
    };
  }
}
