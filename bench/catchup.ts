// Catch-up: how fast a topic that was filled beforehand becomes events and results.
import { setTimeout as wait } from 'node:timers/promises';

import { verifyPipeline } from '../cli/verify-pipeline.ts';
import { createGeneratorSpec } from '../generator/generator-spec.ts';
import { createMessageMaker } from '../generator/produced-message.ts';
import { openEventWriter } from '../kafka/event-writer.ts';
import type { PartitionOffsets } from '../kafka/topics.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { BenchPipeline } from './bench-pipeline.ts';
import type { BenchOptions } from './bench-pipeline.ts';
import { round, serverParts, startCpuMeter } from './cpu-meter.ts';
import type { CpuPerEvent } from './cpu-meter.ts';
import { readCircumstances, summarizeVerification } from './outcome.ts';
import type { Circumstances, Verified } from './outcome.ts';
import { peakMemoryMiB } from './process-cpu.ts';

export type CatchupOptions = BenchOptions & {
  readonly events: number;
  readonly seed: number;
  /** Events per second of event time: with the number of events it decides how many windows there are. */
  readonly eventRate: number;
  readonly users: number;
};

export type CatchupOutcome = Circumstances & {
  readonly bench: 'catchup';
  readonly events: number;
  readonly bytesPerEvent: number;
  readonly seed: number;
  readonly partitions: number;
  readonly eventRate: number;
  readonly users: number;
  /** From the start of the pipeline's workflow: until the last commit, and until the last window was closed. */
  readonly seconds: { readonly ingested: number; readonly closed: number };
  readonly eventsPerSecond: { readonly ingested: number; readonly closed: number };
  /** Until the last window was closed; `machine` is everything together. */
  readonly cpuMicrosecondsPerEvent: CpuPerEvent;
  readonly workerPeakMiB: number;
  readonly verify: Verified;
};

const LATENESS_MS = 300_000;
const MESSAGES_PER_WRITE = 6000;
const LOOK_EVERY_MS = 100;
const DISORDER = { disorder: 0.02, duplicates: 0.005, malformed: 0.001, late: 0.002 };

/** Fills a topic, ingests it, verifies it. */
export async function benchCatchup(options: CatchupOptions): Promise<CatchupOutcome> {
  const bench = await BenchPipeline.open(options, LATENESS_MS);
  try {
    const bytes = await fillTopic(bench, options);
    const worker = await bench.startWorker(['ingest', 'windows']);
    options.report('The worker polls; the pipeline starts');
    const servers = serverParts({
      brokers: options.addresses.kafka.brokers,
      postgresUrl: options.addresses.postgres.url,
    });
    const circumstances = await readCircumstances(bench, servers.broker);
    const cpuUsed = startCpuMeter({ worker: worker.pid, ...servers });
    const seconds = await runToEnd(bench);
    const cpu = cpuUsed(options.events);
    const workerPeakMiB = peakMemoryMiB(worker.pid);
    await bench.stopPipeline();
    options.report(`Ingested in ${seconds.ingested.toFixed(1)} s, closed in ${seconds.closed.toFixed(1)} s; verifying`);
    const { events, seed, partitions, eventRate, users } = options;
    return {
      bench: 'catchup',
      ...circumstances,
      events,
      bytesPerEvent: round(bytes / events),
      seed,
      partitions,
      eventRate,
      users,
      seconds: { ingested: round(seconds.ingested), closed: round(seconds.closed) },
      eventsPerSecond: {
        ingested: Math.round(events / seconds.ingested),
        closed: Math.round(events / seconds.closed),
      },
      cpuMicrosecondsPerEvent: cpu,
      workerPeakMiB,
      verify: await verifyBench(bench),
    };
  } finally {
    await bench.close();
  }
}

/** Returns the bytes of all values. */
async function fillTopic(bench: BenchPipeline, options: CatchupOptions): Promise<number> {
  const { events, eventRate, seed, users, report } = options;
  const { topic } = bench.spec;
  // The history ends now, so that no event lies in the future.
  const startTimeMs = Date.now() - Math.ceil((events / eventRate) * 1000);
  const spec = createGeneratorSpec({ topic, seed, users, rate: eventRate, count: events, startTimeMs, ...DISORDER });
  const maker = createMessageMaker(spec);
  const segment = { fromIndex: 0, startMs: startTimeMs, rate: eventRate };
  const writer = await openEventWriter({ brokers: options.addresses.kafka.brokers, topic });
  try {
    let bytes = 0;
    let written: Promise<void> = Promise.resolve();
    for (let at = 0; at < events; at += MESSAGES_PER_WRITE) {
      const messages = maker.messages(segment, at, Math.min(events, at + MESSAGES_PER_WRITE));
      for (const { value } of messages) bytes += value.length;
      // The next messages are made while the broker takes these.
      await written;
      written = writer.write(messages);
    }
    await written;
    report(`The topic holds ${events} messages`);
    return bytes;
  } finally {
    await writer.close();
  }
}

async function runToEnd(bench: BenchPipeline): Promise<{ ingested: number; closed: number }> {
  const ends = await bench.offsets();
  const startedMs = performance.now();
  const secondsSince = (): number => (performance.now() - startedMs) / 1000;
  await bench.startPipeline();
  while (!(await bench.endStream(ends))) await wait(LOOK_EVERY_MS);
  while (!(await isIngested(bench, ends))) await wait(LOOK_EVERY_MS);
  const ingested = secondsSince();
  while (!(await bench.hasEnded())) await wait(LOOK_EVERY_MS);
  return { ingested, closed: secondsSince() };
}

/** Whether every checkpoint has reached the end of its partition. */
export async function isIngested(bench: BenchPipeline, ends: readonly PartitionOffsets[]): Promise<boolean> {
  const at = new Map((await readCheckpoints(bench.pool, bench.spec)).map((one) => [one.partition, one.nextOffset]));
  return ends.every(({ partition, endOffset }) => (at.get(partition) ?? 0) >= endOffset);
}

/** Verifies what the bench has made. */
export async function verifyBench(bench: BenchPipeline): Promise<Verified> {
  const { kafka, postgres } = bench.options.addresses;
  const startedMs = performance.now();
  const verification = await verifyPipeline({ brokers: kafka.brokers, postgresUrl: postgres.url, spec: bench.spec });
  return summarizeVerification(verification, round((performance.now() - startedMs) / 1000));
}
