// A worker process of a test's own behind three lines that can be broken, asked through its probes like by a supervisor.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import type { StackAddresses } from '../../local/stack.ts';
import { must } from '../../pipeline/ensure.ts';
import { eventually } from '../support/eventually.ts';
import type { Servers } from '../support/servers.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import type { ProbedWorkerOptions } from './probed-worker-program.ts';

const PROGRAM = fileURLToPath(new URL('./probed-worker-program.ts', import.meta.url));
const STARTED_WITHIN_MS = 60_000;

export type Line = 'postgres' | 'kafka' | 'temporal';
export type Answer = {
  readonly status: number;
  readonly said: { readonly status: string; readonly phase: string; readonly reasons?: readonly string[] };
};

export class ProbedWorker {
  readonly lines: Readonly<Record<Line, TcpProxy>>;
  readonly taskQueues: ProbedWorkerOptions['taskQueues'];
  readonly #postgresUrl: string;
  #child: ChildProcess | null = null;
  #address: string | null = null;
  #telemetry: string | null = null;
  #log = '';

  private constructor(lines: Record<Line, TcpProxy>, postgresUrl: string) {
    this.lines = lines;
    const queue = randomUUID();
    this.taskQueues = { ingest: `ingest-${queue}`, windows: `windows-${queue}`, generator: `generator-${queue}` };
    const url = new URL(postgresUrl);
    url.host = lines.postgres.address;
    this.#postgresUrl = url.href;
  }

  /** With its lines in place, not started yet. */
  static async open({ kafkaBrokers, postgresUrl, temporalAddress }: Servers): Promise<ProbedWorker> {
    const lines = {
      postgres: await openTcpProxy({ target: new URL(postgresUrl).host }),
      kafka: await openTcpProxy({ target: must(kafkaBrokers[0], 'a broker'), namesItself: true }),
      temporal: await openTcpProxy({ target: temporalAddress }),
    };
    return new ProbedWorker(lines, postgresUrl);
  }

  /** Its log so far. */
  get log(): string {
    return this.#log;
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts the process and waits until it answers probes, whatever it says. */
  async start(more: Pick<ProbedWorkerOptions, 'telemetryAddress'> = {}): Promise<void> {
    const addresses: StackAddresses = {
      postgres: { url: this.#postgresUrl },
      kafka: { brokers: [this.lines.kafka.address] },
      temporal: { address: this.lines.temporal.address, ui: '' },
    };
    const options: ProbedWorkerOptions = { addresses, taskQueues: this.taskQueues, ...more };
    const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    child.stdout?.on('data', (chunk: Buffer) => {
      this.#log += chunk.toString();
    });
    child.on('message', ({ metrics, telemetry }: { metrics?: string; telemetry?: string }) => {
      this.#address = metrics ?? this.#address;
      this.#telemetry = telemetry ?? this.#telemetry;
    });
    this.#child = child;
    await eventually(() => this.#address !== null, {
      deadlineMs: STARTED_WITHIN_MS,
      what: 'the worker serves its probes',
    });
  }

  /** What a probe answers within a second; null when it does not. */
  async ask(probe: 'healthz' | 'readyz'): Promise<Answer | null> {
    try {
      const response = await fetch(`http://${this.#address}/${probe}`, { signal: AbortSignal.timeout(1_000) });
      return { status: response.status, said: JSON.parse(await response.text()) };
    } catch {
      return null;
    }
  }

  /** A page of the same address as text. */
  async page(path: string): Promise<string> {
    return await (await fetch(`http://${this.#address}${path}`)).text();
  }

  /** The metrics of Temporal's SDK. */
  async temporalPage(): Promise<string> {
    return await (await fetch(`http://${this.#telemetry}/metrics`)).text();
  }

  async isReady(): Promise<boolean> {
    return (await this.ask('readyz'))?.status === 200;
  }

  signal(signal: NodeJS.Signals): void {
    must(this.#child, 'a started process').kill(signal);
  }

  /** Its event loop stands still for so long. */
  block(blockMs: number): void {
    must(this.#child, 'a started process').send({ blockMs });
  }

  async close(): Promise<void> {
    if (this.isRunning) {
      this.signal('SIGKILL');
      await once(must(this.#child, 'a started process'), 'exit');
    }
    for (const line of Object.values(this.lines)) await line.close();
  }
}
