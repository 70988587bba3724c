// One worker process and its lines to all three servers, from the outside: started, struck, watched, started again.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { homeFolder, logFile } from '../../local/home-folder.ts';
import type { StackAddresses } from '../../local/stack.ts';
import { must } from '../../pipeline/ensure.ts';
import { resolveSettings } from '../../pipeline/settings.ts';
import type { WorkerRole } from '../../workers/worker.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import type { ProbeAnswer } from './probe-watch.ts';
import type { ChaosOrder, ChaosWorkerOptions } from './chaos-worker.ts';

const MAIN = fileURLToPath(new URL('./chaos-worker.ts', import.meta.url));
/** Heap that a worker may fill: room for its work, and little enough to be exhausted within seconds. */
const HEAP_MIB = 512;
/** A worker that aborts must leave no core file behind, wherever it was started. */
const WITHOUT_CORE = ['-c', 'ulimit -c 0; exec "$0" "$@"', process.execPath];

export type StruckWorkerOptions = {
  readonly name: string;
  readonly home: string;
  readonly addresses: StackAddresses;
  readonly roles: readonly WorkerRole[];
};

type WorkerLines = Pick<StruckWorker, 'postgres' | 'kafka' | 'temporal'>;

export class StruckWorker {
  readonly name: string;
  /** All its connections to PostgreSQL pass here. */
  readonly postgres: TcpProxy;
  /** And all those to Kafka here. */
  readonly kafka: TcpProxy;
  /** And those to Temporal here. */
  readonly temporal: TcpProxy;
  readonly #options: StruckWorkerOptions;
  #child: ChildProcess | null = null;
  #metrics: string | null = null;

  private constructor(options: StruckWorkerOptions, lines: WorkerLines) {
    this.name = options.name;
    this.#options = options;
    this.postgres = lines.postgres;
    this.kafka = lines.kafka;
    this.temporal = lines.temporal;
  }

  static async open(options: StruckWorkerOptions): Promise<StruckWorker> {
    const { postgres, kafka, temporal } = options.addresses;
    const worker = new StruckWorker(options, {
      postgres: await openTcpProxy({ target: new URL(postgres.url).host }),
      kafka: await openTcpProxy({ target: must(kafka.brokers[0], 'the address of the broker'), namesItself: true }),
      temporal: await openTcpProxy({ target: temporal.address }),
    });
    worker.start();
    return worker;
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Whether the present process has come so far that it takes work. */
  get isPolling(): boolean {
    const of = `"pid":${this.#child?.pid},`;
    const log = readFileSync(logFile(homeFolder(this.#options.home), this.name), 'utf8');
    return this.isRunning && log.split('\n').some((line) => line.includes(of) && line.includes('"The worker polls"'));
  }

  /** Process id of the newest process; null before the first. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Starts its process; `clockAheadMs`: how wrong its clock is; `bundlePath`: the workflows of another build. */
  start({ clockAheadMs = 0, bundlePath = null }: { clockAheadMs?: number; bundlePath?: string | null } = {}): void {
    const { home, addresses, name, roles } = this.#options;
    const url = new URL(addresses.postgres.url);
    url.host = this.postgres.address;
    const { settings } = resolveSettings({ flags: {}, env: { WEIR_METRICS_ADDRESS: '127.0.0.1:0' } });
    const options: ChaosWorkerOptions = {
      name,
      roles,
      settings,
      clockAheadMs,
      bundlePath,
      addresses: {
        postgres: { url: url.href },
        kafka: { brokers: [this.kafka.address] },
        temporal: { ...addresses.temporal, address: this.temporal.address },
      },
    };
    const output = openSync(logFile(homeFolder(home), name), 'a');
    this.#metrics = null;
    const program = [`--max-old-space-size=${HEAP_MIB}`, '--import', 'tsx', MAIN, JSON.stringify(options)];
    const child = spawn('/bin/sh', [...WITHOUT_CORE, ...program], {
      stdio: ['ignore', output, output, 'ipc'],
    });
    closeSync(output);
    child.on('message', (message: { metrics: string }) => {
      this.#metrics = message.metrics;
    });
    // A message to a process that has just ended is lost with it.
    child.on('error', () => {});
    this.#child = child;
  }

  signal(signal: NodeJS.Signals): void {
    must(this.#child, 'the process of a worker that was started').kill(signal);
  }

  async ended(): Promise<void> {
    if (this.isRunning) await once(must(this.#child, 'a running process'), 'exit');
  }

  /** Whether the newest process was ended by V8 because its heap was full. */
  get diedOfMemory(): boolean {
    const aborted = this.#child?.signalCode === 'SIGABRT' || this.#child?.exitCode === 134;
    const log = readFileSync(logFile(homeFolder(this.#options.home), this.name), 'utf8');
    return aborted && log.slice(log.lastIndexOf(`[${this.pid}:`)).includes('heap out of memory');
  }

  /** Its event loop stands still for so long. */
  block(blockMs: number): void {
    this.#order({ blockMs });
  }

  /** It begins to fill its heap, and will die of it. */
  hoard(): void {
    this.#order({ hoard: true });
  }

  #order(order: ChaosOrder): void {
    this.#child?.send(order, () => {});
  }

  /** Micro-batches that this process has committed so far; null while it does not answer. */
  async commits(): Promise<number | null> {
    return await this.metric('weir_batches_committed_total');
  }

  /** Sum of a metric over its labels; null while the process does not answer. */
  async metric(name: string): Promise<number | null> {
    if (this.#metrics === null) return null;
    try {
      const response = await fetch(`http://${this.#metrics}/metrics`, { signal: AbortSignal.timeout(2_000) });
      const lines = (await response.text()).split('\n').filter((line) => line.startsWith(`${name}{`));
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    } catch {
      return null;
    }
  }

  /** What a probe of it answers within a second; null when it does not. */
  async probe(name: 'healthz' | 'readyz'): Promise<ProbeAnswer | null> {
    if (this.#metrics === null) return null;
    try {
      const response = await fetch(`http://${this.#metrics}/${name}`, { signal: AbortSignal.timeout(1_000) });
      return { status: response.status, text: await response.text() };
    } catch {
      return null;
    }
  }

  /** Ends whatever disturbs its lines. */
  async heal(): Promise<void> {
    for (const line of [this.postgres, this.kafka, this.temporal]) await line.heal();
  }

  /** Ends the process, drained if it can be, and its lines. */
  async close(): Promise<void> {
    if (this.isRunning) {
      this.signal('SIGCONT');
      this.signal('SIGTERM');
      const killer = setTimeout(() => this.signal('SIGKILL'), 30_000);
      await this.ended();
      clearTimeout(killer);
    }
    for (const line of [this.postgres, this.kafka, this.temporal]) await line.close();
  }
}
