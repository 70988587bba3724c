// A peer's process: it says "@@ ready", "@@ done" or "@@ failed", begins on a line of its input, and ends with its input.
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';

import { toolEnvironment } from '../../local/machine.ts';
import { must } from '../../pipeline/ensure.ts';

export type PeerLaunch = {
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly folder: string;
  readonly environment?: NodeJS.ProcessEnv;
  readonly logFile: string;
};

const LOOK_EVERY_MS = 20;
const GRACE_MS = 15_000;

export class PeerProcess {
  readonly #launch: PeerLaunch;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #said = new Set<string>();
  readonly #ended: Promise<unknown>;
  #end: string | null = null;

  constructor(launch: PeerLaunch) {
    this.#launch = launch;
    const child = spawn(launch.command, [...launch.args], {
      cwd: launch.folder,
      env: toolEnvironment(launch.environment),
      stdio: ['pipe', 'pipe', 'pipe'],
      // A process group of its own: Ctrl-C must not reach it, and whatever it starts ends with it.
      detached: true,
    });
    this.#child = child;
    const log = createWriteStream(launch.logFile);
    for (const output of [child.stdout, child.stderr]) {
      createInterface({ input: output }).on('line', (line) => {
        log.write(`${line}\n`);
        if (line.startsWith('@@ ')) this.#said.add(line.slice(3));
      });
    }
    child.stdin.on('error', () => {});
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => resolve((this.#end = error.message)));
      child.once('exit', (code, signal) => resolve((this.#end = signal ?? `code ${code}`)));
    });
  }

  get pid(): number {
    return must(this.#child.pid, `the id of ${this.#launch.title}, which could not be started`);
  }

  /** Resolves when it has said `what`. Rejects with a sentence when it failed or ended before. */
  async heard(what: 'ready' | 'done', signal: AbortSignal): Promise<void> {
    await this.until(() => Promise.resolve(this.#said.has(what)), signal);
  }

  /** The same for anything that can be looked at while it lives. */
  async until(isSo: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
    const { title, logFile } = this.#launch;
    while (!(await isSo())) {
      signal.throwIfAborted();
      if (this.#said.has('failed')) throw new Error(`${title} failed; the reason is in ${logFile}.`);
      if (this.#end !== null) throw new Error(`${title} ended early (${this.#end}); the reason is in ${logFile}.`);
      await wait(LOOK_EVERY_MS);
    }
  }

  begin(): void {
    this.#child.stdin.write('begin\n');
  }

  /** Closes its input and waits; ends its process group by force when that takes too long. */
  async stop(): Promise<void> {
    const { pid } = this.#child;
    if (pid === undefined) return;
    this.#child.stdin.end();
    await Promise.race([this.#ended, wait(GRACE_MS, undefined, { ref: false })]);
    const ended = this.#end !== null || this.#child.exitCode !== null;
    try {
      // Also after an orderly end: a child of it may be left.
      process.kill(-pid, 'SIGKILL');
    } catch {
      // The whole group has ended.
    }
    if (!ended) await once(this.#child, 'exit');
  }
}
