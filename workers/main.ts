// A worker as a process of its own: log, metrics page, probes and signals around runWorker.
import type { WorkflowBundleOption } from '@temporalio/worker';

import { listenForInterrupts } from './interrupts.ts';
import { HealthRecord } from '../observability/health-record.ts';
import { openLog } from '../observability/log.ts';
import { openMetrics } from '../observability/metrics.ts';
import { serveMetrics } from '../observability/metrics-server.ts';
import type { Settings } from '../pipeline/settings.ts';
import { keepChecking, serversOf } from './server-checks.ts';
import { freeAddress } from './telemetry-address.ts';
import { installRuntime } from './temporal-log.ts';
import { WORKER_ROLES, runWorker } from './worker.ts';
import type { WorkerAddresses, WorkerRole } from './worker.ts';

export type WorkerProcessOptions = {
  /** Name of the process in its log lines. */
  readonly name: string;
  readonly addresses: WorkerAddresses;
  readonly settings: Settings;
  readonly roles?: readonly WorkerRole[];
  /** Where Temporal's own metrics are served (`host:port`, or a free port of that host where it is taken); nowhere when absent or null. */
  readonly telemetryAddress?: string | null;
  /** Queues of its own, for tests. */
  readonly taskQueues?: Readonly<Record<WorkerRole, string>>;
  /** A bundle made before; that of the present sources when absent. */
  readonly workflowBundle?: WorkflowBundleOption;
  /** Told once where the metrics page is (the next free port when the one asked for is taken). */
  readonly onMetrics?: (address: string) => void;
  /** Told once where Temporal's own metrics are, if anywhere. */
  readonly onTelemetry?: (address: string) => void;
};

/** Runs one worker until a signal has drained it; a second one ends it at once. Waits for servers that are not there, and says so in the log. */
export async function runWorkerProcess(options: WorkerProcessOptions): Promise<void> {
  const { name, settings, roles } = options;
  const log = openLog({ name, level: settings.logLevel });
  const wanted = options.telemetryAddress ?? null;
  const telemetryAddress = wanted === null ? null : await freeAddress(wanted);
  installRuntime({ log, telemetryAddress });
  if (telemetryAddress !== null) {
    log.info({ address: telemetryAddress }, "Temporal's own metrics are served");
    options.onTelemetry?.(telemetryAddress);
  }
  const metrics = openMetrics();
  const health = new HealthRecord({ needs: serversOf(roles ?? WORKER_ROLES) });
  metrics.worker.showHealth(() => health.figures());
  metrics.worker.showDisk(settings.home);
  const page = await serveMetrics(metrics, settings.metricsAddress, health);
  log.info({ address: page.address }, 'Metrics are served, and the probes /healthz and /readyz');
  options.onMetrics?.(page.address);
  const interrupts = listenForInterrupts();
  const drain = (): void => {
    log.info('The worker drains: activities commit what they have in hand; a second signal ends it at once');
    health.entered('draining');
  };
  const checking = new AbortController();
  keepChecking({ addresses: options.addresses, namespace: settings.temporalNamespace, health, log }, checking.signal);
  interrupts.signal.addEventListener('abort', drain, { once: true });
  interrupts.onInsisting(() => {
    log.warn('The worker ends at once; nothing is lost: what was not committed is read again');
    process.exit(130);
  });
  try {
    await runWorker({
      addresses: options.addresses,
      settings,
      log,
      metrics,
      health,
      signal: interrupts.signal,
      ...(roles ? { roles } : {}),
      ...(options.taskQueues ? { taskQueues: options.taskQueues } : {}),
      ...(options.workflowBundle ? { workflowBundle: options.workflowBundle } : {}),
    });
    log.info('The worker has ended; nothing was lost');
  } finally {
    interrupts.forget();
    checking.abort();
    await page.close();
  }
}
