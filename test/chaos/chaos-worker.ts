// The worker that chaos strikes: the product's own worker process, which besides can be told to stand still or to hoard memory.
import './shifted-clock.ts';
import { must } from '../../pipeline/ensure.ts';
import type { Settings } from '../../pipeline/settings.ts';
import { runWorkerProcess } from '../../workers/main.ts';
import type { WorkerProcessOptions } from '../../workers/main.ts';

/** What the harness hands over, as JSON in the first argument; read by shifted-clock.ts too. */
export type ChaosWorkerOptions = Required<Pick<WorkerProcessOptions, 'name' | 'addresses' | 'roles'>> & {
  readonly settings: Settings;
  readonly clockAheadMs: number;
  /** File of a workflow bundle of another build; null: its own. */
  readonly bundlePath: string | null;
};

/** What the harness may ask for later. */
export type ChaosOrder = { readonly blockMs: number } | { readonly hoard: true };

/** About 5 MiB of small objects, as a leak makes them. */
const HOARDED_OBJECTS = 100_000;
const HOARD_EVERY_MS = 20;

const options: ChaosWorkerOptions = JSON.parse(must(process.argv[2], 'the options of the worker'));
process.on('message', (order: ChaosOrder) => {
  if ('hoard' in order) hoard();
  // Stands still without burning a core: nothing of the event loop turns meanwhile.
  else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, order.blockMs);
});
// A worker must not outlive its harness; nor may a lost harness be an error of its own.
process.on('disconnect', () => process.exit(0));
await runWorkerProcess({
  ...options,
  ...(options.bundlePath === null ? {} : { workflowBundle: { codePath: options.bundlePath } }),
  onMetrics: (address) => process.send?.({ metrics: address }),
});
// Temporal's runtime may hold the process although everything has ended.
process.exit(0);

/** Holds on to more and more, beside its work, until V8 ends the process. */
function hoard(): void {
  const kept: object[] = [];
  setInterval(() => {
    for (let made = 0; made < HOARDED_OBJECTS; made += 1) kept.push({ made });
  }, HOARD_EVERY_MS);
}
