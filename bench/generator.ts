// Generator: whether it keeps the rate that was asked for over any minute, and what an event costs to make and to produce.
import { setTimeout as wait } from 'node:timers/promises';

import { createGeneratorSpec } from '../generator/generator-spec.ts';
import { createMessageMaker } from '../generator/produced-message.ts';
import { openTopicObserver } from '../kafka/topics.ts';
import { BenchPipeline } from './bench-pipeline.ts';
import type { BenchOptions } from './bench-pipeline.ts';
import { round, serverParts, startCpuMeter } from './cpu-meter.ts';
import type { CpuPerEvent } from './cpu-meter.ts';
import { worstSpan } from './kept-rate.ts';
import type { RateSample, WorstSpan } from './kept-rate.ts';
import { readCircumstances } from './outcome.ts';
import type { Circumstances } from './outcome.ts';
import type { WorkerProcess } from './worker-process.ts';

export type GeneratorBenchOptions = BenchOptions & {
  readonly rates: readonly number[];
  readonly seconds: number;
  readonly seed: number;
  readonly users: number;
};

/** `minute`: of all minutes that were measured, the one furthest from the target. */
export type KeptRate = {
  readonly target: number;
  readonly seconds: number;
  readonly messages: number;
  readonly actual: number;
  readonly minute: WorstSpan;
  readonly cpuMicrosecondsPerEvent: CpuPerEvent;
};

export type GeneratorOutcome = Circumstances & {
  readonly bench: 'generator';
  readonly seed: number;
  readonly partitions: number;
  readonly users: number;
  readonly bytesPerEvent: number;
  /** CPU time of making one event, without sending it. */
  readonly makeMicrosecondsPerEvent: number;
  readonly rates: readonly KeptRate[];
};

const LATENESS_MS = 20_000;
const WARM_UP_MS = 5_000;
const SAMPLE_EVERY_MS = 250;
const MADE = 200_000;

/** One generator at a time, in a worker of its own; what counts is what the topic holds. */
export async function benchGenerator(options: GeneratorBenchOptions): Promise<GeneratorOutcome> {
  const { rates, seed, users, partitions } = options;
  const bench = await BenchPipeline.open(options, { latenessMs: LATENESS_MS });
  try {
    const worker = await bench.startWorker(['generator']);
    const { brokers } = options.addresses.kafka;
    const { broker } = serverParts({ brokers, postgresUrl: options.addresses.postgres.url });
    const circumstances = await readCircumstances(bench, broker);
    const made = makeEvents(options);
    const kept: KeptRate[] = [];
    for (const rate of rates) kept.push(await keepRate(bench, { ...options, rate, worker, broker }));
    return { bench: 'generator', ...circumstances, seed, partitions, users, ...made, rates: kept };
  } finally {
    await bench.close();
  }
}

function makeEvents({ seed, users }: GeneratorBenchOptions): {
  bytesPerEvent: number;
  makeMicrosecondsPerEvent: number;
} {
  const maker = createMessageMaker(createGeneratorSpec({ topic: 't', seed, users }));
  const segment = { fromIndex: 0, startMs: Date.UTC(2026, 0, 1), rate: 10_000 };
  // The first ones are made while the code is still being compiled.
  maker.messages(segment, 0, MADE / 10);
  const before = process.cpuUsage();
  const messages = maker.messages(segment, 0, MADE);
  const { user, system } = process.cpuUsage(before);
  const bytes = messages.reduce((sum, { value }) => sum + value.length, 0);
  return { bytesPerEvent: Math.round(bytes / MADE), makeMicrosecondsPerEvent: round((user + system) / MADE) };
}

type Run = GeneratorBenchOptions & {
  readonly rate: number;
  readonly worker: WorkerProcess;
  readonly broker: number | null;
};

async function keepRate(bench: BenchPipeline, run: Run): Promise<KeptRate> {
  const { rate, seconds, seed, users, worker, broker, report } = run;
  const { topic } = bench.spec;
  const name = `${topic}-${rate}`.slice(-64);
  const stop = await bench.startGenerator(createGeneratorSpec({ name, topic, seed: seed + rate, rate, users }));
  const observer = await openTopicObserver({ brokers: bench.options.addresses.kafka.brokers, topic });
  const sample = async (): Promise<RateSample> => {
    const offsets = await observer.offsets();
    return { atMs: performance.now(), messages: offsets.reduce((sum, { endOffset }) => sum + endOffset, 0) };
  };
  await wait(WARM_UP_MS);
  const cpuUsed = startCpuMeter({ generator: worker.pid, broker });
  const first = await sample();
  const samples = [first];
  let last = first;
  while (last.atMs - first.atMs < seconds * 1_000) {
    await wait(SAMPLE_EVERY_MS);
    last = await sample();
    samples.push(last);
  }
  const messages = last.messages - first.messages;
  const cpuMicrosecondsPerEvent = cpuUsed(messages);
  await observer.close();
  await stop();
  const took = (last.atMs - first.atMs) / 1_000;
  const minute = worstSpan(samples, rate);
  report(`${rate}/s: ${round(messages / took)}/s over ${Math.round(took)} s, worst minute ${minute.offPercent} % off`);
  return {
    target: rate,
    seconds: round(took),
    messages,
    actual: round(messages / took),
    minute,
    cpuMicrosecondsPerEvent,
  };
}
