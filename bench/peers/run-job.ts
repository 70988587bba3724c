// One system does one job: started, told to begin, measured, held against the truth, and cleared away.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import type { StackAddresses } from '../../local/stack.ts';
import { formatDuration } from '../../pipeline/duration.ts';
import { must } from '../../pipeline/ensure.ts';
import { serverParts } from '../cpu-meter.ts';
import { diffEvents, diffResults } from './diff.ts';
import type { EventDiff, ResultDiff } from './diff.ts';
import { peersFolder } from './install.ts';
import { makeScratch, schemaPrefix } from './leftovers.ts';
import { measureLive } from './live.ts';
import type { LiveLatency } from './live.ts';
import { withPostgres, withSchema } from './postgres.ts';
import { RunMeter } from './run-meter.ts';
import type { Usage } from './run-meter.ts';
import type { JobName, JobOrder, StartedJob, System } from './system.ts';
import type { Truth } from './truth.ts';

export type JobPlan = {
  readonly addresses: StackAddresses;
  readonly topic: string;
  /** null: the job is live. */
  readonly truth: Truth | null;
  readonly live: { readonly rate: number; readonly seconds: number; readonly seed: number; readonly users: number };
  readonly cores: number;
  readonly heapMiB: number | null;
  readonly limitMs: number;
  readonly keep: boolean;
  readonly runId: string;
  readonly report: (line: string) => void;
  readonly signal: AbortSignal;
};

/** What a job came to. Everything but `failed` is absent when it failed. */
export type JobOutcome = {
  readonly failed?: string;
  readonly settings?: StartedJob['settings'];
  /** Seconds until the system was up, which is not part of `usage`. */
  readonly startSeconds?: number;
  readonly usage?: Usage;
  readonly eventsPerSecond?: number;
  readonly cpuMicrosecondsPerEvent?: Readonly<Record<string, number | null>>;
  readonly events?: EventDiff;
  readonly deadLetters?: number | null;
  readonly results?: Readonly<Record<string, ResultDiff>>;
  readonly live?: LiveLatency;
};

/** A system that has failed may also fail to stop. */
const GIVE_UP_STOPPING_MS = 60_000;

/** Runs it within its time limit. A failure of the system is an outcome; an interruption is thrown. */
export async function runJob(system: System, job: JobName, plan: JobPlan): Promise<JobOutcome> {
  const name = `${system.name}-${job}`;
  const logFile = join(peersFolder(), 'logs', `${plan.runId}-${name}.log`);
  const scratch = makeScratch(`${plan.runId}-${name}`);
  mkdirSync(join(peersFolder(), 'logs'), { recursive: true });
  const limit = AbortSignal.timeout(plan.limitMs);
  const signal = AbortSignal.any([plan.signal, limit]);
  const { addresses, topic, truth, cores, heapMiB, keep } = plan;
  const schema = `${schemaPrefix(plan.runId)}${name.replaceAll('-', '_')}`;
  const events = truth?.events ?? null;
  const order: JobOrder = { job, addresses, topic, schema, events, cores, heapMiB, scratch, logFile, signal };
  try {
    return await withSchema({ addresses, schema, keep }, async () => await measured(system, order, plan));
  } catch (thrown) {
    plan.signal.throwIfAborted();
    if (limit.aborted) {
      const within = formatDuration(plan.limitMs);
      return {
        failed: `${name} was not done within ${within}; its log is ${logFile}. Raise --limit or lower --events.`,
      };
    }
    return { failed: thrown instanceof Error ? thrown.message : String(thrown) };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function measured(system: System, order: JobOrder, plan: JobPlan): Promise<JobOutcome> {
  const { addresses } = order;
  const startedMs = performance.now();
  const started = await system.start(order);
  const startSeconds = secondsSince(startedMs);
  let stopped = false;
  try {
    plan.report(`${system.name} is up after ${startSeconds} s; ${order.job} begins`);
    // Nobody pays for what an earlier job has left to be written.
    await withPostgres({ addresses }, async (db) => await db.query('checkpoint').catch(() => {}));
    const servers = serverParts({ brokers: addresses.kafka.brokers, postgresUrl: addresses.postgres.url });
    const meter = async (): Promise<RunMeter> =>
      await RunMeter.start({
        postgresUrl: addresses.postgres.url,
        parts: { system: started.pid, ...started.beside, ...servers },
        pid: started.pid,
        applicationName: order.job === 'live' ? null : started.applicationName,
      });
    const { usage, live } =
      order.job === 'live'
        ? await runLive(system, { order, plan, started, meter })
        : await runBounded(order, started, meter);
    const deadLetters = await started.deadLetters();
    await started.stop();
    stopped = true;
    const done =
      live === undefined ? must(plan.truth, 'the truth about the topic').messages : live.rate * plan.live.seconds;
    const outcome = { settings: started.settings, startSeconds, usage, deadLetters, ...perEvent(usage, done) };
    if (live !== undefined) return { ...outcome, live };
    plan.report(`Done after ${usage.seconds} s; comparing with the topic`);
    return { ...outcome, ...(await compared(system, order, plan)) };
  } finally {
    if (!stopped) await Promise.race([started.stop().catch(() => {}), wait(GIVE_UP_STOPPING_MS)]);
  }
}

async function runBounded(
  order: JobOrder,
  started: StartedJob,
  startMeter: () => Promise<RunMeter>,
): Promise<{ usage: Usage; live?: LiveLatency }> {
  const meter = await startMeter();
  try {
    await started.begin();
    await started.finished(order.signal);
    return { usage: await meter.end() };
  } finally {
    await meter.close();
  }
}

type LiveRun = { order: JobOrder; plan: JobPlan; started: StartedJob; meter: () => Promise<RunMeter> };

async function runLive(system: System, run: LiveRun): Promise<{ usage: Usage; live: LiveLatency }> {
  const { order, plan, started } = run;
  const { addresses, topic, schema } = order;
  await started.begin();
  const failure = new AbortController();
  // A live job never finishes: that this ends means that the system has failed.
  started.finished(order.signal).catch((thrown: unknown) => failure.abort(thrown));
  let meter: RunMeter | null = null;
  let usage: Usage | null = null;
  try {
    const live = await measureLive({
      ...plan.live,
      addresses,
      topic,
      rows: system.rows(schema),
      onMeasuring: async () => void (meter = await run.meter()),
      onMeasured: async () => void (usage = (await meter?.end()) ?? null),
      signal: AbortSignal.any([order.signal, failure.signal]),
    });
    return { usage: must<Usage>(usage, 'what was measured'), live };
  } catch (thrown) {
    throw failure.signal.aborted ? failure.signal.reason : thrown;
  } finally {
    await (meter as RunMeter | null)?.close();
  }
}

async function compared(
  system: System,
  { job, addresses, schema }: JobOrder,
  plan: JobPlan,
): Promise<Pick<JobOutcome, 'events' | 'results'>> {
  const place = { addresses, truth: must(plan.truth, 'the truth about the topic') };
  const events = await diffEvents(place, system.rows(schema));
  return job === 'raw' ? { events } : { events, results: await diffResults(place, schema) };
}

function perEvent(
  { seconds, cpuSeconds }: Usage,
  events: number,
): Pick<JobOutcome, 'eventsPerSecond' | 'cpuMicrosecondsPerEvent'> {
  const micros = (cpu: number | null): number | null => (cpu === null ? null : Math.round((cpu * 1e8) / events) / 100);
  return {
    eventsPerSecond: Math.round(events / seconds),
    cpuMicrosecondsPerEvent: Object.fromEntries(Object.entries(cpuSeconds).map(([part, cpu]) => [part, micros(cpu)])),
  };
}

const secondsSince = (startedMs: number): number => Math.round((performance.now() - startedMs) / 100) / 10;
