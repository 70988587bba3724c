// The worker that chaos strikes: the product's own worker process, which besides can be told to stand still.
import './shifted-clock.ts';
import { must } from '../../pipeline/ensure.ts';
import type { Settings } from '../../pipeline/settings.ts';
import { runWorkerProcess } from '../../workers/main.ts';
import type { WorkerProcessOptions } from '../../workers/main.ts';

/** What the harness hands over, as JSON in the first argument; read by shifted-clock.ts too. */
export type ChaosWorkerOptions = Required<Pick<WorkerProcessOptions, 'name' | 'addresses' | 'roles'>> & {
  readonly settings: Settings;
  readonly clockAheadMs: number;
};

const options: ChaosWorkerOptions = JSON.parse(must(process.argv[2], 'the options of the worker'));
process.on('message', (message: { blockMs: number }) => {
  // Stands still without burning a core: nothing of the event loop turns meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, message.blockMs);
});
// A worker must not outlive its harness; nor may a lost harness be an error of its own.
process.on('disconnect', () => process.exit(0));
await runWorkerProcess({ ...options, onMetrics: (address) => process.send?.({ metrics: address }) });
// Temporal's runtime may hold the process although everything has ended.
process.exit(0);
