// The comparison: one topic, one system after the other, one job after the other; what each comes to is a line of JSON.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

import { withFileLock } from '../../local/file-lock.ts';

import type { StackAddresses } from '../../local/stack.ts';
import { must } from '../../pipeline/ensure.ts';
import { BenchPipeline } from '../bench-pipeline.ts';
import { serverParts } from '../cpu-meter.ts';
import { fillTopic } from '../fill-topic.ts';
import type { Filling } from '../fill-topic.ts';
import { readCircumstances } from '../outcome.ts';
import type { Circumstances } from '../outcome.ts';
import { connect } from './connect.ts';
import { flink } from './flink.ts';
import { peersFolder } from './install.ts';
import { clearLeftovers, forgetRun, noteRun, schemaPrefix } from './leftovers.ts';
import { withSchema } from './postgres.ts';
import { runJob } from './run-job.ts';
import type { JobOutcome, JobPlan } from './run-job.ts';
import { spark } from './spark.ts';
import type { JobName, System, SystemName } from './system.ts';
import { readTruth } from './truth.ts';
import type { Truth } from './truth.ts';
import { weirOver } from './weir.ts';

export type Comparison = {
  readonly addresses: StackAddresses;
  readonly temporalNamespace: string;
  readonly partitions: number;
  readonly systems: readonly SystemName[];
  readonly jobs: readonly JobName[];
  readonly filling: Pick<Filling, 'events' | 'eventRate' | 'seed' | 'users'>;
  readonly liveRate: number;
  readonly liveSeconds: number;
  readonly cores: number;
  readonly heapMiB: number | null;
  readonly limitMs: number;
  readonly keep: boolean;
  readonly installOnly: boolean;
  readonly report: (line: string) => void;
  readonly onLine: (line: ComparisonLine) => void;
  readonly signal: AbortSignal;
};

/** One system and job. */
export type ComparisonLine = Circumstances &
  Comparison['filling'] & {
    readonly bench: 'peers';
    readonly system: SystemName;
    readonly version: string;
    readonly job: JobName;
    readonly partitions: number;
    readonly cores: number;
    /** Of the topic that was read; null: the job is live. */
    readonly topic: Omit<Truth, 'schema'> | null;
    readonly outcome: JobOutcome;
  };

const FILL = { data: 'plain', ids: 'v7', inOrder: false } as const;
const LATENESS_MS = 300_000;

/** Runs all of it, one job at a time on this machine. What fails is a line; only an interruption ends it early. */
export async function compare(comparison: Comparison): Promise<void> {
  const { report, signal } = comparison;
  let pipeline: BenchPipeline | null = null;
  const known: Readonly<Record<SystemName, System>> = {
    weir: weirOver(() => must(pipeline, 'the pipeline of the run')),
    flink,
    spark,
    connect,
  };
  const systems = comparison.systems.map((name) => known[name]);
  const onWait = (holder: number): void => report(`Process ${holder} compares on this machine already; waiting for it`);
  await withFileLock({ path: join(peersFolder(), 'run.lock'), onWait, signal }, async () => {
    for (const system of systems) await system.install({ report, signal });
    if (comparison.installOnly) return;
    await clearLeftovers(comparison.addresses, report);
    const runId = randomUUID().slice(0, 8);
    const jobs = comparison.jobs.filter((job) => job !== 'live');
    const run = { comparison, runId, use: (bench: BenchPipeline) => (pipeline = bench) };
    if (jobs.length > 0) await compareBounded(run, systems, jobs);
    if (!comparison.jobs.includes('live')) return;
    // A topic each: what one leaves unread must not be the next one's.
    for (const system of systems)
      await withTopic(run, async (bench) => await compareOne({ run, bench, truth: null }, system, 'live'));
  });
}

type Run = { readonly comparison: Comparison; readonly runId: string; readonly use: (bench: BenchPipeline) => void };

async function withTopic(run: Run, work: (bench: BenchPipeline) => Promise<void>): Promise<void> {
  const { addresses, temporalNamespace, partitions, report, keep } = run.comparison;
  const bench = await BenchPipeline.open(
    { addresses, temporalNamespace, partitions, report, keep },
    { latenessMs: LATENESS_MS },
  );
  const made = bench.spec.schema;
  run.use(bench);
  noteRun({ runId: run.runId, topic: bench.spec.topic, schema: made });
  try {
    await work(bench);
  } finally {
    // The jobs gave it schemas of theirs; the one that it was opened with goes with it.
    Object.assign(bench.spec, { schema: made });
    await bench.close();
    forgetRun();
  }
}

async function compareBounded(run: Run, systems: readonly System[], jobs: readonly JobName[]): Promise<void> {
  const { addresses, filling, keep, report, signal } = run.comparison;
  await withTopic(run, async (bench) => {
    await fillTopic(bench, { ...filling, ...FILL });
    const schema = `${schemaPrefix(run.runId)}truth`;
    await withSchema({ addresses, schema, keep }, async () => {
      report('Reading the topic for what is to be expected of it');
      const truth = await readTruth({ addresses, topic: bench.spec.topic, schema, signal });
      report(`${truth.events} events, ${truth.repeated} of them repeated, ${truth.malformed} messages that are none`);
      for (const system of systems) for (const job of jobs) await compareOne({ run, bench, truth }, system, job);
    });
  });
}

type Stage = { readonly run: Run; readonly bench: BenchPipeline; readonly truth: Truth | null };

async function compareOne({ run, bench, truth }: Stage, system: System, job: JobName): Promise<void> {
  const { comparison } = run;
  const { addresses, filling, partitions, cores, report, signal } = comparison;
  signal.throwIfAborted();
  const reason = system.cannot(job);
  if (reason !== null) return report(`${system.name} ${job}: left out. ${reason}`);
  report(`${system.name} ${job}`);
  const plan: JobPlan = {
    ...comparison,
    topic: bench.spec.topic,
    truth,
    live: { rate: comparison.liveRate, seconds: comparison.liveSeconds, seed: filling.seed, users: filling.users },
    runId: run.runId,
  };
  const outcome = await runJob(system, job, plan);
  if (outcome.failed !== undefined) report(`${system.name} ${job} failed: ${outcome.failed}`);
  const broker = serverParts({ brokers: addresses.kafka.brokers, postgresUrl: addresses.postgres.url }).broker;
  const what = truth === null ? null : topicOf(truth);
  const { name, version } = system;
  comparison.onLine({
    bench: 'peers',
    system: name,
    version,
    job,
    ...(await readCircumstances(bench, broker)),
    ...filling,
    partitions,
    cores,
    topic: what,
    outcome,
  });
}

function topicOf({ messages, events, repeated, malformed }: Truth): Omit<Truth, 'schema'> {
  return { messages, events, repeated, malformed };
}
