// A pipeline with something of everything that dashboards show (late events, duplicates, dead letters, sessions, a generator), run
// by a worker process like a user's, and a Prometheus that scrapes it.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { Client, Connection } from '@temporalio/client';
import getPort from 'get-port';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { ensureTopic } from '../../kafka/topics.ts';
import { must } from '../../pipeline/ensure.ts';
import {
  deadLetterTopic,
  generatorId,
  lettersId,
  offsetsId,
  partitionId,
  pipelineId,
  windowsId,
} from '../../pipeline/ids.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { recordVerification } from '../../postgres/verifications.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { pageView } from '../support/messages.ts';
import { startPrometheus } from '../support/prometheus-server.ts';
import type { PrometheusServer } from '../support/prometheus-server.ts';
import { seededTopic } from '../support/seeded-topic.ts';
import type { SeededTopic } from '../support/seeded-topic.ts';
import type { Servers } from '../support/servers.ts';
import { A_CLEAN_RUN } from '../support/verification-run.ts';
import type { ProbedWorkerOptions } from '../workers/probed-worker-program.ts';

export type DashboardWorld = {
  readonly database: TestDatabase;
  readonly prometheus: PrometheusServer;
  readonly startedMs: number;
  /** Event time of the first message. */
  readonly historyFromMs: number;
  /** Sends five more minutes of event time, and some events that are late by then; nothing while earlier ones wait. */
  feed(): Promise<void>;
  close(): Promise<void>;
};

const PROGRAM = fileURLToPath(new URL('../workers/probed-worker-program.ts', import.meta.url));
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const PARTITIONS = 2;
const RATE = 5;
const MINUTE_MS = 60_000;
const PORTION = 5 * 60 * RATE;
const HISTORY_MINUTES = 400;
const LATE_AT_ONCE = 10;
const AN_ALERT = `groups: [{ name: test, rules: [{ alert: SomethingIsUp, expr: 'up == 1', labels: { severity: info } }] }]`;
/** Intervals that make a pipeline live in seconds what it lives in minutes. */
const QUICK = { leaseMs: 20_000, lookEveryMs: 1_000, pollEveryMs: 100, publishEveryMs: 300 };

/** Starts all of it; nothing is in the topic before the first `feed`. */
export async function openDashboardWorld(servers: Servers): Promise<DashboardWorld> {
  const queue = randomUUID();
  const taskQueues = { ingest: `ingest-${queue}`, windows: `windows-${queue}`, generator: `generator-${queue}` };
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.toReversed()) await closer();
  };
  try {
    const database = await freshDatabase();
    const historyFromMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - (HISTORY_MINUTES + 10) * MINUTE_MS;
    const history = await seededTopic(servers.kafkaBrokers, {
      partitions: PARTITIONS,
      count: HISTORY_MINUTES * 60 * RATE,
      startTimeMs: historyFromMs,
      rate: RATE,
      users: 200,
      duplicates: 0.02,
      malformed: 0.02,
    });
    closers.push(async () => await history.remove());
    const telemetryAddress = `127.0.0.1:${await getPort({ host: '127.0.0.1' })}`;
    const worker = await startWorker(servers, { taskQueues, telemetryAddress });
    closers.push(worker.end);
    const jobs = { weir: worker.metrics, 'temporal-sdk': telemetryAddress };
    const prometheus = await startPrometheus({ jobs, rules: AN_ALERT });
    closers.push(async () => await prometheus.stop());
    const startedMs = Date.now();
    await recordVerification(database.pool, { schema: database.schema, topic: history.topic }, A_CLEAN_RUN);
    const ended = await startWorkflows(servers, { topic: history.topic, schema: database.schema, taskQueues });
    closers.push(ended);
    return { database, prometheus, startedMs, historyFromMs, feed: feeder(history, database, historyFromMs), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function feeder(history: SeededTopic, { pool, schema }: TestDatabase, fromMs: number): () => Promise<void> {
  let made = 0;
  let sent = 0;
  return async () => {
    const { rows } = await pool.query<{ read: string | null }>(
      `select sum(next_offset) as read from ${quoteSchema(schema)}.checkpoints`,
    );
    if (Number(rows[0]?.read ?? 0) < sent) return;
    await history.send(made, made + PORTION);
    made += PORTION;
    const late = Array.from({ length: LATE_AT_ONCE }, (_, nth) =>
      pageView({ timestamp: new Date(fromMs + nth * 20_000).toISOString(), user_id: `late-${nth}` }),
    );
    await history.sendRaw(late.map((value, nth) => ({ value: JSON.stringify(value), partition: nth % PARTITIONS })));
    sent = made + (made / PORTION) * LATE_AT_ONCE;
  };
}

async function startWorker(
  { kafkaBrokers, postgresUrl, temporalAddress }: Servers,
  options: Pick<ProbedWorkerOptions, 'taskQueues' | 'telemetryAddress'>,
): Promise<{ metrics: string; end: () => Promise<void> }> {
  const addresses: ProbedWorkerOptions['addresses'] = {
    postgres: { url: postgresUrl },
    kafka: { brokers: kafkaBrokers },
    temporal: { address: temporalAddress, ui: '' },
  };
  // A worker's home is .weir where it is started; without one it has no disk to speak of.
  const folder = mkdtempSync(join(tmpdir(), 'weir-worker-'));
  mkdirSync(join(folder, '.weir'));
  const child = spawn(process.execPath, ['--import', TSX, PROGRAM, JSON.stringify({ ...options, addresses })], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  let log = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  let metrics: string | undefined;
  child.on('message', (message: { metrics?: string }) => {
    metrics = message.metrics ?? metrics;
  });
  const end = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true });
  };
  // Under load the bundle of the workflows alone takes minutes.
  const isReady = async (): Promise<boolean> => metrics !== undefined && (await fetch(`http://${metrics}/readyz`)).ok;
  try {
    await eventually(isReady, { deadlineMs: 600_000, what: 'the worker is ready' });
    return { metrics: must(metrics, 'an address'), end };
  } catch (error) {
    await end();
    throw new Error(`The worker does not start. Its log:\n${log}`, { cause: error });
  }
}

type Place = Pick<PipelineSpec, 'topic' | 'schema'> & Pick<ProbedWorkerOptions, 'taskQueues'>;

/** The pipeline, and a generator into a topic of its own: its live events would make those of the history late. */
async function startWorkflows(servers: Servers, { topic, schema, taskQueues }: Place): Promise<() => Promise<void>> {
  const connection = await Connection.connect({ address: servers.temporalAddress });
  const client = new Client({ connection });
  const spec: PipelineSpec = {
    topic,
    schema,
    latenessMs: 10_000,
    idleAfterMs: 30_000,
    maxFutureMs: 300_000,
    amendHorizonMs: 86_400_000,
    amendIntervalMs: 500,
    retentionMs: null,
    sessionGapMs: MINUTE_MS,
    sessionMaxMs: 60 * MINUTE_MS,
  };
  const options = { ...QUICK, taskQueues };
  const pipeline = { workflowId: pipelineId(topic), taskQueue: taskQueues.windows, args: [{ spec, options }] };
  await ensureTopic({ brokers: servers.kafkaBrokers, topic: deadLetterTopic(topic), partitions: 1 });
  await client.workflow.start('runPipeline', pipeline);
  const name = `shop-${randomUUID()}`;
  await ensureTopic({ brokers: servers.kafkaBrokers, topic: name, partitions: 1 });
  const generator = createGeneratorSpec({ topic: name, name, rate: 20 });
  await client.workflow.start('generateEvents', {
    workflowId: generatorId(name),
    taskQueue: taskQueues.generator,
    args: [{ spec: generator, options }],
  });
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partitionId(topic, partition));
  const ids = [
    pipelineId(topic),
    windowsId(topic),
    offsetsId(topic),
    lettersId(topic),
    ...partitions,
    generatorId(name),
  ];
  return async () => {
    await Promise.allSettled(ids.map((id) => client.workflow.getHandle(id).terminate('The test is over.')));
    await connection.close();
  };
}
