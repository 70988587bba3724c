// Workers: how leases lie on several worker processes, how long they stand still when one is killed, and when they are spread again.
import { setTimeout as wait } from 'node:timers/promises';

import { createGeneratorSpec } from '../generator/generator-spec.ts';
import { must } from '../pipeline/ensure.ts';
import { BenchPipeline } from './bench-pipeline.ts';
import type { BenchOptions } from './bench-pipeline.ts';
import { isIngested, verifyBench } from './catchup.ts';
import { round, serverParts } from './cpu-meter.ts';
import { heldBy, isSpread, leaseHolders } from './lease-holders.ts';
import type { LeaseHolders } from './lease-holders.ts';
import { readCircumstances } from './outcome.ts';
import type { Circumstances, Verified } from './outcome.ts';
import { StandstillWatch } from './standstill.ts';
import type { Standstill } from './standstill.ts';
import type { WorkerProcess } from './worker-process.ts';

export type WorkersOptions = BenchOptions & {
  readonly workers: number;
  readonly rate: number;
  readonly seed: number;
  readonly users: number;
};

export type WorkersOutcome = Circumstances & {
  readonly bench: 'workers';
  readonly workers: number;
  readonly rate: number;
  readonly seed: number;
  readonly partitions: number;
  readonly users: number;
  /** From the start of the pipeline; leases by worker, in the order in which they were started. */
  readonly start: { readonly secondsUntilSpread: number; readonly leases: readonly number[] };
  /** While nothing happens: how many partitions changed hands, and the longest time between two commits of each. */
  readonly quiet: { readonly seconds: number; readonly moved: number; readonly standstill: Standstill };
  /** The first worker got SIGKILL: its partitions until each had committed again (alone: through a new one), and the others. */
  readonly kill: {
    readonly partitions: number;
    readonly standstill: Standstill;
    readonly others: Standstill;
    readonly leases: readonly number[];
  };
  /** A new worker was started in its place: until it polled, and from then until the leases were spread; those that moved. */
  readonly restart: {
    readonly secondsUntilPolling: number;
    readonly secondsUntilSpread: number;
    readonly moved: number;
    readonly standstill: Standstill;
    readonly leases: readonly number[];
  };
  readonly verify: Verified;
};

const LATENESS_MS = 20_000;
const WARM_UP_MS = 10_000;
const QUIET_MS = 40_000;
const LOOK_EVERY_MS = 100;
const GIVE_UP_AFTER_MS = 180_000;
const SHARES = { disorder: 0.02, duplicates: 0.005, malformed: 0.001, late: 0.002 };

/** Starts the workers, kills one, starts it again, verifies. The generator has a process of its own. */
export async function benchWorkers(options: WorkersOptions): Promise<WorkersOutcome> {
  const { rate, seed, users, partitions, workers, report } = options;
  const bench = await BenchPipeline.open(options, { latenessMs: LATENESS_MS });
  const watch = new StandstillWatch(bench.pool, bench.spec);
  try {
    const crew: WorkerProcess[] = [];
    for (let number = 0; number < workers; number += 1) crew.push(await bench.startWorker(['ingest', 'windows']));
    await bench.startWorker(['generator']);
    const startedMs = performance.now();
    await bench.startPipeline();
    const { topic } = bench.spec;
    const spec = createGeneratorSpec({ name: topic, topic, seed, rate, users, ...SHARES });
    const stopGenerator = await bench.startGenerator(spec);
    const leases = await untilSpread(bench, crew);
    const start = { secondsUntilSpread: secondsSince(startedMs), leases: heldBy(leases, pids(crew)) };
    report(`${workers} workers hold ${start.leases.join(', ')} leases; measuring begins in ${WARM_UP_MS / 1000} s`);
    await wait(WARM_UP_MS);
    const { brokers } = options.addresses.kafka;
    const servers = serverParts({ brokers, postgresUrl: options.addresses.postgres.url });
    const circumstances = await readCircumstances(bench, servers.broker);
    watch.start();
    const scenes = await play({ bench, watch, crew });
    await watch.stop();
    await stopGenerator();
    const ends = await bench.offsets();
    while (!(await isIngested(bench, ends))) await wait(LOOK_EVERY_MS);
    await bench.stopPipeline();
    report('Measured; verifying');
    const verify = await verifyBench(bench);
    return { bench: 'workers', ...circumstances, workers, rate, seed, partitions, users, start, ...scenes, verify };
  } finally {
    await watch.stop();
    await bench.close();
  }
}

type Stage = { readonly bench: BenchPipeline; readonly watch: StandstillWatch; readonly crew: WorkerProcess[] };

async function play(stage: Stage): Promise<Pick<WorkersOutcome, 'quiet' | 'kill' | 'restart'>> {
  const { report } = stage.bench.options;
  const quiet = await playQuiet(stage);
  report(`Quiet for ${quiet.seconds} s: ${quiet.moved} partitions moved; a worker is killed now`);
  const killed = must(stage.crew.shift(), 'a worker to kill');
  const before = await leaseHolders(stage.bench);
  stage.watch.reset();
  process.kill(killed.pid, 'SIGKILL');
  const lost = partitionsOf(before, (holder) => holder === killed.pid);
  // Alone, nobody takes over before the new one is there.
  const restarted = stage.crew.length === 0 ? await restart(stage) : null;
  // Only then: a commit may be seen a while after the worker that made it was killed.
  await until(async () => {
    const now = await leaseHolders(stage.bench);
    return lost.every((partition) => now[partition] !== null && now[partition] !== killed.pid);
  }, 'the partitions of the killed worker are held again');
  const heldMs = performance.now();
  await until(() => stage.watch.allMoved(lost, heldMs), 'the partitions of the killed worker commit again');
  const kill = {
    partitions: lost.length,
    standstill: stage.watch.longest(lost),
    others: stage.watch.longest(partitionsOf(before, (holder) => holder !== killed.pid)),
    leases: heldBy(await untilHeld(stage.bench), pids(stage.crew)),
  };
  report(`Its ${lost.length} partitions stood still for ${kill.standstill?.maxMs ?? 0} ms; a new worker starts`);
  return { quiet, kill, restart: await playRestart(stage, restarted ?? (await restart(stage))) };
}

async function playQuiet({ bench, watch }: Stage): Promise<WorkersOutcome['quiet']> {
  const before = await untilHeld(bench);
  watch.reset();
  const startedMs = performance.now();
  await wait(QUIET_MS);
  const after = await untilHeld(bench);
  const all = partitionsOf(before, () => true);
  const moved = all.filter((partition) => before[partition] !== after[partition]);
  return { seconds: secondsSince(startedMs), moved: moved.length, standstill: watch.longest(all) };
}

type Restarted = { readonly before: LeaseHolders; readonly pollsMs: number; readonly secondsUntilPolling: number };

async function restart({ bench, crew, watch }: Stage): Promise<Restarted> {
  const before = await leaseHolders(bench);
  const startedMs = performance.now();
  crew.push(await bench.startWorker(['ingest', 'windows']));
  const secondsUntilPolling = secondsSince(startedMs);
  if (crew.length > 1) watch.reset();
  return { before, pollsMs: performance.now(), secondsUntilPolling };
}

async function playRestart({ bench, watch, crew }: Stage, { before, pollsMs, ...rest }: Restarted) {
  const after = await untilSpread(bench, crew);
  const secondsUntilSpread = secondsSince(pollsMs);
  const moved = partitionsOf(before, (holder, partition) => after[partition] !== holder);
  const spreadMs = performance.now();
  await until(() => watch.allMoved(moved, spreadMs), 'the partitions that moved commit again');
  // Alone, the standstill is that of the kill.
  const standstill = crew.length === 1 ? null : watch.longest(moved);
  return { ...rest, secondsUntilSpread, moved: moved.length, standstill, leases: heldBy(after, pids(crew)) };
}

const pids = (crew: readonly WorkerProcess[]): number[] => crew.map(({ pid }) => pid);
const secondsSince = (startedMs: number): number => round((performance.now() - startedMs) / 1000);

function partitionsOf(
  holders: LeaseHolders,
  wanted: (holder: number | null, partition: number) => boolean,
): readonly number[] {
  return holders.flatMap((holder, partition) => (wanted(holder, partition) ? [partition] : []));
}

async function untilSpread(bench: BenchPipeline, crew: readonly WorkerProcess[]): Promise<LeaseHolders> {
  return await until(async () => {
    const holders = await leaseHolders(bench);
    return isSpread(holders, pids(crew)) && holders;
  }, 'the leases are spread over the workers');
}

async function untilHeld(bench: BenchPipeline): Promise<LeaseHolders> {
  return await until(async () => {
    const holders = await leaseHolders(bench);
    return !holders.includes(null) && holders;
  }, 'every lease is held');
}

async function until<T>(look: () => Promise<T | false> | T | false, what: string): Promise<T> {
  const deadline = performance.now() + GIVE_UP_AFTER_MS;
  for (;;) {
    // A workflow that is not there yet can't be asked.
    const found = await Promise.resolve()
      .then(look)
      .catch(() => false as const);
    if (found !== false) return found;
    if (performance.now() > deadline) {
      throw new Error(`Not within ${GIVE_UP_AFTER_MS / 1000} s: ${what}; see the log of the workers above.`);
    }
    await wait(LOOK_EVERY_MS);
  }
}
