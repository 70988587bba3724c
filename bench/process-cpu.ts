// CPU time and memory of processes, from Linux's /proc: a worker's, a broker's, PostgreSQL's with all its children.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

import { must } from '../pipeline/ensure.ts';

/** Fields of /proc/<pid>/stat behind the name, which may hold spaces: the state is number 0. */
function statFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

const FIELD = { parent: 1, userTicks: 11, systemTicks: 12, reapedUserTicks: 13, reapedSystemTicks: 14 } as const;

let ticksPerSecond: number | null = null;

function seconds(ticks: number): number {
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ticks / ticksPerSecond;
}

const number = (fields: readonly string[], at: number): number =>
  Number(must(fields[at], `field ${at} of a stat line`));

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/**
 * CPU seconds that a process, its living descendants and its children that were waited for have used. The difference of two
 * readings counts a child that ended in between once: it has moved into its parent's sum.
 */
export function cpuSecondsOf(pid: number): number {
  const children = new Map<number, number[]>();
  for (const other of pids()) {
    try {
      const parent = number(statFields(other), FIELD.parent);
      children.set(parent, [...(children.get(parent) ?? []), other]);
    } catch {
      // It ended while it was looked at.
    }
  }
  const ticksOf = (one: number): number => {
    try {
      const fields = statFields(one);
      const own = number(fields, FIELD.userTicks) + number(fields, FIELD.systemTicks);
      const reaped = number(fields, FIELD.reapedUserTicks) + number(fields, FIELD.reapedSystemTicks);
      return (children.get(one) ?? []).reduce((sum, child) => sum + ticksOf(child), own + reaped);
    } catch {
      return 0;
    }
  };
  return seconds(ticksOf(pid));
}

/** Most memory that a process has held at once, in MiB. */
export function peakMemoryMiB(pid: number): number {
  return memoryMiB(pid, 'VmHWM');
}

/** Memory that a process holds now, in MiB; what it shares with others is part of it. */
export function residentMiB(pid: number): number {
  return memoryMiB(pid, 'VmRSS');
}

function memoryMiB(pid: number, field: 'VmHWM' | 'VmRSS'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const [, kib] = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status) ?? [];
  return Math.round(Number(must(kib, `${field} of process ${pid}`)) / 1024);
}

/** The process of this machine that listens on a TCP port; null when there is none, or it is somebody else's. */
export function processListeningOn(port: number): number | null {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const sockets = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readFileSync(table, 'utf8').split('\n').slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === '0A' && local?.endsWith(`:${wanted}`)) sockets.add(`socket:[${inode}]`);
    }
  }
  // A child inherits its parent's socket: the oldest is the server.
  return (
    pids()
      .toSorted((a, b) => a - b)
      .find((pid) => openFiles(pid).some((file) => sockets.has(file))) ?? null
  );
}

/** What a process's descriptors point to; empty when it ended or is not ours to look at. */
export function openFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${descriptor}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}
