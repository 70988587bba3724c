// Servers of a chaos run's own: real ones, in a folder of their own, that may be killed.
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { homeFolder } from '../../local/home-folder.ts';
import type { StackProcess } from '../../local/home-folder.ts';
import { runningServer } from '../../local/server-process.ts';
import { resetStack, runningServers, startStack } from '../../local/stack.ts';
import type { StackAddresses } from '../../local/stack.ts';
import { must } from '../../pipeline/ensure.ts';
import { eventually } from '../support/eventually.ts';
import { unmountInside } from './small-disk.ts';
import { AUTHORIZER } from '../support/topic-access.ts';

export class ChaosStack {
  readonly home: string;
  readonly addresses: StackAddresses;

  private constructor(home: string, addresses: StackAddresses) {
    this.home = home;
    this.addresses = addresses;
  }

  static async start(report: (line: string) => void): Promise<ChaosStack> {
    const home = mkdtempSync(join(tmpdir(), 'weir-chaos-'));
    // PostgreSQL's own user has to pass through when root runs the tests.
    chmodSync(home, 0o755);
    guard(home);
    return new ChaosStack(home, await startStack({ home, ports: 'any', kafkaSettings: AUTHORIZER, report }));
  }

  signal(server: StackProcess, signal: NodeJS.Signals): void {
    const { pid } = must(runningServer(homeFolder(this.home), server), `a running ${server}`);
    process.kill(pid, signal);
  }

  async ended(server: StackProcess): Promise<void> {
    await eventually(() => runningServer(homeFolder(this.home), server) === null, {
      deadlineMs: 30_000,
      what: `${server} has ended`,
    });
  }

  /** Starts what does not run, where it was before; resolves when all answer. */
  async startAgain(): Promise<void> {
    await eventually(
      async () => {
        const addresses = await startStack({ home: this.home, ports: 'any', kafkaSettings: AUTHORIZER });
        return JSON.stringify(addresses) === JSON.stringify(this.addresses);
      },
      { deadlineMs: 120_000, what: 'the servers answer at their addresses again' },
    );
  }

  /** Stops the servers and deletes everything; `logsTo` keeps their logs and the workers'. */
  async close({ logsTo }: { logsTo: string | null }): Promise<void> {
    // Nothing of them is needed any more: an orderly stop of the broker would take half a minute.
    for (const server of runningServers(this.home)) this.signal(server, server === 'postgres' ? 'SIGQUIT' : 'SIGKILL');
    if (logsTo !== null) cpSync(join(this.home, 'logs'), logsTo, { recursive: true });
    await resetStack({ home: this.home });
    unmountInside(this.home);
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Stops the servers when the harness itself is killed. */
function guard(home: string): void {
  const guardian = fileURLToPath(new URL('../support/server-guardian.ts', import.meta.url));
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const args = ['--import', 'tsx', guardian, home, String(process.pid)];
  spawn(process.execPath, args, { cwd: root, detached: true, stdio: 'ignore' }).unref();
}
