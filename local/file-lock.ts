// One process at a time: a lock file that names its holder, so that a lock left by a dead process is taken over.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { pid } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';

import { must } from '../pipeline/ensure.ts';
import { parseJson } from './json-file.ts';
import { IdentityShape, identify, isAlive } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { errorCode } from './stack-error.ts';

export type LockRequest = {
  readonly path: string;
  /** Called once with the holder's process id when the lock is not free. */
  readonly onWait?: (holderPid: number) => void;
  readonly signal?: AbortSignal | undefined;
};

/** Runs `work` while no other process holds the lock at `path`; waits for a live holder, takes over a dead one's. */
export async function withFileLock<T>(request: LockRequest, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(request.path), { recursive: true });
  let told = false;
  // The id makes two stacks in one process exclude each other as well.
  const mine = JSON.stringify({ ...must(identify(pid), 'this process runs'), id: randomUUID() });
  while (!tryTake(request.path, mine)) {
    request.signal?.throwIfAborted();
    const held = readLock(request.path);
    if (held === null) continue;
    if (held.holder === null || !isAlive(held.holder)) {
      removeStale(request.path, held.text);
      continue;
    }
    if (!told) request.onWait?.(held.holder.pid);
    told = true;
    await pause(200);
  }
  try {
    return await work();
  } finally {
    rmSync(request.path, { force: true });
  }
}

/** A link appears with its content in one step, so that no reader ever sees an empty lock. */
function tryTake(path: string, mine: string): boolean {
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, mine);
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function readLock(path: string): { text: string; holder: ProcessIdentity | null } | null {
  try {
    const text = readFileSync(path, 'utf8');
    return { text, holder: parseJson(text, IdentityShape) };
  } catch {
    return null;
  }
}

/** Moves the lock aside before deleting it: of two that found it stale, the slower must not delete the quicker one's fresh lock. */
function removeStale(path: string, staleText: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
    if (readFileSync(aside, 'utf8') !== staleText) linkSync(aside, path);
  } catch {
    // Somebody else moved it first: the loop looks again.
  } finally {
    rmSync(aside, { force: true });
  }
}
