// A worker process of a bench: on task queues of its own, so that no other worker of the same servers shares the work.
import { openLog } from '../observability/log.ts';
import { openMetrics } from '../observability/metrics.ts';
import { serveMetrics } from '../observability/metrics-server.ts';
import { must } from '../pipeline/ensure.ts';
import { installRuntime } from '../workers/temporal-log.ts';
import { runWorker } from '../workers/worker.ts';
import type { RunWorkerOptions } from '../workers/worker.ts';

/** What the bench hands over, as JSON in the first argument. */
export type BenchWorkerOptions = Required<Pick<RunWorkerOptions, 'addresses' | 'settings' | 'roles' | 'taskQueues'>>;

const options: BenchWorkerOptions = JSON.parse(must(process.argv[2], 'the options of the bench worker'));
const log = openLog({ name: 'bench', level: 'warn' });
installRuntime({ log, telemetryAddress: null });
const metrics = openMetrics();
// The bench hears its address as soon as the worker polls.
const page = await serveMetrics(metrics, '127.0.0.1:0');
const stop = new AbortController();
// A terminal's Ctrl-C reaches every process of the bench: the bench itself decides when its workers end.
process.on('SIGINT', () => {}).on('SIGHUP', () => {});
process.once('SIGTERM', () => stop.abort()).once('disconnect', () => stop.abort());
await runWorker({
  ...options,
  log,
  metrics,
  signal: stop.signal,
  onRunning: () => process.send?.(page.address),
});
// Temporal's runtime may hold the process although everything has ended.
process.exit(0);
