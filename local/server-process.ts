// A server as a process of its own: started so that it outlives its starter, watched until healthy, stopped by id.
//
// States of a server: stopped (no live process behind its file), starting (alive, not healthy yet), running (alive and
// healthy), stopping (signalled). A server is its own session, so a Ctrl-C in the terminal never reaches it: whoever drains
// the pipeline stops it afterwards.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';

import { SERVER_TITLES, logFile, processFile } from './home-folder.ts';
import type { HomeFolder, StackProcess } from './home-folder.ts';
import { readJsonFile, writeJsonFile } from './json-file.ts';
import { openLogFile } from './log-file.ts';
import { IdentityShape, identify, isAlive } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { StackError, errorCode } from './stack-error.ts';

const POLL_MS = 100;
const SETTLE_MS = 300;
const RETRY_MS = 1_000;

export type ServerLaunch = {
  readonly name: StackProcess;
  readonly command: string;
  readonly args: readonly string[];
  readonly folder: string;
  readonly environment?: NodeJS.ProcessEnv;
  readonly userId?: number | undefined;
  readonly groupId?: number | undefined;
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
  readonly stopGraceMs: number;
  readonly startDeadlineMs: number;
  /** How often to try again when it ends while starting; 0 unless given. */
  readonly retries?: number;
  readonly isHealthy: () => Promise<boolean>;
};

const RecordShape = Type.Object({
  ...IdentityShape.properties,
  stopSignal: Type.Union([Type.Literal('SIGTERM'), Type.Literal('SIGINT')]),
  stopGraceMs: Type.Integer(),
  // A copied home brings the file along, but not the process.
  home: Type.String(),
});
type ProcessRecord = Static<typeof RecordShape>;

/** The live process of a server, or null. A recycled id is never mistaken for it. */
export function runningServer(home: HomeFolder, name: StackProcess): { pid: number } | null {
  const record = readRecord(home, name);
  return record !== null && isAlive(record) ? { pid: record.pid } : null;
}

/** Starts a server unless it runs, and waits until it is healthy. Throws StackError with the last line of its log. */
export async function startServer(home: HomeFolder, launch: ServerLaunch, signal?: AbortSignal): Promise<void> {
  let child: ChildProcess | null = null;
  if (runningServer(home, launch.name) === null) child = spawnServer(home, launch);
  let spawnError: Error | null = null;
  child?.once('error', (error) => {
    spawnError = error;
  });
  const title = SERVER_TITLES[launch.name];
  const deadline = Date.now() + launch.startDeadlineMs;
  let seenHealthy = child === null;
  for (;;) {
    const healthy = await launch.isHealthy();
    signal?.throwIfAborted();
    if (spawnError !== null) throw new StackError(`${title} could not be run: ${(spawnError as Error).message}.`);
    if (runningServer(home, launch.name) === null) {
      if ((launch.retries ?? 0) > 0) {
        await pause(RETRY_MS);
        return startServer(home, { ...launch, retries: (launch.retries ?? 0) - 1 }, signal);
      }
      throw new StackError(`${title} ended while it was starting; ${lastWords(logFile(home, launch.name))}`);
    }
    // Seen healthy twice: on a port that was lost to a stranger, the stranger answers while ours is about to end.
    if (healthy && seenHealthy) return;
    seenHealthy = healthy;
    if (Date.now() > deadline) {
      const seconds = launch.startDeadlineMs / 1000;
      throw new StackError(`${title} did not answer within ${seconds} s; ${lastWords(logFile(home, launch.name))}`);
    }
    await pause(healthy ? SETTLE_MS : POLL_MS);
  }
}

/** Stops a server by its id: its own signal first, SIGKILL for its whole group after the grace. Answers whether it ran. */
export async function stopServer(home: HomeFolder, name: StackProcess): Promise<boolean> {
  const record = readRecord(home, name);
  if (record === null) return false;
  const ran = isAlive(record);
  if (ran) {
    send(record.pid, record.stopSignal);
    if (!(await ended(record, record.stopGraceMs))) {
      send(-record.pid, 'SIGKILL');
      await ended(record, 10_000);
    }
  }
  if (isAlive(record)) {
    throw new StackError(`${SERVER_TITLES[name]} (process ${record.pid}) does not end; end it by hand and try again.`);
  }
  rmSync(processFile(home, name), { force: true });
  return ran;
}

function spawnServer(home: HomeFolder, launch: ServerLaunch): ChildProcess {
  const output = openLogFile(logFile(home, launch.name));
  try {
    const child = spawn(launch.command, [...launch.args], {
      cwd: launch.folder,
      detached: true,
      stdio: ['ignore', output, output],
      ...(launch.environment && { env: launch.environment }),
      ...(launch.userId !== undefined && { uid: launch.userId }),
      ...(launch.groupId !== undefined && { gid: launch.groupId }),
    });
    child.unref();
    const identity = child.pid === undefined ? null : identify(child.pid);
    if (identity !== null) {
      const record: ProcessRecord = {
        ...identity,
        stopSignal: launch.stopSignal,
        stopGraceMs: launch.stopGraceMs,
        home: home.path,
      };
      writeJsonFile(processFile(home, launch.name), record);
    }
    return child;
  } finally {
    closeSync(output);
  }
}

function readRecord(home: HomeFolder, name: StackProcess): ProcessRecord | null {
  const record = readJsonFile(processFile(home, name), RecordShape);
  return record?.home === home.path ? record : null;
}

async function ended(identity: ProcessIdentity, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (isAlive(identity)) {
    if (Date.now() > deadline) return false;
    await pause(POLL_MS);
  }
  return true;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return;
    throw new StackError(
      `Process ${pid} may not be stopped by this user; run the command as the user who started the stack.`,
      {
        cause: error,
      },
    );
  }
}

/** The line of a log that tells most: the last one that names an error, else the last one. */
function lastWords(path: string): string {
  const lines = readFileSync(path, 'utf8')
    .slice(-20_000)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('at '));
  const telling = lines.findLast((line) => /\b(ERROR|FATAL|Error|error|Exception)\b/.test(line)) ?? lines.at(-1);
  return telling === undefined ? `its log ${path} is empty.` : `its log ${path} says: ${telling.slice(0, 300)}`;
}
