// What a job took: CPU of each part, memory, and when the last statement ended; sampled while it runs.
import { readFileSync } from 'node:fs';

import { Client } from 'pg';

import { clientConfig } from '../../postgres/pool.ts';
import { round } from '../cpu-meter.ts';
import type { Parts } from '../cpu-meter.ts';
import { cpuSecondsOf, peakMemoryMiB } from '../process-cpu.ts';

/** `otherCpuSeconds`: what the rest of the machine used, this bench included; much of it means that the run is worth little. */
export type Usage = {
  readonly seconds: number;
  readonly cpuSeconds: Readonly<Record<string, number | null>>;
  readonly otherCpuSeconds: number;
  readonly peakMiB: number;
};

export type Measured = {
  readonly postgresUrl: string;
  readonly parts: Parts;
  readonly pid: number;
  /** null: the job ends when the meter is told so. */
  readonly applicationName: string | null;
};

type Sample = { readonly atMs: number; readonly cpu: readonly (number | null)[]; readonly busy: number };

const LOOK_EVERY_MS = 100;
/** Reading the CPU of all processes takes milliseconds of it. */
const SAMPLE_EVERY_LOOKS = 20;

export class RunMeter {
  readonly #measured: Measured;
  readonly #client: Client;
  readonly #samples: Sample[] = [];
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;
  #peakMiB = 0;
  #lastStatementMs = 0;

  private constructor(measured: Measured) {
    this.#measured = measured;
    this.#client = new Client(clientConfig({ url: measured.postgresUrl, applicationName: 'weir bench meter' }));
    this.#client.on('error', () => {});
  }

  /** The time runs from when this resolves. */
  static async start(measured: Measured): Promise<RunMeter> {
    const meter = new RunMeter(measured);
    await meter.#client.connect();
    meter.#sample();
    meter.#looking = meter.#look();
    // Whoever ends the meter hears of it.
    meter.#looking.catch(() => {});
    return meter;
  }

  /** Ends measuring. The system's processes must still be there. */
  async end(): Promise<Usage> {
    const toldMs = Date.now();
    this.#stopped = true;
    await this.#looking;
    if (this.#measured.applicationName !== null) await this.#lookAtStatements();
    this.#sample();
    const fromMs = this.#samples[0]?.atMs ?? toldMs;
    const endMs =
      this.#measured.applicationName === null || this.#lastStatementMs <= fromMs ? toldMs : this.#lastStatementMs;
    return this.#usage(fromMs, endMs);
  }

  async close(): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled([this.#looking]);
    await this.#client.end();
  }

  async #look(): Promise<void> {
    for (let looks = 1; !this.#stopped; looks += 1) {
      await new Promise((resolve) => {
        setTimeout(resolve, LOOK_EVERY_MS);
      });
      if (this.#measured.applicationName !== null) await this.#lookAtStatements();
      if (looks % SAMPLE_EVERY_LOOKS === 0) this.#sample();
    }
  }

  /** By PostgreSQL's clock how long ago, so that two clocks do not matter. */
  async #lookAtStatements(): Promise<void> {
    const { rows } = await this.#client.query<{ ago_ms: number | null }>({
      name: 'statements',
      text: `select min(case when state = 'idle' then extract(epoch from clock_timestamp() - state_change) * 1000 else 0 end)::float8 as ago_ms
        from pg_stat_activity where application_name = $1 and datname = current_database()`,
      values: [this.#measured.applicationName],
    });
    const agoMs = rows[0]?.ago_ms ?? null;
    if (agoMs !== null) this.#lastStatementMs = Math.max(this.#lastStatementMs, Date.now() - agoMs);
  }

  #sample(): void {
    const { parts, pid } = this.#measured;
    const cpu = Object.values(parts).map((part) => (part === null ? null : cpuSecondsOf(part)));
    this.#samples.push({ atMs: Date.now(), cpu, busy: machineSeconds() });
    this.#peakMiB = Math.max(this.#peakMiB, familyPeakMiB(pid));
  }

  #usage(fromMs: number, endMs: number): Usage {
    const [from, to] = [this.#at(fromMs), this.#at(endMs)];
    const used = to.cpu.map((seconds, at) => {
      const before = from.cpu[at] ?? null;
      return seconds === null || before === null ? null : round(seconds - before);
    });
    const known = used.reduce<number>((sum, seconds) => sum + (seconds ?? 0), 0);
    return {
      seconds: round((endMs - fromMs) / 1000),
      cpuSeconds: Object.fromEntries(Object.keys(this.#measured.parts).map((part, at) => [part, used[at] ?? null])),
      otherCpuSeconds: Math.max(0, round(to.busy - from.busy - known)),
      peakMiB: this.#peakMiB,
    };
  }

  /** The sample of a moment, straight between the two around it. */
  #at(atMs: number): Sample {
    const after = this.#samples.find((sample) => sample.atMs >= atMs) ?? this.#samples.at(-1);
    const before = this.#samples.findLast((sample) => sample.atMs <= atMs) ?? after;
    if (after === undefined || before === undefined) throw new Error('The meter was asked before it had looked once.');
    const share = after.atMs === before.atMs ? 0 : (atMs - before.atMs) / (after.atMs - before.atMs);
    const between = (one: number, other: number): number => one + (other - one) * share;
    const cpu = before.cpu.map((seconds, at) => {
      const later = after.cpu[at] ?? null;
      return seconds === null || later === null ? null : between(seconds, later);
    });
    return { atMs, cpu, busy: between(before.busy, after.busy) };
  }
}

/** CPU seconds that the machine was busy since it started, whoever it worked for. USER_HZ is 100 on every Linux. */
function machineSeconds(): number {
  const [, ...ticks] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = ticks;
  return (user + nice + system + irq + softIrq + steal) / 100;
}

/** Most memory that a process and those below it have held, each at its own peak. */
function familyPeakMiB(pid: number): number {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    return children.reduce((sum, child) => sum + familyPeakMiB(Number(child)), peakMemoryMiB(pid));
  } catch {
    // It has just ended.
    return 0;
  }
}
