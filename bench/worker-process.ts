// Starts and ends the worker processes of a bench.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { must } from '../pipeline/ensure.ts';
import type { BenchWorkerOptions } from './bench-worker.ts';

const MAIN = fileURLToPath(new URL('./bench-worker.ts', import.meta.url));

export type WorkerProcess = {
  readonly pid: number;
  /** What the worker has counted so far, as Prometheus reads it. */
  metricsPage(): Promise<string>;
  stop(): Promise<void>;
};

/** Starts one and waits until it polls. Throws when it ends before. */
export async function startWorkerProcess(options: BenchWorkerOptions): Promise<WorkerProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, JSON.stringify(options)], {
    // Standard output belongs to the result.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  const ended = once(child, 'exit');
  const started: unknown[] = await Promise.race([
    once(child, 'message'),
    ended.then(([code]: unknown[]) => {
      throw new Error(
        `The worker of the bench ended with code ${String(code)} before it worked; see its output above.`,
      );
    }),
  ]);
  const metricsAddress = String(started[0]);
  return {
    metricsPage: async () => await (await fetch(`http://${metricsAddress}/metrics`)).text(),
    pid: must(child.pid, 'the id of a started process'),
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
