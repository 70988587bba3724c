// Worker processes of a pipeline under test, and who of them holds which partition.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { must } from '../../pipeline/ensure.ts';
import { eventually } from '../support/eventually.ts';
import type { PipelineWorld } from '../workflows/pipeline-world.ts';

const PROGRAM = fileURLToPath(new URL('../workflows/worker-program.ts', import.meta.url));

/** Leases by process id; 0: nobody holds it. */
export type Holders = readonly number[];

export class WorkerGroup {
  readonly #world: PipelineWorld;
  readonly #partitions: number;
  readonly #lookEveryMs: number;
  readonly #children: ChildProcess[] = [];
  readonly #lines = new Map<number, string[]>();

  constructor(world: PipelineWorld, { partitions, lookEveryMs }: { partitions: number; lookEveryMs: number }) {
    this.#world = world;
    this.#partitions = partitions;
    this.#lookEveryMs = lookEveryMs;
  }

  /** Starts a worker and waits until it polls; its process id. */
  async start(): Promise<number> {
    const { servers, taskQueues } = this.#world;
    const place = { servers, taskQueues, spreadLookEveryMs: this.#lookEveryMs, logLevel: 'debug' };
    const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM], {
      env: { ...process.env, PLACE: JSON.stringify(place) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = must(child.pid, 'the process id of a worker that was started');
    const lines: string[] = [];
    this.#lines.set(pid, lines);
    this.#children.push(child);
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`The worker ended with code ${String(code)} before it polled.`)));
      child.stdout.on('data', (data: Buffer) => {
        lines.push(...data.toString().split('\n'));
        if (data.includes('The worker polls')) resolve();
      });
    });
    return pid;
  }

  async kill(pid: number): Promise<void> {
    const child = must(
      this.#children.find((one) => one.pid === pid),
      `worker ${pid}`,
    );
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  /** Process id of the holder of each partition, in order. */
  async holders(): Promise<Holders> {
    return await Promise.all(
      this.#world.partitionIds(this.#partitions).map(async (id) => {
        const { raw } = await this.#world.client.workflow.getHandle(id).describe();
        const [lease] = raw.pendingActivities ?? [];
        return lease?.lastStartedTime ? Number.parseInt(lease.lastWorkerIdentity ?? '0', 10) : 0;
      }),
    );
  }

  /** How many leases each of `pids` holds, when they hold all of them; else null. */
  async shares(pids: readonly number[]): Promise<number[] | null> {
    const holders = await this.holders().catch(() => []);
    const shares = pids.map((pid) => holders.filter((holder) => holder === pid).length);
    return shares.reduce((sum, share) => sum + share, 0) === this.#partitions ? shares : null;
  }

  /** Leases that were given back so far. */
  get given(): number {
    return [...this.#lines.values()].flat().filter((line) => line.includes('A lease is given back')).length;
  }

  /** Waits until each of `pids` has looked `count` times more whether it holds too many leases. */
  async looks(pids: readonly number[], count: number): Promise<void> {
    const seen = (pid: number): number =>
      (this.#lines.get(pid) ?? []).filter((line) => line.includes('Looked at who takes leases')).length;
    const before = new Map(pids.map((pid) => [pid, seen(pid)]));
    await eventually(() => pids.every((pid) => seen(pid) >= (before.get(pid) ?? 0) + count), {
      deadlineMs: 60_000,
      what: `${count} looks of each worker`,
    });
  }

  async end(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        child.kill('SIGKILL');
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      }),
    );
  }
}
