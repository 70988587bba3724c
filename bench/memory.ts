// Memory: what a worker holds while it catches up with a history, and then at a steady rate.
import { setTimeout as wait } from 'node:timers/promises';

import { openTopicObserver } from '../kafka/topics.ts';
import { BenchPipeline } from './bench-pipeline.ts';
import type { BenchOptions } from './bench-pipeline.ts';
import { isIngested, verifyBench } from './catchup.ts';
import { round, serverParts } from './cpu-meter.ts';
import { EventTime } from './event-time.ts';
import { fillTopic } from './fill-topic.ts';
import { highestPoints, memoryTrend } from './memory-trend.ts';
import type { MemoryTrend } from './memory-trend.ts';
import { readCircumstances } from './outcome.ts';
import type { Circumstances, Verified } from './outcome.ts';
import { peakMemoryMiB, residentMiB } from './process-cpu.ts';
import { generateSteadily } from './steady-rate.ts';
import type { Point } from './trend.ts';

export type MemoryOptions = BenchOptions & {
  /** Messages of the history, and their rate in event time. */
  readonly events: number;
  readonly eventRate: number;
  /** Events per second afterwards, and for how long. */
  readonly rate: number;
  readonly minutes: number;
  readonly seed: number;
  readonly users: number;
};

/** Resident memory. `series`: seconds since the worker polled, and MiB; the highest readings of as many stretches. */
type MemoryPhase = MemoryTrend & {
  readonly seconds: number;
  readonly series: readonly (readonly [seconds: number, mib: number])[];
};

export type MemoryOutcome = Circumstances & {
  readonly bench: 'memory';
  readonly events: number;
  readonly eventRate: number;
  readonly rate: number;
  readonly minutes: number;
  readonly seed: number;
  readonly users: number;
  readonly partitions: number;
  /** From the moment the worker polls until every event of the history is in and its panes are closed; too short for a slope. */
  readonly catchup: Omit<MemoryPhase, 'slopeMiBPerHour'>;
  readonly steady: MemoryPhase;
  /** The most that the worker has ever held, as the kernel knows it: between two readings as well. */
  readonly workerPeakMiB: number;
  readonly verify: Verified;
};

const LATENESS_MS = 300_000;
const READ_EVERY_MS = 500;
const LOOK_EVERY_MS = 200;
const MOST_POINTS = 120;
/** What a process fills once (caches, code), and gives back after the catch-up, counts as its start. */
const SETTLED_AFTER_SECONDS = 120;

/** One worker goes through both; the generator has a process of its own. */
export async function benchMemory(options: MemoryOptions): Promise<MemoryOutcome> {
  const { events, eventRate, rate, minutes, seed, users, partitions, report, addresses } = options;
  const bench = await BenchPipeline.open(options, { latenessMs: LATENESS_MS });
  try {
    await fillTopic(bench, { events, eventRate, seed, users, data: 'plain', ids: 'v7', inOrder: false });
    const worker = await bench.startWorker(['ingest', 'windows']);
    const { brokers } = addresses.kafka;
    const { broker } = serverParts({ brokers, postgresUrl: addresses.postgres.url });
    const circumstances = await readCircumstances(bench, broker);
    const memory = new MemoryReadings(worker.pid);
    await bench.startPipeline();
    const { slopeMiBPerHour: _, ...catchup } = await memory.during(async () => await catchUp(bench), 0);
    report(`Caught up after ${catchup.seconds} s, ${catchup.peakMiB ?? '-'} MiB at most; now ${rate} events a second`);
    const { drain } = await generateSteadily(bench, { rate, seed, users });
    const steady = await memory.during(async () => await wait(minutes * 60_000), SETTLED_AFTER_SECONDS);
    const workerPeakMiB = peakMemoryMiB(worker.pid);
    await drain();
    await bench.stopPipeline();
    report('Measured; verifying');
    const about = { events, eventRate, rate, minutes, seed, users, partitions };
    const verify = await verifyBench(bench);
    return { bench: 'memory', ...circumstances, ...about, catchup, steady, workerPeakMiB, verify };
  } finally {
    await bench.close();
  }
}

async function catchUp(bench: BenchPipeline): Promise<void> {
  const { brokers } = bench.options.addresses.kafka;
  const observer = await openTopicObserver({ brokers, topic: bench.spec.topic });
  try {
    const eventTime = new EventTime({ db: bench.pool, spec: bench.spec, observer });
    const ends = await bench.offsets();
    while (!(await isIngested(bench, ends))) await wait(LOOK_EVERY_MS);
    while (!(await eventTime.isClosedUp())) await wait(LOOK_EVERY_MS);
  } finally {
    await observer.close();
  }
}

/** Reads one process's memory while something goes on. */
class MemoryReadings {
  readonly #pid: number;
  readonly #startedMs = performance.now();

  constructor(pid: number) {
    this.#pid = pid;
  }

  async during(work: () => Promise<void>, settledAfterSeconds: number): Promise<MemoryPhase> {
    const points: Point[] = [this.#read()];
    const timer = setInterval(() => {
      try {
        points.push(this.#read());
      } catch {
        // The worker has ended; the last reading says so to whoever waits.
      }
    }, READ_EVERY_MS);
    try {
      await work();
    } finally {
      clearInterval(timer);
    }
    const last = this.#read();
    points.push(last);
    return {
      seconds: round(last.atSeconds - (points[0] ?? last).atSeconds),
      ...memoryTrend(points, settledAfterSeconds),
      series: highestPoints(points, MOST_POINTS).map(({ atSeconds, value }) => [round(atSeconds), value] as const),
    };
  }

  #read(): Point {
    return { atSeconds: (performance.now() - this.#startedMs) / 1000, value: residentMiB(this.#pid) };
  }
}
