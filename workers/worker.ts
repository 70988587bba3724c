// A worker: one process that runs workflows and activities of all pipelines whose tasks it polls. It holds no state.
//
// States: connecting (waits for Temporal, says why), running (three Temporal workers poll), draining (asked to stop: activities
// commit what they have in hand, at most 20 s), ended. A worker that Temporal throws out goes back to connecting.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';

import { Worker } from '@temporalio/worker';
import type {
  NativeConnection,
  WorkerOptions as TemporalWorkerOptions,
  WorkflowBundleOption,
} from '@temporalio/worker';

import { HeldLeases } from '../activities/held-leases.ts';
import { createActivities } from '../activities/index.ts';
import { HealthRecord } from '../observability/health-record.ts';
import type { Log } from '../observability/log.ts';
import type { Metrics } from '../observability/metrics.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { TASK_QUEUES } from '../pipeline/ids.ts';
import type { Settings } from '../pipeline/settings.ts';
import { endPool, openPool } from '../postgres/pool.ts';
import { SharedCommits } from '../postgres/shared-commits.ts';
import { SPREAD_LOOK_EVERY_MS, keepSpread } from './spread.ts';
import { PatientTries, connectPatiently } from './temporal-connection.ts';
import { bundleOfSources } from './workflow-bundle.ts';

/** What a worker may do: the task queues of pipeline/ids.ts by name. */
export type WorkerRole = keyof typeof TASK_QUEUES;
export const WORKER_ROLES: readonly WorkerRole[] = ['ingest', 'windows', 'generator'];

export type WorkerAddresses = {
  readonly kafka: { readonly brokers: readonly string[] };
  readonly postgres: { readonly url: string };
  readonly temporal: { readonly address: string };
};

export type RunWorkerOptions = {
  readonly addresses: WorkerAddresses;
  readonly settings: Pick<Settings, 'partitions' | 'temporalNamespace'>;
  /** All three when absent. */
  readonly roles?: readonly WorkerRole[];
  readonly log: Log;
  readonly metrics: Metrics;
  /** Aborting it drains the worker. */
  readonly signal: AbortSignal;
  /** Where it writes down how it is. */
  readonly health?: HealthRecord;
  /** Told every time the worker begins to poll. */
  readonly onRunning?: () => void;
  /** Queues of its own, for tests; those of pipeline/ids.ts when absent. */
  readonly taskQueues?: Readonly<Record<WorkerRole, string>>;
  /** How often the worker looks whether it holds more leases than its share, on average (ms). */
  readonly spreadLookEveryMs?: number;
  /** A bundle made before; that of the present sources (workflow-bundle.ts) when absent. */
  readonly workflowBundle?: WorkflowBundleOption;
};

/** Besides one slot per partition: other pipelines on the same queues, and partitions added later. */
const SPARE_SLOTS = 64;
const DRAIN_WITHIN = '20 seconds';
/** What still runs in PostgreSQL once the activities are over belongs to nobody. */
const POOL_ENDS_WITHIN_MS = 2_000;
/**
 * The fewer polls of a worker wait, the sooner another worker is asked after this one has passed a lease on. One begins dozens
 * of leases a second.
 */
const WAITING_LEASE_POLLS = 1;
/** Runs shorter than this count as one more failure in a row when they end by themselves. */
const SETTLED_AFTER_MS = 60_000;

/** Runs until `signal` aborts and everything has drained. Throws only what makes it useless for good: broken workflow code. */
export async function runWorker(options: RunWorkerOptions): Promise<void> {
  const { addresses, settings, log, signal } = options;
  const workflowBundle = options.workflowBundle ?? (await bundleOfSources({ log, signal }));
  if (workflowBundle === null) return;
  const pool = openPool({ url: addresses.postgres.url, max: 12, applicationName: 'weir worker' });
  options.metrics.worker.showPool(pool);
  const health = options.health ?? new HealthRecord({ needs: [] });
  const tries = new PatientTries({ log, signal, health });
  const temporal = { address: addresses.temporal.address, namespace: settings.temporalNamespace };
  // Unlike what Temporal makes of process and machine, never the same in two containers.
  const identity = `${process.pid}@${hostname()}/${randomBytes(4).toString('hex')}`;
  try {
    while (!signal.aborted) {
      const connection = await connectPatiently(temporal, { log, signal, health });
      if (connection === null) return;
      const startedMs = performance.now();
      const ended = new AbortController();
      try {
        const held = new HeldLeases();
        const activities = createActivities({
          pool,
          postgresUrl: addresses.postgres.url,
          kafkaBrokers: addresses.kafka.brokers,
          metrics: options.metrics,
          held,
          shared: new SharedCommits(pool),
          loops: health,
        });
        if ((options.roles ?? WORKER_ROLES).includes('ingest')) {
          void keepSpread({
            connection,
            namespace: temporal.namespace,
            taskQueue: (options.taskQueues ?? TASK_QUEUES).ingest,
            identity,
            held,
            lookEveryMs: options.spreadLookEveryMs ?? SPREAD_LOOK_EVERY_MS,
            log,
            signal: AbortSignal.any([signal, ended.signal]),
          });
        }
        await runOnce({ ...options, workflowBundle, identity, health }, connection, activities);
      } catch (error) {
        if (performance.now() - startedMs > SETTLED_AFTER_MS) tries.reset();
        await tries.afterFailure(`The worker was stopped by Temporal at ${temporal.address} (${messageOf(error)}).`);
      } finally {
        ended.abort();
        await connection.close().catch(() => {});
      }
    }
  } finally {
    health.entered('ended');
    await endPool(pool, POOL_ENDS_WITHIN_MS);
  }
}

/** One life of the Temporal workers on one connection: until drained, or until one of them fails, which ends the others. */
async function runOnce(
  options: RunWorkerOptions & {
    readonly workflowBundle: WorkflowBundleOption;
    readonly identity: string;
    readonly health: HealthRecord;
  },
  connection: NativeConnection,
  activities: ReturnType<typeof createActivities>,
): Promise<void> {
  const { signal, log, health } = options;
  const roles = options.roles ?? WORKER_ROLES;
  const queues = options.taskQueues ?? TASK_QUEUES;
  const workers = await Promise.all(
    roles.map(
      async (role) =>
        await Worker.create({
          connection,
          identity: options.identity,
          namespace: options.settings.temporalNamespace,
          workflowBundle: options.workflowBundle,
          taskQueue: queues[role],
          activities: activities[role],
          ...slots(role, options.settings.partitions),
          // A lease never ends by itself in time: tell it at once, then wait for the commit in hand.
          shutdownGraceTime: 0,
          shutdownForceTime: DRAIN_WITHIN,
          // Bounds how late an activity learns that it was cancelled or has lost its lease; people wait for generators.
          maxHeartbeatThrottleInterval: role === 'generator' ? '250 ms' : '1 second',
        }),
    ),
  );
  const drain = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const runs = workers.map(async (worker) => {
    try {
      await worker.run();
    } finally {
      drain();
    }
  });
  signal.addEventListener('abort', drain, { once: true });
  if (signal.aborted) drain();
  log.info({ queues: roles.map((role) => queues[role]) }, 'The worker polls');
  health.polls(() => workers.every((worker) => worker.getState() === 'RUNNING'));
  options.onRunning?.();
  try {
    const outcomes = await Promise.allSettled(runs);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  } finally {
    signal.removeEventListener('abort', drain);
  }
}

function slots(role: WorkerRole, partitions: number): Partial<TemporalWorkerOptions> {
  // A lease holds its slot for minutes: with fewer slots than partitions some would wait for ever.
  if (role !== 'ingest') return {};
  return {
    maxConcurrentActivityTaskExecutions: partitions + SPARE_SLOTS,
    maxConcurrentActivityTaskPolls: WAITING_LEASE_POLLS,
  };
}
