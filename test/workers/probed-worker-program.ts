// The process of a probed worker: the product's own, on task queues of a test's own, which besides can be told to stand still.
import { tmpdir } from 'node:os';

import type { StackAddresses } from '../../local/stack.ts';
import { must } from '../../pipeline/ensure.ts';
import { resolveSettings } from '../../pipeline/settings.ts';
import { runWorkerProcess } from '../../workers/main.ts';
import type { WorkerRole } from '../../workers/worker.ts';

export type ProbedWorkerOptions = {
  readonly addresses: StackAddresses;
  readonly taskQueues: Readonly<Record<WorkerRole, string>>;
  /** Where Temporal's own metrics are served; nowhere when absent. */
  readonly telemetryAddress?: string;
};

const options: ProbedWorkerOptions = JSON.parse(must(process.argv[2], 'the options of the worker'));
process.on('message', ({ blockMs }: { blockMs: number }) => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
});
// A worker must not outlive its test.
process.on('disconnect', () => process.exit(0));
const { settings } = resolveSettings({ flags: {}, env: { WEIR_METRICS_ADDRESS: '127.0.0.1:0', WEIR_HOME: tmpdir() } });
await runWorkerProcess({
  ...options,
  name: 'probed',
  settings,
  onMetrics: (address) => process.send?.({ metrics: address }),
  onTelemetry: (address) => process.send?.({ telemetry: address }),
});
process.exit(0);
