// Events at a steady rate for a bench: the generator in a process of its own, and what ends with it.
import { setTimeout as wait } from 'node:timers/promises';

import { createGeneratorSpec } from '../generator/generator-spec.ts';
import type { BenchPipeline } from './bench-pipeline.ts';
import { isIngested } from './catchup.ts';
import type { WorkerProcess } from './worker-process.ts';

/** Events per second, and what they are drawn from; the rest is the same in every bench. */
export type SteadyEvents = { readonly rate: number; readonly seed: number; readonly users: number };

export type SteadyRate = {
  readonly generator: WorkerProcess;
  /** Stops the generator and waits until all it made is committed. */
  readonly drain: () => Promise<void>;
};

const LOOK_EVERY_MS = 100;
const SHARES = { disorder: 0.02, duplicates: 0.005, malformed: 0.001, late: 0.002 };

/** Starts the generator; a worker and the pipeline must run. */
export async function generateSteadily(bench: BenchPipeline, { rate, seed, users }: SteadyEvents): Promise<SteadyRate> {
  const { topic } = bench.spec;
  const generator = await bench.startWorker(['generator']);
  const spec = createGeneratorSpec({ name: topic, topic, seed, rate, users, ...SHARES });
  const stop = await bench.startGenerator(spec);
  return {
    generator,
    drain: async () => {
      await stop();
      const ends = await bench.offsets();
      while (!(await isIngested(bench, ends))) await wait(LOOK_EVERY_MS);
    },
  };
}
