// Soak: a steady rate for an hour or more, sampled, to see whether anything grows: lag, latency, memory, tables.
import { setTimeout as wait } from 'node:timers/promises';

import { createGeneratorSpec } from '../generator/generator-spec.ts';
import { openTopicObserver } from '../kafka/topics.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { BenchPipeline } from './bench-pipeline.ts';
import type { BenchOptions } from './bench-pipeline.ts';
import { isIngested, verifyBench } from './catchup.ts';
import { serverParts } from './cpu-meter.ts';
import type { Parts } from './cpu-meter.ts';
import { LatencyProbe } from './latency-probe.ts';
import { readCircumstances } from './outcome.ts';
import type { Circumstances, Verified } from './outcome.ts';
import { processListeningOn } from './process-cpu.ts';
import { soakLine } from './soak-line.ts';
import { SoakSampler } from './soak-sample.ts';
import type { SoakSample } from './soak-sample.ts';
import { summarizeSoak } from './soak-summary.ts';
import type { Interval, SoakSummary } from './soak-summary.ts';
import type { WorkerProcess } from './worker-process.ts';

export type SoakOptions = BenchOptions & {
  readonly rate: number;
  readonly minutes: number;
  readonly everyMs: number;
  readonly seed: number;
  readonly users: number;
  /** Aborting it ends the soak early; what was measured is still verified and returned. */
  readonly signal: AbortSignal;
  /** Aborting it ends a verification that takes too long as well. */
  readonly impatient: AbortSignal;
};

export type SoakOutcome = Circumstances & {
  readonly bench: 'soak';
  readonly rate: number;
  readonly seed: number;
  readonly partitions: number;
  readonly users: number;
  readonly summary: SoakSummary | null;
  /** null: it was not waited for, or failed; `problem` says so. */
  readonly verify: Verified | null;
  /** Why the soak or its verification ended before its time. */
  readonly problem: string | null;
  readonly samples: readonly SoakSample[];
};

const LATENESS_MS = 20_000;
/** Before measuring: connections open, statements planned, code compiled. */
const WARM_UP_MS = 10_000;
const LOOK_EVERY_MS = 200;
/** One failed look at a server must not end an hour's run. */
const MOST_FAILED_IN_A_ROW = 3;
const SHARES = { disorder: 0.02, duplicates: 0.005, malformed: 0.001, late: 0.002 };

/** Generates at a rate, ingests at the same time, samples, verifies. Returns what it measured also when it is interrupted. */
export async function benchSoak(options: SoakOptions): Promise<SoakOutcome> {
  const { rate, seed, users, partitions, report } = options;
  const bench = await BenchPipeline.open(options, { latenessMs: LATENESS_MS });
  try {
    const worker = await bench.startWorker(['ingest', 'windows']);
    const generator = await bench.startWorker(['generator']);
    await bench.startPipeline();
    const { topic } = bench.spec;
    const spec = createGeneratorSpec({ name: topic, topic, seed, rate, users, ...SHARES });
    const stopGenerator = await bench.startGenerator(spec);
    report(`The generator makes ${rate} events a second; measuring begins in ${WARM_UP_MS / 1000} s`);
    await pause(WARM_UP_MS, options.signal);
    const parts = partsOf(options, { worker, generator });
    const circumstances = await readCircumstances(bench, parts['broker'] ?? null);
    const { intervals, problem } = await soak(bench, options, { worker, generator, parts });
    report('Measured; the rest is ingested and verified');
    const ended = await endAndVerify(bench, stopGenerator, options);
    return {
      bench: 'soak',
      ...circumstances,
      rate,
      seed,
      partitions,
      users,
      summary: summarizeSoak(intervals),
      verify: ended.verify,
      problem: [problem, ended.problem].filter((sentence) => sentence !== null).join(' ') || null,
      samples: intervals.map(({ sample }) => sample),
    };
  } finally {
    // A verification that goes on would hold the tables that are to be removed.
    const keep = options.keep || options.impatient.aborted;
    if (keep) report(`Topic ${bench.spec.topic} and schema ${bench.spec.schema} are left behind`);
    await bench.close({ keep });
  }
}

function partsOf(options: SoakOptions, { worker, generator }: Record<'worker' | 'generator', WorkerProcess>): Parts {
  const { kafka, postgres, temporal } = options.addresses;
  return {
    worker: worker.pid,
    generator: generator.pid,
    ...serverParts({ brokers: kafka.brokers, postgresUrl: postgres.url }),
    temporal: processListeningOn(Number(temporal.address.split(':').at(-1))),
  };
}

type Soaked = { readonly intervals: readonly Interval[]; readonly problem: string | null };

async function soak(
  bench: BenchPipeline,
  { minutes, everyMs, signal, report }: SoakOptions,
  measured: { worker: WorkerProcess; generator: WorkerProcess; parts: Parts },
): Promise<Soaked> {
  const { kafka, postgres } = bench.options.addresses;
  const probe = await LatencyProbe.start(postgres.url, bench.spec);
  const observer = await openTopicObserver({ brokers: kafka.brokers, topic: bench.spec.topic });
  const sampler = await SoakSampler.start({ bench, ...measured, probe, observer });
  const intervals: Interval[] = [];
  let failedInARow = 0;
  const startedMs = performance.now();
  const endMs = startedMs + minutes * 60_000;
  try {
    for (let due = 1; performance.now() < endMs && !signal.aborted; due += 1) {
      await pause(Math.min(startedMs + due * everyMs, endMs) - performance.now(), signal);
      try {
        const interval = await sampler.sample();
        intervals.push(interval);
        report(soakLine(interval.sample));
        failedInARow = 0;
      } catch (thrown) {
        report(`No sample: ${messageOf(thrown)}`);
        failedInARow += 1;
        if (failedInARow === MOST_FAILED_IN_A_ROW) throw thrown;
      }
    }
    return { intervals, problem: signal.aborted ? 'It was ended early.' : null };
  } catch (thrown) {
    report(`Measuring ended early: ${messageOf(thrown)}`);
    return { intervals, problem: `Measuring ended early: ${messageOf(thrown)}` };
  } finally {
    await Promise.allSettled([probe.stop(), sampler.close(), observer.close()]);
    await probe.close();
  }
}

async function endAndVerify(
  bench: BenchPipeline,
  stopGenerator: () => Promise<void>,
  { impatient }: SoakOptions,
): Promise<{ verify: Verified | null; problem: string | null }> {
  const gaveUp = new Promise<null>((resolve) => {
    impatient.addEventListener('abort', () => resolve(null), { once: true });
    if (impatient.aborted) resolve(null);
  });
  const work = async (): Promise<Verified> => {
    await stopGenerator();
    const ends = await bench.offsets();
    while (!impatient.aborted && !(await isIngested(bench, ends))) await wait(LOOK_EVERY_MS);
    await bench.stopPipeline();
    return await verifyBench(bench);
  };
  try {
    const verify = await Promise.race([work(), gaveUp]);
    return { verify, problem: verify === null ? 'Its verification was not waited for.' : null };
  } catch (thrown) {
    return { verify: null, problem: `It could not be verified: ${messageOf(thrown)}` };
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(Math.max(0, ms), undefined, { signal }).catch(() => {});
}
