// One lease on one partition: takes it over, ingests from its checkpoint for a bounded time, and hands it back.
import { Context } from '@temporalio/activity';
import type pg from 'pg';

import { openPartitionReader } from '../kafka/partition-reader.ts';
import type { PartitionReader } from '../kafka/partition-reader.ts';
import type { LoopWatch } from '../observability/health-record.ts';
import type { LoopReport } from '../observability/health.ts';
import type { IngestMetrics, LeaseStanding } from '../observability/ingest-metrics.ts';
import type { Checkpoint, Counts } from '../pipeline/checkpoint.ts';
import { must } from '../pipeline/ensure.ts';
import { NO_COUNTS, addCounts } from '../pipeline/micro-batch.ts';
import { formatOffset } from '../pipeline/offset.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { FencedError } from '../postgres/batch-committer.ts';
import { readCheckpoint, takeLease } from '../postgres/checkpoints.ts';
import { openLeaseSession } from '../postgres/pool.ts';
import type { SharedCommits } from '../postgres/shared-commits.ts';
import { isConflict } from '../postgres/sqlstate.ts';
import { CommitChain } from './commit-chain.ts';
import type { ChainProgress } from './commit-chain.ts';
import { toFailure } from './failures.ts';
import type { HeldLease, HeldLeases } from './held-leases.ts';

export type ConsumeDeps = {
  readonly pool: pg.Pool;
  readonly postgresUrl: string;
  readonly kafkaBrokers: readonly string[];
  readonly metrics: IngestMetrics;
  readonly held: HeldLeases;
  /** The leases of the process commit small batches together; each alone when absent. */
  readonly shared?: Pick<SharedCommits, 'commit'>;
  /** Where the lease is watched, so that one that is stuck is seen; nowhere when absent. */
  readonly loops?: LoopWatch;
};

export type ConsumeInput = {
  readonly spec: PipelineSpec;
  readonly partition: number;
  readonly leaseMs: number;
  /** Whether the worker that had the lease before may be gone; older workflow code doesn't say. */
  readonly workerGone?: boolean;
};

/**
 * `nextOffset`: where the checkpoint stands. `drained`: asked to stop before the lease was over. `yielded`: given back early
 * for another worker to take. `passed-on`: not begun, because this worker has its share; nothing happened.
 */
export type ConsumeResult = {
  readonly nextOffset: string;
  readonly counts: Counts;
  readonly reason: 'lease-over' | 'drained' | 'yielded' | 'passed-on';
};

/** Heartbeat details: hints for people; only the checkpoint row is the truth. */
type ConsumeHeartbeat = Omit<ChainProgress, 'nextOffset' | 'endOffset'> & {
  readonly nextOffset: string;
  readonly endOffset: string;
  readonly lag: number;
  /** Why nothing comes from Kafka at present; null while all is well. */
  readonly waitingFor: string | null;
};

const HEARTBEAT_EVERY_MS = 1_000;
/** A lease that has made no turn for this long stops heartbeating: Temporal gives the partition to another. */
const STUCK_AFTER_MS = 45_000;
/** Time that the commit in hand gets after the lease was asked to stop. */
const DRAIN_WITHIN_MS = 10_000;
const MOST_CONFLICTS = 5;

/** The activity `consumePartition`. Fails with type `LostRange` when the log no longer holds the next offset. */
export const createConsumePartition =
  (deps: ConsumeDeps) =>
  async (input: ConsumeInput): Promise<ConsumeResult> => {
    const context = Context.current();
    const of = { topic: input.spec.topic, partition: input.partition };
    const workerGone = input.workerGone ?? true;
    const passedOn = deps.held.passesOn(of, { workerGone }) ? await passOn(deps, input) : null;
    if (passedOn) return passedOn;
    const offeredMs = context.info.currentAttemptScheduledTimestampMs;
    const held = deps.held.begin(of, { offeredMs, workerGone });
    const lease = new Lease(deps, input, { stop: context.cancellationSignal, held });
    const ended = deps.metrics.leaseBegan(of, lease.standing);
    const unwatch = deps.loops?.watch(() => lease.turns());
    const heartbeats = setInterval(() => {
      const details = lease.heartbeat();
      if (details) context.heartbeat(details);
    }, HEARTBEAT_EVERY_MS);
    try {
      const result = await lease.run();
      // A paused activity must throw its cancellation: returning would complete it.
      if (context.cancellationDetails?.paused) throw context.cancellationSignal.reason;
      return result;
    } catch (error) {
      if (error === context.cancellationSignal.reason) throw error;
      if (error instanceof FencedError) deps.metrics.fenced(of);
      throw toFailure(error, lease.counts());
    } finally {
      clearInterval(heartbeats);
      unwatch?.();
      ended();
      held.end();
    }
  };

/** The answer of a worker that leaves the lease to another; null when only a lease can say where the partition stands. */
async function passOn({ pool }: ConsumeDeps, { spec, partition }: ConsumeInput): Promise<ConsumeResult | null> {
  const checkpoint = await readCheckpoint(pool, spec, partition).catch(() => null);
  if (!checkpoint) return null;
  return { nextOffset: formatOffset(checkpoint.nextOffset), counts: NO_COUNTS, reason: 'passed-on' };
}

class Lease {
  readonly #deps: ConsumeDeps;
  readonly #input: ConsumeInput;
  readonly #stop: AbortSignal;
  /** Aborts when the lease is to end early, whoever wants it. */
  readonly #signal: AbortSignal;
  readonly #endMs: number;
  #progress: ChainProgress | null = null;
  #chain: CommitChain | null = null;
  #reader: PartitionReader | null = null;
  #earlierCounts = NO_COUNTS;
  /** By the clock of performance.now(), like everything that only measures how long something takes. */
  #turnMs = performance.now();

  constructor(deps: ConsumeDeps, input: ConsumeInput, { stop, held }: { stop: AbortSignal; held: HeldLease }) {
    this.#deps = deps;
    this.#input = input;
    this.#stop = stop;
    this.#signal = AbortSignal.any([stop, held.yielded]);
    this.#endMs = Date.now() + input.leaseMs;
  }

  async run(): Promise<ConsumeResult> {
    const { spec, partition } = this.#input;
    let checkpoint = await takeLease(this.#deps.pool, spec, partition);
    for (let conflicts = 0; this.#goOn();) {
      const { epoch } = checkpoint;
      try {
        await this.#ingestFrom(checkpoint);
      } catch (error) {
        const drained = this.#signal.aborted && error === this.#signal.reason;
        if (!drained) {
          if (!isConflict(error) || ++conflicts > MOST_CONFLICTS) throw error;
          this.#deps.metrics.batchRetried({ topic: spec.topic, partition, cause: 'conflict' });
        }
      }
      this.#earlierCounts = this.counts();
      this.#progress = null;
      checkpoint = must(await readCheckpoint(this.#deps.pool, spec, partition), 'the checkpoint of the lease');
      if (checkpoint.epoch !== epoch) throw new FencedError({ spec, partition, epoch }, {});
    }
    return {
      nextOffset: formatOffset(checkpoint.nextOffset),
      counts: this.#earlierCounts,
      reason: this.#reason(),
    };
  }

  #reason(): ConsumeResult['reason'] {
    if (this.#stop.aborted) return 'drained';
    return this.#signal.aborted ? 'yielded' : 'lease-over';
  }

  /** Null while no turn was made for too long and Kafka is not the reason: a lease that is stuck must not look alive. */
  heartbeat(): ConsumeHeartbeat | Pick<ConsumeHeartbeat, 'waitingFor'> | null {
    const waitingFor = this.#reader?.waitingFor() ?? null;
    if (waitingFor === null && performance.now() - this.#turnMs > STUCK_AFTER_MS) return null;
    if (!this.#progress) return { waitingFor };
    const { nextOffset, endOffset, lagMs } = this.#progress;
    return {
      waitingFor,
      nextOffset: formatOffset(nextOffset),
      endOffset: formatOffset(endOffset),
      lag: endOffset - nextOffset,
      lagMs,
      counts: this.counts(),
    };
  }

  turns(): LoopReport {
    const { spec, partition } = this.#input;
    const name = `The lease of partition ${partition} of topic ${spec.topic}`;
    return { name, turnedMs: this.#turnMs, waitingFor: this.#reader?.waitingFor() ?? null };
  }

  /** Null while nothing is read. */
  readonly standing = (): LeaseStanding | null => this.#chain?.standing() ?? null;

  readonly #goOn = (): boolean => !this.#signal.aborted && Date.now() < this.#endMs;

  /** What it has committed so far. */
  counts(): Counts {
    return this.#progress ? addCounts(this.#earlierCounts, this.#progress.counts) : this.#earlierCounts;
  }

  /** One chain of commits, from the checkpoint to the end of the lease or the first failure. Opens and closes its parts. */
  async #ingestFrom(checkpoint: Checkpoint): Promise<void> {
    const { postgresUrl, kafkaBrokers, metrics, shared } = this.#deps;
    const { spec, partition } = this.#input;
    const client = await openLeaseSession({ url: postgresUrl, partition });
    try {
      const reader = await openPartitionReader({
        brokers: [...kafkaBrokers],
        topic: spec.topic,
        partition,
        fromOffset: checkpoint.nextOffset,
        signal: this.#signal,
      });
      this.#reader = reader;
      try {
        const chain = new CommitChain({ spec, checkpoint, reader, client, metrics, shared });
        this.#chain = chain;
        await this.#withinDrainTime(
          chain.run(this.#goOn, (progress) => {
            this.#turnMs = performance.now();
            this.#progress = progress;
          }),
        );
        this.#progress = chain.progress();
      } finally {
        this.#reader = null;
        this.#chain = null;
        await reader.close();
      }
    } finally {
      await client.end();
    }
  }

  /** Bounds the wait for the commit in hand once the lease was asked to stop: its outcome is then unknown, not awaited. */
  async #withinDrainTime(work: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      this.#signal.addEventListener('abort', () => {
        const error = new Error(
          `Partition ${this.#input.partition} did not finish its commit in ${DRAIN_WITHIN_MS} ms.`,
        );
        timer = setTimeout(() => reject(error), DRAIN_WITHIN_MS);
      });
    });
    try {
      await Promise.race([work, tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }
}
