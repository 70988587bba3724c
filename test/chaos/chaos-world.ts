// The pipeline under chaos: servers of its own, two workers, a generator in a third process, and somebody who watches.
import { Client, Connection } from '@temporalio/client';
import type pg from 'pg';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import type { GeneratorSpec } from '../../generator/generator-spec.ts';
import type { Segment } from '../../generator/pace.ts';
import { ensureDeadLetterTopic } from '../../kafka/dead-letter-topic.ts';
import { ensureTopic } from '../../kafka/topics.ts';
import { TASK_QUEUES, generatorId, pipelineId } from '../../pipeline/ids.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { migrate } from '../../postgres/migrate.ts';
import { openPool } from '../../postgres/pool.ts';
import type { GeneratorState } from '../../workflows/generator-state.ts';
import { eventually } from '../support/eventually.ts';
import { ChaosStack } from './chaos-stack.ts';
import { CommitWatch } from './commit-watch.ts';
import { ProbeWatch } from './probe-watch.ts';
import { StruckWorker } from './struck-worker.ts';

const PARTITIONS = 6;
const TOPIC = 'chaos';
const SHARES = { disorder: 0.02, duplicates: 0.01, malformed: 0.003, late: 0.003 };
/** Late means older than the lateness here: these meet windows that have closed, and stay far within the amend horizon. */
const LATE_FROM_MS = 60_000;
const LATE_TO_MS = 300_000;

export type WorldOptions = {
  readonly seed: number;
  readonly rate: number;
  readonly report: (line: string) => void;
};

export class ChaosWorld {
  readonly spec: PipelineSpec = {
    topic: TOPIC,
    schema: 'chaos',
    latenessMs: 20_000,
    idleAfterMs: 30_000,
    maxFutureMs: 300_000,
    amendHorizonMs: 86_400_000,
    amendIntervalMs: 10_000,
    // Short enough that sessions end, are cut and are merged by late events while faults go on.
    sessionGapMs: 60_000,
    sessionMaxMs: 300_000,
    retentionMs: null,
  };
  readonly generatorSpec: GeneratorSpec;
  readonly stack: ChaosStack;
  readonly pool: pg.Pool;
  readonly client: Client;
  readonly watch: CommitWatch;
  readonly probes: ProbeWatch;
  readonly workers: readonly StruckWorker[];
  readonly generator: StruckWorker;
  /** Of the topic at present. */
  partitions = PARTITIONS;
  readonly #connection: Connection;
  readonly #segments = new Map<number, Segment>();

  private constructor(
    { seed, rate }: WorldOptions,
    parts: { stack: ChaosStack; connection: Connection; workers: StruckWorker[]; generator: StruckWorker },
  ) {
    this.generatorSpec = createGeneratorSpec({
      topic: TOPIC,
      name: TOPIC,
      seed,
      rate,
      lateFromMs: LATE_FROM_MS,
      lateToMs: LATE_TO_MS,
      ...SHARES,
    });
    this.stack = parts.stack;
    this.workers = parts.workers;
    this.generator = parts.generator;
    this.#connection = parts.connection;
    const { url } = parts.stack.addresses.postgres;
    this.client = new Client({ connection: parts.connection });
    this.pool = openPool({ url, max: 4, applicationName: 'weir chaos' });
    this.watch = new CommitWatch(url, this.spec);
    this.probes = new ProbeWatch([...this.workers, this.generator]);
  }

  /** Everything up and ingesting: every partition has committed. */
  static async open(options: WorldOptions): Promise<ChaosWorld> {
    const stack = await ChaosStack.start(options.report);
    const { addresses, home } = stack;
    await migrate({ url: addresses.postgres.url, schema: 'chaos' });
    await ensureTopic({ brokers: addresses.kafka.brokers, topic: TOPIC, partitions: PARTITIONS });
    await ensureDeadLetterTopic({ brokers: addresses.kafka.brokers, topic: TOPIC });
    const open = async (name: string, roles: StruckWorkerRoles): Promise<StruckWorker> =>
      await StruckWorker.open({ name, roles, home, addresses });
    const workers = [await open('worker-1', ['ingest', 'windows']), await open('worker-2', ['ingest', 'windows'])];
    const generator = await open('generator', ['generator']);
    const connection = await Connection.connect({ address: addresses.temporal.address });
    const world = new ChaosWorld(options, { stack, connection, workers, generator });
    const { spec, client } = world;
    await client.workflow.start('runPipeline', {
      workflowId: pipelineId(spec.topic),
      taskQueue: TASK_QUEUES.windows,
      args: [{ spec }],
    });
    await client.workflow.start('generateEvents', {
      workflowId: generatorId(TOPIC),
      taskQueue: TASK_QUEUES.generator,
      args: [{ spec: world.generatorSpec }],
    });
    await eventually(() => world.recoveredAt(0) !== null, { deadlineMs: 120_000, what: 'every partition commits' });
    await world.noteSegment();
    return world;
  }

  /** Writes down which segment of its schedule the generator is in: one that fell far behind has begun another. */
  async noteSegment(): Promise<void> {
    const handle = this.client.workflow.getHandle(generatorId(TOPIC));
    const within = { deadlineMs: 120_000, what: 'the generator says where it is' };
    const { segment } = await eventually(async () => await handle.query<GeneratorState>('state'), within);
    this.#segments.set(segment.fromIndex, segment);
  }

  /** All segments so far, in order; `last` is the one in which the generator ended. */
  segments(last: Segment): Segment[] {
    this.#segments.set(last.fromIndex, last);
    return [...this.#segments.values()].toSorted((one, other) => one.fromIndex - other.fromIndex);
  }

  /** When the last partition had its first commit after this moment; null while one has none. */
  recoveredAt(afterMs: number): number | null {
    let lastMs = afterMs;
    for (let partition = 0; partition < this.partitions; partition += 1) {
      const firstMs = this.watch.firstAfter(partition, afterMs);
      if (firstMs === null) return null;
      lastMs = Math.max(lastMs, firstMs);
    }
    return lastMs;
  }

  /** Waits until every worker takes work: one that is still starting cannot take over from the next one that is struck. */
  async complete(): Promise<void> {
    await eventually(() => [...this.workers, this.generator].every(({ isPolling }) => isPolling), {
      deadlineMs: 120_000,
      what: 'every worker polls',
    });
  }

  /** Ends whatever a fault may have left behind. */
  async heal(): Promise<void> {
    for (const worker of [...this.workers, this.generator]) {
      await worker.heal();
      if (!worker.isRunning) worker.start();
    }
    await this.stack.startAgain();
  }

  async close({ logsTo }: { logsTo: string | null }): Promise<void> {
    await this.probes.close();
    await Promise.all([...this.workers, this.generator].map(async (worker) => await worker.close()));
    await this.watch.close();
    await this.pool.end();
    await this.#connection.close();
    await this.stack.close({ logsTo });
  }
}

type StruckWorkerRoles = Parameters<typeof StruckWorker.open>[0]['roles'];
