// Latency: how long after it was produced an event can be read, and how long after the low watermark passed its end a window's result.
import { setTimeout as wait } from 'node:timers/promises';

import { BenchPipeline } from './bench-pipeline.ts';
import type { BenchOptions } from './bench-pipeline.ts';
import { verifyBench } from './catchup.ts';
import { serverParts } from './cpu-meter.ts';
import type { Latency } from './latency-probe.ts';
import { measureLive } from './live.ts';
import type { LiveOutcome } from './live.ts';
import { readCircumstances } from './outcome.ts';
import type { Circumstances, Verified } from './outcome.ts';
import { peakMemoryMiB } from './process-cpu.ts';
import { generateSteadily } from './steady-rate.ts';
import { WindowProbe } from './window-probe.ts';
import type { WindowLatency } from './window-probe.ts';

export type LatencyOptions = BenchOptions & {
  /** Events per second, one run each. */
  readonly rates: readonly number[];
  /** How long events are measured, and after them windows; one minute boundary passes a minute. */
  readonly seconds: number;
  readonly windowSeconds: number;
  readonly seed: number;
  readonly users: number;
};

/** `produced` to `cpuMicrosecondsPerEvent` are of the time in which events were measured. */
type LatencyAtRate = Omit<
  LiveOutcome,
  keyof Circumstances | 'bench' | 'seed' | 'partitions' | 'users' | 'latencyMs'
> & {
  /** From the time an event was due (its Kafka timestamp) to its being readable in PostgreSQL. */
  readonly eventMs: Latency;
  /** From the low watermark's passing the end of a window to the readability of its row in the table of windows. */
  readonly windowMs: WindowLatency;
  readonly verify: Verified;
};

export type LatencyOutcome = Circumstances & {
  readonly bench: 'latency';
  readonly seed: number;
  readonly partitions: number;
  readonly users: number;
  readonly windowSeconds: number;
  readonly rates: readonly LatencyAtRate[];
};

const LATENESS_MS = 20_000;
/** Before measuring: connections open, statements planned, code compiled. */
const WARM_UP_MS = 10_000;

/** One rate after the other, each in a pipeline of its own that is verified. Events come first, so that neither probe disturbs the other. */
export async function benchLatency(options: LatencyOptions): Promise<LatencyOutcome> {
  const { seed, partitions, users, windowSeconds } = options;
  let circumstances: Circumstances | null = null;
  const rates: LatencyAtRate[] = [];
  for (const rate of options.rates) {
    const bench = await BenchPipeline.open(options, { latenessMs: LATENESS_MS });
    try {
      const { broker } = serversOf(options);
      circumstances ??= await readCircumstances(bench, broker);
      rates.push(await measureRate(bench, options, rate));
    } finally {
      await bench.close();
    }
  }
  if (circumstances === null) throw new Error('Name at least one rate.');
  return { bench: 'latency', ...circumstances, seed, partitions, users, windowSeconds, rates };
}

function serversOf({ addresses }: LatencyOptions): ReturnType<typeof serverParts> {
  return serverParts({ brokers: addresses.kafka.brokers, postgresUrl: addresses.postgres.url });
}

async function measureRate(bench: BenchPipeline, options: LatencyOptions, rate: number): Promise<LatencyAtRate> {
  const { seconds, windowSeconds, report } = options;
  const worker = await bench.startWorker(['ingest', 'windows']);
  await bench.startPipeline();
  const { generator, drain } = await generateSteadily(bench, { ...options, rate });
  report(`The generator makes ${rate} events a second; measuring begins in ${WARM_UP_MS / 1000} s`);
  await wait(WARM_UP_MS);
  const parts = { worker: worker.pid, generator: generator.pid, ...serversOf(options) };
  const { figures, latency } = await measureLive(bench, seconds, parts);
  report(`Events are measured; now windows, for ${windowSeconds} s`);
  const windowMs = await measureWindows(bench, windowSeconds);
  const workerPeakMiB = peakMemoryMiB(worker.pid);
  await drain();
  const eventMs = await latency();
  await bench.stopPipeline();
  report(
    `${rate}/s: events p50 ${eventMs.p50} p99 ${eventMs.p99} ms, windows p50 ${windowMs.p50 ?? '-'} max ${windowMs.max ?? '-'} ms; verifying`,
  );
  return { rate, ...figures, eventMs, windowMs, workerPeakMiB, verify: await verifyBench(bench) };
}

async function measureWindows(bench: BenchPipeline, windowSeconds: number): Promise<WindowLatency> {
  const probe = await WindowProbe.start(bench);
  try {
    await wait(windowSeconds * 1000);
    return await probe.stop();
  } finally {
    await probe.close();
  }
}
