// A pipeline as users run it: workflows on a Temporal server and a worker, on task queues of the test's own.
import { randomUUID } from 'node:crypto';

import { Client, Connection } from '@temporalio/client';

import { partitionOffsets } from '../../kafka/topics.ts';
import { openLog } from '../../observability/log.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { pipelineId, windowsId } from '../../pipeline/ids.ts';
import { formatOffset } from '../../pipeline/offset.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { readCheckpoints } from '../../postgres/checkpoints.ts';
import { readClock } from '../../postgres/closed-through.ts';
import { lateEventsWaiting } from '../../postgres/late-events.ts';
import { installRuntime } from '../../workers/temporal-log.ts';
import { runWorker } from '../../workers/worker.ts';
import { endStreamUpdate, windowsStateQuery } from '../../workflows/commands.ts';
import type { RunOptions, TaskQueues } from '../../workflows/run-options.ts';
import type { TestDatabase } from './database.ts';
import { eventually } from './eventually.ts';
import type { Servers } from './servers.ts';

export type TemporalPipeline = {
  /** Waits until the results are written up to here (epoch ms of event time). */
  writtenThrough(throughMs: number, deadlineMs: number): Promise<void>;
  /** Says that the topic ends where it ends now, and waits until all of it is taken in, closed and amended. */
  endOfStream(deadlineMs: number): Promise<void>;
  /** Stops the workflows and drains the worker. */
  stop(): Promise<void>;
};

type Options = {
  readonly spec: PipelineSpec;
  readonly partitions: number;
  readonly run?: Partial<RunOptions>;
  /** Polled by a worker of the test's own; absent: by one in this process. */
  readonly taskQueues?: TaskQueues;
};

/** Temporal's runtime is made once a process. */
let runtimeInstalled = false;

/** Starts the pipeline's workflow, and a worker inside this process unless the test has one. */
export async function temporalPipeline(
  servers: Servers,
  { pool }: TestDatabase,
  { spec, partitions, run, ...given }: Options,
): Promise<TemporalPipeline> {
  const { kafkaBrokers, temporalAddress } = servers;
  const queue = randomUUID();
  const ownQueues = { ingest: `ingest-${queue}`, windows: `windows-${queue}`, generator: `generator-${queue}` };
  const taskQueues = given.taskQueues ?? ownQueues;
  const stop = new AbortController();
  const worker = given.taskQueues ? null : workerInside(servers, { partitions, taskQueues, signal: stop.signal });
  const connection = await Connection.connect({ address: temporalAddress });
  const client = new Client({ connection });
  await client.workflow.start('runPipeline', {
    workflowId: pipelineId(spec.topic),
    taskQueue: taskQueues.windows,
    args: [{ spec, options: { ...run, taskQueues } }],
  });
  const windows = client.workflow.getHandle(windowsId(spec.topic));
  return {
    writtenThrough: async (throughMs, deadlineMs) => {
      const what = `results are written through ${new Date(throughMs).toISOString()}`;
      await eventually(async () => ((await readClock(pool, spec)).writtenThroughMs ?? -Infinity) >= throughMs, {
        deadlineMs,
        what,
      });
    },
    endOfStream: async (deadlineMs) => {
      const ends = await partitionOffsets({ brokers: kafkaBrokers, topic: spec.topic });
      const endOffsets = Object.fromEntries(
        ends.map(({ partition, endOffset }) => [String(partition), formatOffset(endOffset)]),
      );
      await eventually(async () => await windows.executeUpdate(endStreamUpdate, { args: [{ endOffsets }] }), {
        deadlineMs: 60_000,
        what: 'the workflow that closes windows takes the end of the stream',
      });
      await eventually(
        async () => {
          const at = new Map((await readCheckpoints(pool, spec)).map((one) => [one.partition, one.nextOffset]));
          if (!ends.every(({ partition, endOffset }) => (at.get(partition) ?? 0) >= endOffset)) return false;
          const { stream } = await windows.query(windowsStateQuery);
          return stream === 'ended' && (await lateEventsWaiting(pool, spec)) === 0;
        },
        { deadlineMs, what: 'every message is taken in and every window is closed' },
      );
    },
    stop: async () => {
      await client.workflow.getHandle(pipelineId(spec.topic)).executeUpdate('stop');
      stop.abort();
      await worker;
      await connection.close();
    },
  };
}

function workerInside(
  { kafkaBrokers, postgresUrl, temporalAddress }: Servers,
  { partitions, taskQueues, signal }: { partitions: number; taskQueues: TaskQueues; signal: AbortSignal },
): Promise<void> {
  const log = openLog({ name: 'test-worker', level: 'silent' });
  if (!runtimeInstalled) installRuntime({ log, telemetryAddress: null });
  runtimeInstalled = true;
  return runWorker({
    addresses: {
      kafka: { brokers: kafkaBrokers },
      postgres: { url: postgresUrl },
      temporal: { address: temporalAddress },
    },
    settings: { partitions, temporalNamespace: 'default' },
    roles: ['ingest', 'windows'],
    log,
    metrics: openMetrics({ processMetrics: false }),
    signal,
    taskQueues,
  });
}
