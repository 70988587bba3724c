// The worker processes of a home: started apart from the terminal, restarted when they end unasked, drained when asked.
// While `weir up` runs, it looks after them; detached, a process of its own does (cli/keep-workers.ts).
//
// States of a worker: running (its process lives), waiting (it ended unasked; a timer runs, longer each time), drained (asked
// to end; nobody restarts it).
import { spawn } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { homeFolder, logFile } from '../local/home-folder.ts';
import { openLogFile } from '../local/log-file.ts';
import { writeTargets } from '../local/prometheus-server.ts';
import type { StackAddresses } from '../local/stack.ts';
import { backoffWaitMs } from '../pipeline/backoff.ts';
import type { Settings } from '../pipeline/settings.ts';
import { environment } from './environment.ts';
import {
  KEEPER_NAME,
  forgetProcess,
  hasEnded,
  liveProcess,
  metricsAddress,
  recordProcess,
  recordedWorkers,
  signalProcess,
  temporalOf,
  workerName,
} from './process-record.ts';

const WEIR = fileURLToPath(new URL('./weir.js', import.meta.url));
const LOOK_EVERY_MS = 500;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 10_000;
/** A worker that lived this long did work: its next end counts as the first again. */
const SETTLED_AFTER_MS = 60_000;
/** Lines of a log in which the cause of an end is looked for. */
const LAST_LINES = 5;
const KEEPER_ENDS_WITHIN_MS = 5_000;
/** The pages that a worker may have, each under a name of its own. */
const PAGES = [
  { job: 'weir', page: (name: string): string => name },
  { job: 'temporal-sdk', page: temporalOf },
] as const;

type Member = { name: string; startedAtMs: number; ends: number; restartAtMs: number | null };

export type CrewOptions = {
  readonly settings: Settings;
  readonly addresses: StackAddresses;
  readonly report: (line: string) => void;
};

/** The workers of one `weir up`. */
export class WorkerCrew {
  readonly #options: CrewOptions;
  #report: (line: string) => void;
  #members: Member[] = [];
  #watch: NodeJS.Timeout | null = null;
  #writtenTargets: string | null = null;

  constructor(options: CrewOptions) {
    this.#options = options;
    this.#report = options.report;
  }

  /** Starts as many as the settings say; those that run already are kept. */
  start(): void {
    const { settings } = this.#options;
    this.#members = Array.from({ length: settings.workers }, (_, index) => ({
      name: workerName(index + 1),
      startedAtMs: performance.now(),
      ends: 0,
      restartAtMs: null,
    }));
    for (const member of this.#members) {
      if (liveProcess(settings.home, member.name) === null) this.#spawn(member);
    }
  }

  /** Says what happens to them there from now on. */
  reportTo(report: (line: string) => void): void {
    this.#report = report;
  }

  /** Looks after them until `leave` or `drain`. */
  keepAlive(): void {
    this.#watch ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /** Stops looking after them; they go on. */
  leave(): void {
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#watch = null;
  }

  /** Leaves them to a process of its own, which looks after them until `drainWorkers` or another `weir up`. */
  handOver(): void {
    this.leave();
    this.#spawnAs(KEEPER_NAME, ['keep-workers']);
  }

  #look(): void {
    this.#tellPrometheus();
    for (const member of this.#members) {
      if (liveProcess(this.#options.settings.home, member.name) !== null) continue;
      if (member.restartAtMs === null) this.#noteEnd(member);
      else if (performance.now() >= member.restartAtMs) this.#spawn(member);
    }
  }

  /** Each worker writes down its address itself, some seconds after its start, and perhaps another one each time. */
  #tellPrometheus(): void {
    const { home } = this.#options.settings;
    const targets = this.#members.flatMap(({ name }) =>
      PAGES.flatMap(({ job, page }) => {
        const address = metricsAddress(home, page(name));
        return address === null ? [] : [{ job, name, address }];
      }),
    );
    const text = JSON.stringify(targets);
    if (text === this.#writtenTargets) return;
    try {
      writeTargets(home, targets);
      this.#writtenTargets = text;
    } catch {
      // A full disk: it is tried again with the next look, and the workers need none of it.
    }
  }

  #noteEnd(member: Member): void {
    member.ends = performance.now() - member.startedAtMs > SETTLED_AFTER_MS ? 1 : member.ends + 1;
    const waitMs = backoffWaitMs({
      failures: member.ends,
      firstMs: FIRST_WAIT_MS,
      longestMs: LONGEST_WAIT_MS,
      chance: Math.random(),
    });
    member.restartAtMs = performance.now() + waitMs;
    const said = lastWords(this.#options.settings.home, member.name);
    this.#report(`${member.name} ended by itself; it starts again in ${(waitMs / 1_000).toFixed(1)} s. ${said}`);
  }

  #spawn(member: Member): void {
    this.#spawnAs(member.name, ['worker', '--name', member.name]);
    member.startedAtMs = performance.now();
    member.restartAtMs = null;
  }

  #spawnAs(name: string, command: readonly string[]): void {
    const { settings } = this.#options;
    const output = openLogFile(logFile(homeFolder(settings.home), name));
    try {
      const child = spawn(process.execPath, [WEIR, ...command], {
        // A session of its own: a Ctrl-C in the terminal must not reach it, since it is drained in order.
        detached: true,
        stdio: ['ignore', output, output],
        env: workerEnvironment(this.#options),
      });
      child.unref();
      child.on('error', () => {});
      if (child.pid !== undefined) recordProcess(settings.home, name, child.pid);
    } finally {
      closeSync(output);
    }
  }
}

function workerEnvironment({ settings, addresses }: CrewOptions): NodeJS.ProcessEnv {
  return {
    ...environment(),
    WEIR_HOME: settings.home,
    WEIR_PARTITIONS: String(settings.partitions),
    WEIR_WORKERS: String(settings.workers),
    WEIR_LOG_LEVEL: settings.logLevel,
    WEIR_METRICS_ADDRESS: settings.metricsAddress,
    WEIR_TEMPORAL_METRICS_ADDRESS: settings.temporalMetricsAddress ?? 'none',
    WEIR_KAFKA_BROKERS: addresses.kafka.brokers.join(','),
    WEIR_POSTGRES_URL: addresses.postgres.url,
    WEIR_TEMPORAL_ADDRESS: addresses.temporal.address,
    WEIR_TEMPORAL_NAMESPACE: settings.temporalNamespace,
  };
}

/** What the worker's log says last, for a sentence about its end. */
export function lastWords(home: string, name: string): string {
  const path = logFile(homeFolder(home), name);
  try {
    const lines = readFileSync(path, 'utf8').slice(-10_000).trim().split('\n').slice(-LAST_LINES);
    const last = lines.findLast((line) => line.startsWith('weir: ') || line.includes('"level":50'));
    return last === undefined ? `Its log is ${path}.` : `Its log ${path} says: ${messageIn(last).slice(0, 300)}`;
  } catch {
    return `It left no log in ${path}.`;
  }
}

function messageIn(line: string): string {
  try {
    const said: unknown = JSON.parse(line);
    return typeof said === 'object' && said !== null && 'msg' in said ? String(said.msg) : line;
  } catch {
    return line;
  }
}

/** Ends the process that starts detached workers again, if there is one; the workers go on. */
export async function relieveKeeper(home: string): Promise<void> {
  const keeper = liveProcess(home, KEEPER_NAME);
  if (keeper !== null) {
    signalProcess(keeper, 'SIGTERM');
    if (!(await hasEnded(keeper, KEEPER_ENDS_WITHIN_MS))) signalProcess(keeper, 'SIGKILL');
  }
  forgetProcess(home, KEEPER_NAME);
}

/**
 * Asks every worker of the home to end and waits: each commits the batch in hand first. Those that have not ended in time are
 * killed, which loses nothing: what was not committed is read again. Answers how many were there and how many were killed.
 */
export async function drainWorkers(home: string, withinMs: number): Promise<{ workers: number; killed: number }> {
  await relieveKeeper(home);
  const outcomes = await Promise.all(
    recordedWorkers(home).map(async (name) => {
      const identity = liveProcess(home, name);
      if (identity === null) {
        forgetProcess(home, name);
        return null;
      }
      signalProcess(identity, 'SIGTERM');
      const inTime = await hasEnded(identity, withinMs);
      if (!inTime) signalProcess(identity, 'SIGKILL');
      forgetProcess(home, name);
      return inTime;
    }),
  );
  const found = outcomes.filter((inTime) => inTime !== null);
  return { workers: found.length, killed: found.filter((inTime) => !inTime).length };
}
