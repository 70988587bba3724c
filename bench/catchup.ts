// Catch-up: how fast a topic that was filled beforehand becomes events and results.
import { setTimeout as wait } from 'node:timers/promises';

import { verifyPipeline } from '../cli/verify-pipeline.ts';
import type { PartitionOffsets } from '../kafka/topics.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { BenchPipeline } from './bench-pipeline.ts';
import type { BenchOptions } from './bench-pipeline.ts';
import { round, serverParts, startCpuMeter } from './cpu-meter.ts';
import type { CpuPerEvent } from './cpu-meter.ts';
import { fillTopic } from './fill-topic.ts';
import type { Filling } from './fill-topic.ts';
import { readCircumstances, summarizeVerification } from './outcome.ts';
import type { Circumstances, Verified } from './outcome.ts';
import { peakMemoryMiB } from './process-cpu.ts';
import type { WorkerProcess } from './worker-process.ts';

export type CatchupOptions = BenchOptions &
  Filling & {
    /** Nothing closes while events are taken in. */
    readonly eventsOnly: boolean;
    /** Worker processes, at least one. */
    readonly workers: number;
  };

/** `closed` is null where nothing closes. */
type Took = { readonly ingested: number; readonly closed: number | null };

export type CatchupOutcome = Circumstances &
  Filling & {
    readonly bench: 'catchup';
    readonly bytesPerEvent: number;
    readonly partitions: number;
    readonly eventsOnly: boolean;
    readonly workers: number;
    /** From the start of the pipeline's workflow: until the last commit, and until the last window was closed. */
    readonly seconds: Took;
    readonly eventsPerSecond: Took;
    /** Over all of that time; `machine` is everything together. */
    readonly cpuMicrosecondsPerEvent: CpuPerEvent;
    /** Of the one that took most. */
    readonly workerPeakMiB: number;
    readonly verify: Verified;
  };

const LATENESS_MS = 300_000;
/** No watermark gets so far that anything closes. */
const NOTHING_CLOSES_MS = 86_400_000;
const LOOK_EVERY_MS = 100;

/** Fills a topic, ingests it, verifies it. */
export async function benchCatchup(options: CatchupOptions): Promise<CatchupOutcome> {
  const bench = await BenchPipeline.open(options, {
    latenessMs: options.eventsOnly ? NOTHING_CLOSES_MS : LATENESS_MS,
  });
  try {
    const bytes = await fillTopic(bench, options);
    const workers = [await bench.startWorker(['ingest', 'windows'])];
    while (workers.length < options.workers) workers.push(await bench.startWorker(['ingest', 'windows']));
    options.report('The workers poll; the pipeline starts');
    const servers = serverParts({
      brokers: options.addresses.kafka.brokers,
      postgresUrl: options.addresses.postgres.url,
    });
    const circumstances = await readCircumstances(bench, servers.broker);
    const cpuUsed = startCpuMeter({ ...workerParts(workers), ...servers });
    const took = await runToEnd(bench, options);
    const cpu = cpuUsed(options.events);
    const workerPeakMiB = Math.max(...workers.map(({ pid }) => peakMemoryMiB(pid)));
    await bench.stopPipeline();
    options.report(`Done after ${took.total.toFixed(1)} s; verifying`);
    const { events, seed, users, eventRate, data, ids, inOrder, partitions, eventsOnly } = options;
    return {
      bench: 'catchup',
      ...circumstances,
      events,
      seed,
      users,
      eventRate,
      data,
      ids,
      inOrder,
      partitions,
      eventsOnly,
      workers: workers.length,
      bytesPerEvent: round(bytes / events),
      seconds: eachOf(took, round),
      eventsPerSecond: eachOf(took, (seconds) => Math.round(events / seconds)),
      cpuMicrosecondsPerEvent: cpu,
      workerPeakMiB,
      verify: await verifyBench(bench),
    };
  } finally {
    await bench.close();
  }
}

/** Each by its own name: worker, worker2, and so on. */
function workerParts(workers: readonly WorkerProcess[]): Record<string, number> {
  return Object.fromEntries(workers.map(({ pid }, index) => [index === 0 ? 'worker' : `worker${index + 1}`, pid]));
}

function eachOf({ ingested, closed }: Took, of: (seconds: number) => number): Took {
  return { ingested: of(ingested), closed: closed === null ? null : of(closed) };
}

async function runToEnd(bench: BenchPipeline, { eventsOnly }: CatchupOptions): Promise<Took & { total: number }> {
  const ends = await bench.offsets();
  const startedMs = performance.now();
  const secondsSince = (): number => (performance.now() - startedMs) / 1000;
  await bench.startPipeline();
  if (!eventsOnly) while (!(await bench.endStream(ends))) await wait(LOOK_EVERY_MS);
  while (!(await isIngested(bench, ends))) await wait(LOOK_EVERY_MS);
  const ingested = secondsSince();
  if (eventsOnly) return { ingested, closed: null, total: ingested };
  while (!(await bench.hasEnded())) await wait(LOOK_EVERY_MS);
  const closed = secondsSince();
  return { ingested, closed, total: closed };
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
