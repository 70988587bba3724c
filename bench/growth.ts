// Growth: whether ingesting and closing slow down as the tables grow, step by step on one topic.
import { setTimeout as wait } from 'node:timers/promises';

import { openTopicObserver } from '../kafka/topics.ts';
import { PANE_MS, paneStart } from '../pipeline/pane.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { BenchPipeline } from './bench-pipeline.ts';
import type { BenchOptions } from './bench-pipeline.ts';
import { isIngested, verifyBench } from './catchup.ts';
import { round, serverParts, startCpuMeter } from './cpu-meter.ts';
import { EventTime } from './event-time.ts';
import { createFiller } from './fill-topic.ts';
import { lastToFirst } from './growth-ratios.ts';
import type { GrowthRatios, GrowthStep } from './growth-ratios.ts';
import { differenceOf, readWork } from './growth-work.ts';
import { readCircumstances } from './outcome.ts';
import type { Circumstances, Verified } from './outcome.ts';
import { peakMemoryMiB } from './process-cpu.ts';
import { readTableSizes } from './table-sizes.ts';
import type { WorkerProcess } from './worker-process.ts';

export type GrowthOptions = BenchOptions & {
  /** Messages in all steps together, which is a multiple of those in each. */
  readonly events: number;
  readonly step: number;
  /** Minutes of event time that each step spans, and so panes that it closes. */
  readonly panes: number;
  readonly seed: number;
  readonly users: number;
};

export type GrowthOutcome = Circumstances & {
  readonly bench: 'growth';
  readonly events: number;
  readonly step: number;
  readonly panes: number;
  readonly seed: number;
  readonly users: number;
  readonly partitions: number;
  /** Ingested before the first step. */
  readonly warmUpEvents: number;
  readonly bytesPerEvent: number;
  readonly steps: readonly GrowthStep[];
  /** Figures of the last step divided by those of the first. */
  readonly lastToFirst: GrowthRatios;
  readonly workerPeakMiB: number;
  readonly verify: Verified;
};

/** As far back as the events of a plain filling lie, late ones apart. */
const LATENESS_MS = 120_000;
/** While a step is written the partitions rest for longer than that; idle ones would let event time go on without them. */
const NEVER_IDLE_MS = 86_400_000;
/** So that each step closes as many panes as it brings: the lateness, the pane it ends in, and one that closes. */
const WARM_UP_PANES = LATENESS_MS / PANE_MS + 2;
const LOOK_EVERY_MS = 50;

/** Fills, ingests and closes step by step, with the pipeline at rest while a step is written; verifies at the end. */
export async function benchGrowth(options: GrowthOptions): Promise<GrowthOutcome> {
  const { events, step, panes, seed, users, partitions, report, addresses } = options;
  const bench = await BenchPipeline.open(options, { latenessMs: LATENESS_MS, idleAfterMs: NEVER_IDLE_MS });
  const observer = await openTopicObserver({ brokers: addresses.kafka.brokers, topic: bench.spec.topic });
  try {
    const growth = new Growth(bench, options, await bench.startWorker(['ingest', 'windows']));
    const { broker } = growth.servers;
    const circumstances = await readCircumstances(bench, broker);
    const eventTime = new EventTime({ db: bench.pool, spec: bench.spec, observer });
    await growth.warmUp(eventTime);
    const steps: GrowthStep[] = [];
    for (let nth = 1; nth <= events / step; nth += 1) {
      const done = await growth.takeStep(nth, eventTime);
      steps.push(done);
      report(
        `Step ${nth}: ${done.eventsPerSecond.closed} events/s with closing at ${done.rows} rows, commit p99 ${done.commitMs.p99 ?? '-'} ms, a pane ${done.closeMsPerPane ?? '-'} ms`,
      );
    }
    const workerPeakMiB = peakMemoryMiB(growth.worker.pid);
    await bench.stopPipeline();
    report('Measured; verifying');
    const { warmUpEvents, bytesPerEvent } = growth;
    const about = { events, step, panes, seed, users, partitions, warmUpEvents, bytesPerEvent };
    const ratios = lastToFirst(steps);
    const verify = await verifyBench(bench);
    return { bench: 'growth', ...circumstances, ...about, steps, lastToFirst: ratios, workerPeakMiB, verify };
  } finally {
    await observer.close();
    await bench.close();
  }
}

/** One pipeline that grows. */
class Growth {
  readonly warmUpEvents: number;
  readonly servers: ReturnType<typeof serverParts>;
  readonly worker: WorkerProcess;
  readonly #bench: BenchPipeline;
  readonly #step: number;
  readonly #fill: ReturnType<typeof createFiller>;
  #written = 0;
  #bytes = 0;

  constructor(bench: BenchPipeline, options: GrowthOptions, worker: WorkerProcess) {
    const { step, panes, events, seed, users, addresses } = options;
    const eventRate = step / (panes * (PANE_MS / 1000));
    this.#bench = bench;
    this.#step = step;
    this.worker = worker;
    this.warmUpEvents = Math.ceil((step / panes) * WARM_UP_PANES);
    this.servers = serverParts({ brokers: addresses.kafka.brokers, postgresUrl: addresses.postgres.url });
    const spansMs = ((this.warmUpEvents + events) / eventRate) * 1000;
    // Every step ends in the middle of a minute, and the last one in the past.
    const startTimeMs = paneStart(Date.now() - spansMs) - PANE_MS / 2;
    const filling = { events, seed, users, eventRate, data: 'plain', ids: 'v7', inOrder: false } as const;
    this.#fill = createFiller(bench, filling, startTimeMs);
  }

  get bytesPerEvent(): number {
    return round(this.#bytes / this.#written);
  }

  async warmUp(eventTime: EventTime): Promise<void> {
    await this.#write(this.warmUpEvents);
    await this.#bench.startPipeline();
    await this.#untilClosed(eventTime);
  }

  async takeStep(nth: number, eventTime: EventTime): Promise<GrowthStep> {
    const bench = this.#bench;
    await bench.pause();
    await this.#write(this.#step);
    const before = await readWork(bench, this.worker);
    const cpuUsed = startCpuMeter({ worker: this.worker.pid, ...this.servers });
    const startedMs = performance.now();
    // It answers when the partitions do: not waited for, so that a short step is not measured by that.
    const resumed = bench.resume();
    const seconds = await this.#untilClosed(eventTime, startedMs);
    const cpuMicrosecondsPerEvent = cpuUsed(this.#step);
    const work = differenceOf(before, await readWork(bench, this.worker));
    await resumed;
    return {
      nth,
      rows: await rowsOf(bench),
      seconds: { ingested: round(seconds.ingested), closed: round(seconds.closed) },
      eventsPerSecond: {
        ingested: Math.round(this.#step / seconds.ingested),
        closed: Math.round(this.#step / seconds.closed),
      },
      ...work,
      cpuMicrosecondsPerEvent,
      bytes: await readTableSizes(bench.pool, bench.spec.schema),
    };
  }

  async #write(events: number): Promise<void> {
    this.#bytes += await this.#fill(this.#written, this.#written + events);
    this.#written += events;
  }

  async #untilClosed(eventTime: EventTime, startedMs = 0): Promise<{ ingested: number; closed: number }> {
    const ends = await this.#bench.offsets();
    const seconds = (): number => (performance.now() - startedMs) / 1000;
    while (!(await isIngested(this.#bench, ends))) await wait(LOOK_EVERY_MS);
    const ingested = seconds();
    while (!(await eventTime.isClosedUp())) await wait(LOOK_EVERY_MS);
    return { ingested, closed: seconds() };
  }
}

async function rowsOf({ pool, spec }: BenchPipeline): Promise<number> {
  const checkpoints = await readCheckpoints(pool, spec);
  return checkpoints.reduce((sum, { counts }) => sum + counts.recorded, 0);
}
