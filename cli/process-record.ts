// Which processes a home folder has running: written when one starts, trusted only while that very process lives.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

import { homeFolder, processFile } from '../local/home-folder.ts';
import { identify, isAlive } from '../local/process-identity.ts';
import type { ProcessIdentity } from '../local/process-identity.ts';

const Identity = Type.Object({ pid: Type.Integer(), startedAt: Type.String() });

/** Names of the processes that `weir up` itself makes. */
export const UP_NAME = 'up';
/** What starts detached workers again. */
export const KEEPER_NAME = 'keeper';
export const workerName = (number: number): string => `worker-${number}`;

/** Writes down that `pid` is the process called `name`. False when it has ended already. */
export function recordProcess(home: string, name: string, pid: number): boolean {
  const identity = identify(pid);
  if (identity === null) return false;
  const path = processFile(homeFolder(home), name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(identity));
  return true;
}

export function forgetProcess(home: string, name: string): void {
  rmSync(processFile(homeFolder(home), name), { force: true });
  for (const page of [name, temporalOf(name)]) rmSync(addressFile(home, page), { force: true });
}

/** The live process of this name, or null. */
export function liveProcess(home: string, name: string): ProcessIdentity | null {
  try {
    const identity: unknown = JSON.parse(readFileSync(processFile(homeFolder(home), name), 'utf8'));
    return Value.Check(Identity, identity) && isAlive(identity) ? identity : null;
  } catch {
    return null;
  }
}

/** The names of all workers that this home ever started and that have not been forgotten. */
export function recordedWorkers(home: string): string[] {
  try {
    const names = readdirSync(dirname(processFile(homeFolder(home), 'any')));
    return names.filter((file) => /^worker-\d+\.json$/.test(file)).map((file) => file.slice(0, -'.json'.length));
  } catch {
    return [];
  }
}

/** Whether somebody starts a worker of this home again that ends: a `weir up` that runs, or the keeper of a detached one. */
export function isKept(home: string): boolean {
  return [UP_NAME, KEEPER_NAME].some((name) => liveProcess(home, name) !== null);
}

/** The name under which a worker writes down where it serves the metrics of Temporal's SDK. */
export const temporalOf = (name: string): string => `${name}-temporal`;

/** Where the worker of this name serves its metrics, as it wrote down; null before it has. */
export function metricsAddress(home: string, name: string): string | null {
  try {
    return readFileSync(addressFile(home, name), 'utf8').trim();
  } catch {
    return null;
  }
}

export function recordMetricsAddress(home: string, name: string, address: string): void {
  const path = addressFile(home, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${address}\n`);
}

const addressFile = (home: string, name: string): string => join(homeFolder(home).path, 'run', `${name}.metrics`);

/** Waits until the process has ended; false when it has not within `withinMs`. */
export async function hasEnded(identity: ProcessIdentity, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (isAlive(identity)) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
  }
  return true;
}

/** Signals the process unless it has ended. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (isAlive(identity)) process.kill(identity.pid, signal);
}
