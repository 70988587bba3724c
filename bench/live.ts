// Live: how long after it was due an event can be read in PostgreSQL, at a steady rate, and what that costs.
import { setTimeout as wait } from 'node:timers/promises';

import type { PartitionOffsets } from '../kafka/topics.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { BenchPipeline } from './bench-pipeline.ts';
import type { BenchOptions } from './bench-pipeline.ts';
import { verifyBench } from './catchup.ts';
import { round, serverParts, startCpuMeter } from './cpu-meter.ts';
import type { CpuPerEvent, Parts } from './cpu-meter.ts';
import { LatencyProbe } from './latency-probe.ts';
import type { Latency } from './latency-probe.ts';
import { readCircumstances } from './outcome.ts';
import type { Circumstances, Verified } from './outcome.ts';
import { peakMemoryMiB } from './process-cpu.ts';
import { generateSteadily } from './steady-rate.ts';

export type LiveOptions = BenchOptions & {
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  readonly users: number;
};

export type LiveOutcome = Circumstances & {
  readonly bench: 'live';
  readonly rate: number;
  readonly seed: number;
  readonly partitions: number;
  readonly users: number;
  /** Messages that the topic took while it was measured, and how many were committed. */
  readonly produced: number;
  readonly committed: number;
  readonly seconds: number;
  readonly producedPerSecond: number;
  readonly committedPerSecond: number;
  /** Unread offsets when measuring began and when it ended: equal is keeping up. */
  readonly lag: { readonly atStart: number; readonly atEnd: number };
  /** From the time an event was due (its Kafka timestamp) to its being readable in PostgreSQL. */
  readonly latencyMs: Latency;
  readonly cpuMicrosecondsPerEvent: CpuPerEvent;
  readonly workerPeakMiB: number;
  readonly verify: Verified;
};

const LATENESS_MS = 20_000;
/** Before measuring: connections open, statements planned, code compiled. */
const WARM_UP_MS = 10_000;

type Position = { readonly produced: number; readonly committed: number };

/** Generates at a rate, ingests at the same time, verifies. The generator has a process of its own. */
export async function benchLive(options: LiveOptions): Promise<LiveOutcome> {
  const { rate, seed, users, partitions, report } = options;
  const bench = await BenchPipeline.open(options, { latenessMs: LATENESS_MS });
  try {
    const worker = await bench.startWorker(['ingest', 'windows']);
    await bench.startPipeline();
    const { generator, drain } = await generateSteadily(bench, { rate, seed, users });
    report(`The generator makes ${rate} events a second; measuring begins in ${WARM_UP_MS / 1000} s`);
    await wait(WARM_UP_MS);
    const { brokers } = options.addresses.kafka;
    const servers = serverParts({ brokers, postgresUrl: options.addresses.postgres.url });
    const circumstances = await readCircumstances(bench, servers.broker);
    const measured = await measureLive(bench, options.seconds, {
      worker: worker.pid,
      generator: generator.pid,
      ...servers,
    });
    const workerPeakMiB = peakMemoryMiB(worker.pid);
    await drain();
    const latencyMs = await measured.latency();
    await bench.stopPipeline();
    report('Measured; verifying');
    return {
      bench: 'live',
      ...circumstances,
      rate,
      seed,
      partitions,
      users,
      ...measured.figures,
      latencyMs,
      workerPeakMiB,
      verify: await verifyBench(bench),
    };
  } finally {
    await bench.close();
  }
}

type LiveFigures = Pick<
  LiveOutcome,
  'produced' | 'committed' | 'seconds' | 'producedPerSecond' | 'committedPerSecond' | 'lag' | 'cpuMicrosecondsPerEvent'
>;

type Measured = {
  readonly figures: LiveFigures;
  /** Counts what the probe saw; to be called once, when that disturbs nothing any more. */
  readonly latency: () => Promise<Latency>;
};

/** Watches a pipeline at a steady rate for some seconds; `parts` are the processes whose CPU time is read. */
export async function measureLive(bench: BenchPipeline, seconds: number, parts: Parts): Promise<Measured> {
  const cpuUsed = startCpuMeter(parts);
  const probe = await LatencyProbe.start(bench.options.addresses.postgres.url, bench.spec);
  const from = await position(bench);
  const startedMs = performance.now();
  await wait(seconds * 1000);
  const to = await position(bench);
  const took = (performance.now() - startedMs) / 1000;
  await probe.stop();
  const produced = to.produced - from.produced;
  const committed = to.committed - from.committed;
  return {
    figures: {
      produced,
      committed,
      seconds: round(took),
      producedPerSecond: Math.round(produced / took),
      committedPerSecond: Math.round(committed / took),
      lag: { atStart: from.produced - from.committed, atEnd: to.produced - to.committed },
      cpuMicrosecondsPerEvent: cpuUsed(committed),
    },
    latency: async () => {
      const latency = await probe.take();
      await probe.close();
      return latency;
    },
  };
}

/** Sums over the partitions. The checkpoints are read first, so that the lag is never too small. */
async function position(bench: BenchPipeline): Promise<Position> {
  const checkpoints = await readCheckpoints(bench.pool, bench.spec);
  const ends: PartitionOffsets[] = await bench.offsets();
  return {
    produced: ends.reduce((sum, { endOffset }) => sum + endOffset, 0),
    committed: checkpoints.reduce((sum, { nextOffset }) => sum + nextOffset, 0),
  };
}
