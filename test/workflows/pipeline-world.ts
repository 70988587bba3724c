// A pipeline on real servers, for tests: a topic, a schema and task queues of its own, and workers that come and go.
import { randomUUID } from 'node:crypto';

import { Client, Connection } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { Runtime, bundleWorkflowCode } from '@temporalio/worker';
import type { WorkflowBundleOption } from '@temporalio/worker';
import type { Admin } from 'kafkajs';
import type pg from 'pg';

import { connectKafka } from '../../kafka/client.ts';
import { openEventWriter } from '../../kafka/event-writer.ts';
import { ensureTopic } from '../../kafka/topics.ts';
import { openLog } from '../../observability/log.ts';
import { openMetrics } from '../../observability/metrics.ts';
import type { Metrics } from '../../observability/metrics.ts';
import { unaccountedOffsets } from '../../pipeline/checkpoint.ts';
import { deadLetterTopic, lettersId, offsetsId, partitionId, pipelineId, windowsId } from '../../pipeline/ids.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { migrate } from '../../postgres/migrate.ts';
import { openPool } from '../../postgres/pool.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { readCheckpoints } from '../../postgres/checkpoints.ts';
import { runWorker } from '../../workers/worker.ts';
import { workflowsPath } from '../../workers/workflow-bundle.ts';
import type { runPipeline } from '../../workflows/run-pipeline.ts';
import type { RunOptions, TaskQueues } from '../../workflows/run-options.ts';
import { eventually } from '../support/eventually.ts';
import type { Servers } from '../support/servers.ts';

/** Intervals that make a pipeline live in seconds what it lives in minutes. */
const QUICK: Partial<RunOptions> = {
  leaseMs: 5_000,
  heartbeatTimeoutMs: 5_000,
  backoffFirstMs: 200,
  backoffLongestMs: 1_000,
  lookEveryMs: 1_000,
  pollEveryMs: 100,
  publishEveryMs: 300,
  answerWithinMs: 15_000,
};

const SILENT = { trace: () => {}, debug: () => {}, info: () => {}, log: () => {}, warn: () => {}, error: () => {} };
let bundle: Promise<WorkflowBundleOption> | null = null;

/** The workflow bundle, made once per process. */
function workflowBundle(): Promise<WorkflowBundleOption> {
  bundle ??= bundleWorkflowCode({ workflowsPath: workflowsPath(), logger: SILENT });
  return bundle;
}

export function freshTaskQueues(): TaskQueues {
  const name = randomUUID().slice(0, 8);
  return { ingest: `ingest-${name}`, windows: `windows-${name}`, generator: `generator-${name}` };
}

/** A worker of this process, on queues that no other test polls; `ofBuild`: the workflows of another build. */
export type TestWorker = { readonly taskQueues: TaskQueues; readonly metrics: Metrics; drain(): Promise<void> };

export async function startWorker(
  servers: Servers,
  taskQueues = freshTaskQueues(),
  ofBuild: WorkflowBundleOption | null = null,
): Promise<TestWorker> {
  silenceTemporal();
  const stop = new AbortController();
  const metrics = openMetrics({ processMetrics: false });
  const worker = runWorker({
    addresses: {
      kafka: { brokers: servers.kafkaBrokers },
      postgres: { url: servers.postgresUrl },
      temporal: { address: servers.temporalAddress },
    },
    settings: { partitions: 60, temporalNamespace: 'default' },
    log: openLog({ name: 'test worker', level: 'silent' }),
    metrics,
    signal: stop.signal,
    taskQueues,
    workflowBundle: ofBuild ?? (await workflowBundle()),
  });
  const drain = async (): Promise<void> => {
    stop.abort();
    await worker;
  };
  return { taskQueues, metrics, drain };
}

let silenced = false;

function silenceTemporal(): void {
  const logging = { forward: {}, filter: 'OFF' };
  if (!silenced) Runtime.install({ logger: SILENT, shutdownSignals: [], telemetryOptions: { logging } });
  silenced = true;
}

type Given = { readonly partitions?: number; readonly migrated?: boolean; readonly options?: Partial<RunOptions> };

/** Opens a world whose workers poll `taskQueues`, runs `work` in it, and takes it down again. */
export async function inWorld(
  { servers, taskQueues, ...given }: Given & { readonly servers: Servers; readonly taskQueues: TaskQueues },
  work: (world: PipelineWorld) => Promise<void>,
): Promise<void> {
  const world = await PipelineWorld.open(servers, taskQueues, given);
  try {
    await work(world);
  } finally {
    await world.close();
  }
}

type RunOptionsOnQueues = Partial<RunOptions> & Pick<RunOptions, 'taskQueues'>;

export class PipelineWorld {
  readonly spec: PipelineSpec;
  readonly servers: Servers;
  readonly taskQueues: TaskQueues;
  readonly options: Partial<RunOptions>;
  readonly client: Client;
  readonly pool: pg.Pool;
  readonly #connection: Connection;

  private constructor(place: { servers: Servers; connection: Connection }, options: RunOptionsOnQueues) {
    const { servers, connection } = place;
    const name = randomUUID().slice(0, 8);
    this.servers = servers;
    this.#connection = connection;
    this.client = new Client({ connection });
    this.taskQueues = options.taskQueues;
    this.options = { ...QUICK, ...options };
    this.spec = {
      topic: `pipeline-${name}`,
      schema: `t_${name}`,
      latenessMs: 20_000,
      idleAfterMs: 1_000,
      maxFutureMs: 300_000,
      amendHorizonMs: 86_400_000,
      amendIntervalMs: 500,
      retentionMs: null,
    };
    this.pool = openPool({ url: servers.postgresUrl, max: 3, applicationName: this.spec.schema });
  }

  /** A topic with `partitions` partitions and a migrated schema; nothing runs yet. */
  static async open(
    servers: Servers,
    taskQueues: TaskQueues,
    { partitions = 2, migrated = true, options = {} }: Given = {},
  ): Promise<PipelineWorld> {
    const connection = await Connection.connect({ address: servers.temporalAddress });
    const world = new PipelineWorld({ servers, connection }, { taskQueues, ...options });
    await ensureTopic({ brokers: servers.kafkaBrokers, topic: world.spec.topic, partitions });
    if (migrated) await world.migrate();
    return world;
  }

  async migrate(): Promise<void> {
    await migrate({ url: this.servers.postgresUrl, schema: this.spec.schema });
  }

  /** Runs `work` with an admin connection to Kafka. */
  async withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = connectKafka({ brokers: this.servers.kafkaBrokers, clientId: 'weir-test' }).kafka.admin();
    await admin.connect();
    try {
      return await work(admin);
    } finally {
      await admin.disconnect();
    }
  }

  /** Terminates what is left of the pipeline and drops its schema and topic. */
  async close(): Promise<void> {
    const { topic, schema } = this.spec;
    const beside = [windowsId, offsetsId, lettersId].map((id) => id(topic));
    const ids = [pipelineId(topic), ...beside, ...this.partitionIds(6)];
    const end = (id: string): Promise<unknown> => this.client.workflow.getHandle(id).terminate('The test is over.');
    await Promise.allSettled(ids.map(end));
    // A lease that has not heard of its end yet may be committing: PostgreSQL then ends one of the two as a deadlock.
    await eventually(async () => await this.pool.query(`drop schema if exists ${quoteSchema(schema)} cascade`), {
      deadlineMs: 30_000,
      what: 'the schema is dropped',
    });
    await this.pool.end();
    await this.#connection.close();
    const topics = [topic, deadLetterTopic(topic)];
    await this.withAdmin(async (admin) => await admin.deleteTopics({ topics }).catch(() => {}));
  }

  partitionIds(count: number): string[] {
    return Array.from({ length: count }, (_, partition) => partitionId(this.spec.topic, partition));
  }

  async start(): Promise<WorkflowHandle<typeof runPipeline>> {
    return await this.client.workflow.start<typeof runPipeline>('runPipeline', {
      workflowId: pipelineId(this.spec.topic),
      taskQueue: this.taskQueues.windows,
      args: [{ spec: this.spec, options: this.options }],
      memo: { spec: this.spec },
    });
  }

  /** The answer of the Query `state`. */
  async state<T>(id: string): Promise<T> {
    return await this.client.workflow.getHandle(id).query<T>('state');
  }

  /** Writes messages to the topic, as many as there are JSON values; partitions by user. */
  async send(values: readonly Record<string, unknown>[]): Promise<void> {
    const writer = await openEventWriter({ brokers: this.servers.kafkaBrokers, topic: this.spec.topic });
    try {
      const timestampMs = Date.now();
      await writer.write(
        values.map((value) => ({ key: String(value.user_id), value: Buffer.from(JSON.stringify(value)), timestampMs })),
      );
    } finally {
      await writer.close();
    }
  }

  /** Offsets ingested over all partitions; fails when the conservation law does not hold. */
  async ingested(): Promise<number> {
    const checkpoints = await readCheckpoints(this.pool, this.spec);
    for (const checkpoint of checkpoints) {
      if (unaccountedOffsets(checkpoint) !== 0)
        throw new Error(`Offsets are unaccounted for: ${JSON.stringify(checkpoint)}`);
    }
    return checkpoints.reduce((sum, { nextOffset }) => sum + nextOffset, 0);
  }

  async untilIngested(count: number): Promise<void> {
    await eventually(async () => (await this.ingested()) >= count, {
      deadlineMs: 60_000,
      what: `${count} messages ingested`,
    });
  }

  async count(from: string): Promise<number> {
    const { rows } = await this.pool.query<{ n: number }>(
      `select count(*)::int as n from ${quoteSchema(this.spec.schema)}.${from}`,
    );
    return rows[0]?.n ?? 0;
  }
}

let made = 0;

/** A valid page view at `at` (ISO text) of one of ten users. */
export function eventAt(at: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
  made += 1;
  return {
    event_id: randomUUID(),
    event_type: 'page_view',
    user_id: `user-${made % 10}`,
    timestamp: at,
    device: 'mobile',
    location: 'Berlin',
    session_id: `session-${made % 10}`,
    page: 'product',
    referrer: 'search',
    duration_seconds: 12,
    ...changes,
  };
}

/** `count` events, one every `stepMs` from `from` on. */
export function eventsFrom(from: string, count: number, stepMs = 1_000): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, index) =>
    eventAt(new Date(Date.parse(from) + index * stepMs).toISOString()),
  );
}
