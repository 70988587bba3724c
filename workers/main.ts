// A worker as a process of its own: log, metrics page and signals around runWorker.
import type { WorkflowBundleOption } from '@temporalio/worker';

import { openLog } from '../observability/log.ts';
import { openMetrics } from '../observability/metrics.ts';
import { serveMetrics } from '../observability/metrics-server.ts';
import type { Settings } from '../pipeline/settings.ts';
import { installRuntime } from './temporal-log.ts';
import { runWorker } from './worker.ts';
import type { WorkerAddresses, WorkerRole } from './worker.ts';

export type WorkerProcessOptions = {
  /** Name of the process in its log lines. */
  readonly name: string;
  readonly addresses: WorkerAddresses;
  readonly settings: Settings;
  readonly roles?: readonly WorkerRole[];
  /** Where Temporal's own metrics are served (`host:port`); nowhere when absent. */
  readonly telemetryAddress?: string;
  /** A bundle made before; that of the present sources when absent. */
  readonly workflowBundle?: WorkflowBundleOption;
  /** Told once where the metrics page is (the next free port when the one asked for is taken). */
  readonly onMetrics?: (address: string) => void;
};

/** Runs one worker until SIGINT or SIGTERM has drained it. Waits for servers that are not there, and says so in the log. */
export async function runWorkerProcess(options: WorkerProcessOptions): Promise<void> {
  const { name, settings, roles } = options;
  const log = openLog({ name, level: settings.logLevel });
  installRuntime({ log, telemetryAddress: options.telemetryAddress ?? null });
  const metrics = openMetrics();
  const page = await serveMetrics(metrics, settings.metricsAddress);
  log.info({ address: page.address }, 'Metrics are served');
  options.onMetrics?.(page.address);
  const stop = new AbortController();
  const drain = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'The worker drains: activities commit what they have in hand');
    stop.abort();
  };
  process.once('SIGINT', drain).once('SIGTERM', drain);
  try {
    await runWorker({
      addresses: options.addresses,
      settings,
      log,
      metrics,
      signal: stop.signal,
      ...(roles ? { roles } : {}),
      ...(options.workflowBundle ? { workflowBundle: options.workflowBundle } : {}),
    });
    log.info('The worker has ended; nothing was lost');
  } finally {
    process.off('SIGINT', drain).off('SIGTERM', drain);
    await page.close();
  }
}
