// A small disk of a chaos run's own (a tmpfs), which can be filled to the last byte without harm to the machine's.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  rmdirSync,
  statSync,
  statfsSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';

const BALLAST = 'ballast';
const MOST_TRIES = 100;
const MOUNTS = '/proc/mounts';

/** Why no small disk can be had here; null where one can. Mounting needs root, and not every container lets root. */
export function whyNoSmallDisk(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'weir-disk-'));
  try {
    mount(folder, 1);
    unmount(folder);
    return null;
  } catch (error) {
    return `no small disk can be mounted here (${error instanceof Error ? error.message : String(error)})`;
  } finally {
    rmdirSync(folder);
  }
}

export class SmallDisk {
  readonly path: string;

  /** Mounts a disk of so many megabytes at this path, for one user. Throws where that is not allowed. */
  constructor(path: string, { megabytes, userId, groupId }: { megabytes: number; userId: number; groupId: number }) {
    mkdirSync(path);
    mount(path, megabytes);
    chownSync(path, userId, groupId);
    chmodSync(path, 0o700);
    this.path = path;
  }

  /** Takes all the room that is left, although somebody else may be taking some at the same time. */
  fill(): void {
    const ballast = join(this.path, BALLAST);
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const { bavail, bsize } = statfsSync(this.path);
      if (bavail === 0) return;
      const offset = statSync(ballast, { throwIfNoEntry: false })?.size ?? 0;
      try {
        run('fallocate', ['--offset', String(offset), '--length', String(bavail * bsize), ballast]);
      } catch {
        // Less is left than a moment ago.
      }
    }
    throw new Error(`The disk at ${this.path} could not be filled.`);
  }

  /** Gives the room back. */
  clear(): void {
    rmSync(join(this.path, BALLAST), { force: true });
  }

  remove(): void {
    unmount(this.path);
    rmdirSync(this.path);
  }
}

/** Unmounts whatever is mounted inside this folder, so that it can be deleted. */
export function unmountInside(folder: string): void {
  // Only Linux has this list, and only there did SmallDisk mount anything.
  if (!existsSync(MOUNTS)) return;
  const mounts = readFileSync(MOUNTS, 'utf8').split('\n');
  for (const path of mounts.map((line) => line.split(' ')[1] ?? '')) {
    if (path.startsWith(`${folder}${sep}`)) unmount(path);
  }
}

/** Moves a folder to a place that may lie on another disk; owners and rights stay. */
export function moveFolder(from: string, to: string): void {
  run('cp', ['--archive', from, to]);
  rmSync(from, { recursive: true });
}

function mount(path: string, megabytes: number): void {
  run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]);
}

function unmount(path: string): void {
  // It is gone from this path at once; sessions may have a deleted file of it open for a while longer.
  run('umount', ['--lazy', path]);
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, [...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(error?.message ?? stderr.trim().split('\n')[0]);
}
