// Simulate: an installation of any size on paper, from what its parts were measured to cost. No servers, no clock, one seed.
import { fraction, hashUnder } from '../generator/seeded-chance.ts';
import { must } from '../pipeline/ensure.ts';
import { CommitRecord } from './simulation/commit-record.ts';
import { Cpu, Thread } from './simulation/cpu.ts';
import { EventQueue } from './simulation/event-queue.ts';
import { PartitionFlow } from './simulation/partition-flow.ts';
import { ASSUMPTIONS, SETTINGS } from './simulation/plan.ts';
import type { Assumptions, Costs, Plan } from './simulation/plan.ts';
import { SharedCommits } from './simulation/shared-commits.ts';
import { Source } from './simulation/source.ts';
import { TopicClock } from './simulation/topic-clock.ts';
import { Worker } from './simulation/worker.ts';

/** Shares of the cores of a part that were busy while it was measured: on average, and of the busiest one. */
export type Utilization = { readonly mean: number; readonly most: number };

/** Of the measured time unless it says otherwise. Core time by part is in microseconds per event. */
export type Simulated = {
  readonly produced: number;
  readonly committed: number;
  /** Of the whole run: what was produced and not committed when it ended, and the age of the oldest of it in seconds. */
  readonly backlog: { readonly events: number; readonly seconds: number };
  readonly eventsPerSecond: number;
  /** Micro-batches, each of which moves a checkpoint; small ones share transactions. */
  readonly batchesPerSecond: number;
  readonly transactionsPerSecond: number;
  readonly eventsPerBatch: number;
  readonly lagMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly utilization: { readonly workers: Utilization; readonly postgres: Utilization };
  readonly microsecondsPerEvent: Readonly<Record<string, number>>;
  /** Of the whole run: longest time that a close held up commits, and results came behind the watermark. Seconds. */
  readonly closes: { readonly longestHold: number; readonly longestBehind: number };
  /** Seconds from the end of an outage, or from a worker's death, until no message was older than a second; null: never, or no fault. */
  readonly caughtUpAfter: number | null;
  /** Of a history: seconds until all was committed, and until all was closed. */
  readonly history: { readonly ingested: number; readonly closed: number };
};

const CAUGHT_UP_MS = 1_000;
const BACKGROUND_MS = 5;

/** Runs a plan to its end. The same plan, costs and assumptions give the same result. */
export function simulate(plan: Plan, costs: Costs, assumptions: Assumptions = ASSUMPTIONS): Simulated {
  return new Simulation(plan, costs, assumptions).run();
}

class Simulation {
  readonly #queue = new EventQueue();
  readonly #plan: Plan;
  readonly #costs: Costs;
  readonly #assumptions: Assumptions;
  readonly #shared: Cpu | null;
  readonly #workerCpus: readonly Cpu[];
  readonly #shardCpus: readonly Cpu[];
  readonly #workers: Worker[];
  readonly #topics: readonly TopicClock[];
  readonly #flows: PartitionFlow[] = [];
  readonly #record = new CommitRecord();

  constructor(plan: Plan, costs: Costs, assumptions: Assumptions) {
    this.#plan = plan;
    this.#costs = costs;
    this.#assumptions = assumptions;
    const shared = plan.sharedCores === null ? null : new Cpu(this.#queue, plan.sharedCores);
    const cpus = (count: number, cores: number): Cpu[] =>
      shared ? [shared] : Array.from({ length: count }, () => new Cpu(this.#queue, cores));
    this.#shared = shared;
    this.#workerCpus = cpus(plan.workers, 1);
    this.#shardCpus = cpus(plan.shards, plan.shardCores);
    this.#workers = Array.from({ length: plan.workers }, (_, nth) => this.#startWorker(nth));
    const parts = { queue: this.#queue, plan, costs, assumptions };
    this.#topics = Array.from(
      { length: plan.topics },
      (_, topic) => new TopicClock({ ...parts, postgres: around(this.#shardCpus, topic) }, firstMs(plan)),
    );
    for (const [partition, source] of sourcesOf(plan).entries()) this.#flows.push(this.#flow(partition, source));
    for (const [part, cores] of Object.entries(plan.background)) if (shared) this.#keepBusy(shared, part, cores);
  }

  run(): Simulated {
    const { warmUpSeconds, seconds, outage, workerDiesAt, history } = this.#plan;
    for (const [partition, flow] of this.#flows.entries()) flow.begin(around(this.#workers, partition));
    if (outage) this.#queue.after(outage.at * 1000, () => this.#stopAll(outage.seconds * 1000));
    if (workerDiesAt !== null) this.#queue.after(workerDiesAt * 1000, () => this.#killFirstWorker());
    if (outage || workerDiesAt !== null) this.#watchAges();
    this.#queue.runUntil(warmUpSeconds * 1000);
    for (const cpu of [...this.#workerCpus, ...this.#shardCpus]) cpu.forget();
    this.#record.begin();
    const fromMs = this.#queue.nowMs;
    if (history === null) this.#queue.runUntil(fromMs + seconds * 1000);
    else while (!this.#topics.every(({ isDone }) => isDone)) this.#queue.runUntil(this.#queue.nowMs + 10);
    return this.#result((this.#queue.nowMs - fromMs) / 1000);
  }

  #startWorker(nth: number): Worker {
    return new Worker(
      new Thread(around(this.#workerCpus, nth)),
      (clock) =>
        new SharedCommits({
          queue: this.#queue,
          costs: this.#costs,
          assumptions: this.#assumptions,
          sharesCommits: this.#plan.sharesCommits,
          clock,
          postgres: clock.postgres,
          onTransaction: () => this.#record.transaction(),
        }),
    );
  }

  #flow(partition: number, source: Source): PartitionFlow {
    const clock = around(this.#topics, partition);
    const flow = new PartitionFlow({
      queue: this.#queue,
      costs: this.#costs,
      assumptions: this.#assumptions,
      leastTurnMs: this.#plan.leastTurnMs,
      source,
      clock,
      broker: this.#shared,
      onCommit: (of, from, to) => this.#record.batch(this.#queue.nowMs, of.source, { from, to }),
    });
    clock.partitions.push(flow);
    return flow;
  }

  #keepBusy(cpu: Cpu, part: string, cores: number): void {
    cpu.run({ ms: cores * BACKGROUND_MS, part, done: () => {} });
    const isOver = this.#plan.history !== null && this.#topics.every(({ isDone }) => isDone);
    if (!isOver) this.#queue.after(BACKGROUND_MS, () => this.#keepBusy(cpu, part, cores));
  }

  /** Leases come back one after another, as their waits after failures end. */
  #stopAll(ms: number): void {
    for (const [partition, flow] of this.#flows.entries()) {
      flow.lose();
      const waitMs = SETTINGS.backoffLongestMs * chance(this.#plan, partition, 1);
      this.#queue.after(ms + waitMs, () => flow.begin(around(this.#workers, partition)));
    }
  }

  /** Its partitions go to the others, or to a new one in its place, when it has been silent for long enough. */
  #killFirstWorker(): void {
    const { workers } = this.#plan;
    const lost = [...this.#flows.entries()].filter(([partition]) => partition % workers === 0);
    if (workers === 1) this.#workers[0] = this.#startWorker(0);
    for (const [nth, [partition, flow]] of lost.entries()) {
      flow.lose();
      const sinceHeartbeatMs = SETTINGS.heartbeatEveryMs * chance(this.#plan, partition, 2);
      const backoffMs = SETTINGS.backoffFirstMs * (0.5 + 0.5 * chance(this.#plan, partition, 3));
      const next = workers === 1 ? 0 : 1 + (nth % (workers - 1));
      this.#queue.after(SETTINGS.heartbeatTimeoutMs - sinceHeartbeatMs + backoffMs, () =>
        flow.begin(around(this.#workers, next)),
      );
    }
  }

  #watchAges(): void {
    if (this.#oldestMs() > CAUGHT_UP_MS) this.#record.behindMs = this.#queue.nowMs;
    this.#queue.after(SETTINGS.pollEveryMs, () => this.#watchAges());
  }

  /** Age of the oldest message that is not committed. */
  #oldestMs(): number {
    const { nowMs } = this.#queue;
    return this.#flows.reduce((most, { source, committed }) => Math.max(most, nowMs - source.timeOf(committed)), 0);
  }

  #result(seconds: number): Simulated {
    const { outage, workerDiesAt } = this.#plan;
    const { nowMs } = this.#queue;
    const produced = sum(this.#flows.map(({ source }) => source.countAt(nowMs)));
    const committed = sum(this.#flows.map((flow) => flow.committed));
    const all = [...new Set([...this.#workerCpus, ...this.#shardCpus])];
    const { events, batches, transactions, lag, lastMs, behindMs } = this.#record;
    const faultMs = (outage ? outage.at + outage.seconds : (workerDiesAt ?? 0)) * 1000;
    const hasFault = outage !== null || workerDiesAt !== null;
    const { p50, p99, max } = lag.percentiles();
    return {
      produced,
      committed,
      backlog: { events: produced - committed, seconds: this.#oldestMs() / 1000 },
      eventsPerSecond: events / seconds,
      batchesPerSecond: batches / seconds,
      transactionsPerSecond: transactions / seconds,
      eventsPerBatch: batches === 0 ? 0 : events / batches,
      lagMs: { p50, p99, max },
      utilization: { workers: busy(this.#workerCpus, seconds), postgres: busy(this.#shardCpus, seconds) },
      microsecondsPerEvent: Object.fromEntries(
        [...partsOf(all)].map(([part, ms]) => [part, events === 0 ? 0 : (ms * 1000) / events]),
      ),
      closes: {
        longestHold: Math.max(...this.#topics.map(({ longestHoldMs }) => longestHoldMs)) / 1000,
        longestBehind: Math.max(...this.#topics.map(({ longestBehindMs }) => longestBehindMs)) / 1000,
      },
      caughtUpAfter: hasFault && nowMs - behindMs > CAUGHT_UP_MS ? Math.max(0, behindMs - faultMs) / 1000 : null,
      history: { ingested: lastMs / 1000, closed: nowMs / 1000 },
    };
  }
}

const around = <T>(all: readonly T[], nth: number): T => must(all[nth % all.length], 'one of several');
const sum = (all: readonly number[]): number => all.reduce((total, each) => total + each, 0);
const chance = ({ seed }: Plan, partition: number, which: number): number =>
  fraction(hashUnder(seed, partition), which);
const firstMs = ({ history, rate }: Plan): number => (history === null ? 0 : -(history / rate) * 1000);

/** Partitions are unequal by a seeded chance, and together bring exactly the plan's rate. */
function sourcesOf(plan: Plan): Source[] {
  const { partitions, rate, skew, history } = plan;
  const weights = Array.from({ length: partitions }, (_, nth) => 1 + skew * (2 * chance(plan, nth, 4) - 1));
  const whole = sum(weights);
  return weights.map((weight, nth) => {
    const perSecond = (rate * weight) / whole;
    const untilMs = history === null ? Infinity : 0;
    return new Source({ perSecond, fromMs: firstMs(plan), untilMs, phase: chance(plan, nth, 5) });
  });
}

function busy(cpus: readonly Cpu[], seconds: number): Utilization {
  const shares = cpus.map(({ busyMs, cores }) => sum([...busyMs.values()]) / (cores * seconds * 1000));
  return { mean: sum(shares) / shares.length, most: Math.max(...shares) };
}

function partsOf(cpus: readonly Cpu[]): Map<string, number> {
  const parts = new Map<string, number>();
  for (const { busyMs } of cpus) for (const [part, ms] of busyMs) parts.set(part, (parts.get(part) ?? 0) + ms);
  return parts;
}
