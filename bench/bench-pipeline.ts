// The pipeline that a bench measures: a topic, a schema and task queues of its own, workers in processes of their own.
import { randomUUID } from 'node:crypto';

import { Client, Connection } from '@temporalio/client';
import type pg from 'pg';

import type { GeneratorSpec } from '../generator/generator-spec.ts';
import { connectKafka } from '../kafka/client.ts';
import { ensureDeadLetterTopic } from '../kafka/dead-letter-topic.ts';
import { ensureTopic, partitionOffsets } from '../kafka/topics.ts';
import type { PartitionOffsets } from '../kafka/topics.ts';
import type { StackAddresses } from '../local/stack.ts';
import {
  deadLetterTopic,
  generatorId,
  lettersId,
  offsetsId,
  partitionId,
  pipelineId,
  windowsId,
} from '../pipeline/ids.ts';
import { clientSecurity } from '../local/temporal-security.ts';
import { formatOffset } from '../pipeline/offset.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { migrate } from '../postgres/migrate.ts';
import { openPool } from '../postgres/pool.ts';
import { quoteSchema } from '../postgres/schema-name.ts';
import { startWorkerProcess } from './worker-process.ts';
import type { WorkerProcess } from './worker-process.ts';

/** What Kafka's protocol calls a topic among the things that have a configuration. */
const TOPIC_RESOURCE = 2;

export type BenchOptions = {
  readonly addresses: StackAddresses;
  readonly temporalNamespace: string;
  readonly partitions: number;
  readonly report: (line: string) => void;
  /** Leaves the topic and the schema behind, to be looked at. */
  readonly keep: boolean;
};

/** Settings of a bench's pipeline that are its own; partitions are idle after 30 s unless it says otherwise. */
type Times = Pick<PipelineSpec, 'latenessMs'> & Partial<Pick<PipelineSpec, 'idleAfterMs'>>;

/** Everything is named anew, so that runs do not meet. */
export class BenchPipeline {
  readonly options: BenchOptions;
  readonly spec: PipelineSpec;
  readonly pool: pg.Pool;
  readonly client: Client;
  readonly #connection: Connection;
  readonly #queues: { ingest: string; windows: string; generator: string };
  readonly #processes: WorkerProcess[] = [];

  private constructor(options: BenchOptions, connection: Connection, times: Times) {
    const id = randomUUID();
    this.options = options;
    this.#connection = connection;
    this.client = new Client({ connection, namespace: options.temporalNamespace });
    this.#queues = { ingest: `bench-ingest-${id}`, windows: `bench-windows-${id}`, generator: `bench-generator-${id}` };
    this.pool = openPool({ url: options.addresses.postgres.url, max: 4, applicationName: 'weir bench' });
    this.spec = {
      topic: `bench-${id}`,
      schema: `bench_${id.replaceAll('-', '').slice(0, 16)}`,
      idleAfterMs: 30_000,
      ...times,
      maxFutureMs: 300_000,
      amendHorizonMs: 86_400_000,
      amendIntervalMs: 10_000,
      retentionMs: null,
    };
  }

  /** Makes the topic and the tables. */
  static async open(options: BenchOptions, times: Times): Promise<BenchPipeline> {
    const connection = await Connection.connect({
      address: options.addresses.temporal.address,
      ...clientSecurity(),
    });
    const bench = new BenchPipeline(options, connection, times);
    const { brokers } = options.addresses.kafka;
    const { topic, schema } = bench.spec;
    await migrate({ url: options.addresses.postgres.url, schema });
    await ensureTopic({ brokers, topic, partitions: options.partitions });
    await ensureDeadLetterTopic({ brokers, topic });
    const admin = connectKafka({ brokers }).kafka.admin();
    await admin.connect();
    // Kafka deletes by the messages' own timestamps: a history would be gone within minutes.
    const keepForEver = {
      type: TOPIC_RESOURCE,
      name: topic,
      configEntries: [{ name: 'retention.ms', value: '-1' }],
    };
    await admin.alterConfigs({ validateOnly: false, resources: [keepForEver] });
    await admin.disconnect();
    return bench;
  }

  async startWorker(roles: readonly ('ingest' | 'windows' | 'generator')[]): Promise<WorkerProcess> {
    const { addresses, partitions, temporalNamespace } = this.options;
    const process = await startWorkerProcess({
      addresses,
      settings: { partitions, temporalNamespace },
      roles,
      taskQueues: this.#queues,
    });
    this.#processes.push(process);
    return process;
  }

  async startPipeline(): Promise<void> {
    await this.client.workflow.start('runPipeline', {
      workflowId: pipelineId(this.spec.topic),
      taskQueue: this.#queues.windows,
      args: [{ spec: this.spec, options: { taskQueues: this.#queues } }],
    });
  }

  /** Lets every partition commit the batch in hand and rest; what has passed goes on closing. Throws when one does not rest. */
  async pause(): Promise<void> {
    const pipeline = this.client.workflow.getHandle(pipelineId(this.spec.topic));
    const { phase } = await pipeline.executeUpdate<{ phase: string }, []>('pause');
    if (phase !== 'paused') {
      throw new Error(`The pipeline of the bench is ${phase} after it was asked to pause; see the log of its worker.`);
    }
  }

  async resume(): Promise<void> {
    await this.client.workflow.getHandle(pipelineId(this.spec.topic)).executeUpdate('resume');
  }

  /** Starts a paced generator; returns how to end it. */
  async startGenerator(spec: GeneratorSpec): Promise<() => Promise<void>> {
    const handle = await this.client.workflow.start('generateEvents', {
      workflowId: generatorId(spec.name),
      taskQueue: this.#queues.generator,
      args: [{ spec, options: { taskQueues: this.#queues } }],
    });
    return async () => {
      await handle.executeUpdate('stop');
      await handle.result();
    };
  }

  async offsets(): Promise<PartitionOffsets[]> {
    const { brokers } = this.options.addresses.kafka;
    return await partitionOffsets({ brokers, topic: this.spec.topic });
  }

  /** Tells the workflow that closes windows where the topic ends; false while it is not there yet. */
  async endStream(ends: readonly PartitionOffsets[]): Promise<boolean> {
    const endOffsets = Object.fromEntries(
      ends.map(({ partition, endOffset }) => [String(partition), formatOffset(endOffset)]),
    );
    try {
      const windows = this.client.workflow.getHandle(windowsId(this.spec.topic));
      await windows.executeUpdate('endStream', { args: [{ endOffsets }] });
      return true;
    } catch {
      return false;
    }
  }

  /** Whether every window of an ended stream is closed. */
  async hasEnded(): Promise<boolean> {
    const windows = this.client.workflow.getHandle(windowsId(this.spec.topic));
    return (await windows.query<{ stream: string }>('state')).stream === 'ended';
  }

  async stopPipeline(): Promise<void> {
    await this.client.workflow.getHandle(pipelineId(this.spec.topic)).executeUpdate('stop');
    for (const process of this.#processes.splice(0)) await process.stop();
  }

  /** Workflows that an orderly stop has ended refuse it. The pipeline first: it would start its children again. */
  async #terminate(): Promise<void> {
    const { topic } = this.spec;
    const partitions = Array.from({ length: this.options.partitions }, (_, partition) => partitionId(topic, partition));
    const beside = [windowsId, offsetsId, lettersId].map((id) => id(topic));
    for (const id of [pipelineId(topic), generatorId(topic), ...beside, ...partitions]) {
      await this.client.workflow
        .getHandle(id)
        .terminate('The bench is over.')
        .catch(() => {});
    }
  }

  /** Ends what still runs and removes what was made, unless it is to be kept. */
  async close({ keep = this.options.keep }: { keep?: boolean } = {}): Promise<void> {
    const { options, spec } = this;
    await Promise.allSettled(this.#processes.splice(0).map(async (process) => await process.stop()));
    await this.#terminate();
    if (!keep) {
      await this.pool.query(`drop schema if exists ${quoteSchema(spec.schema)} cascade`);
      const admin = connectKafka({ brokers: options.addresses.kafka.brokers }).kafka.admin();
      await admin.connect();
      await admin.deleteTopics({ topics: [spec.topic, deadLetterTopic(spec.topic)] });
      await admin.disconnect();
    }
    await this.pool.end();
    await this.#connection.close();
  }
}
