// Tells whether a process id still means the process that was started: ids are recycled, start times are not.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { platform } from 'node:process';

import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';

export const IdentityShape = Type.Object({ pid: Type.Integer({ minimum: 2 }), startedAt: Type.String() });
export type ProcessIdentity = Static<typeof IdentityShape>;

/** The identity of a live process, or null when there is none (a dead child that nobody has collected counts as none). */
export function identify(pid: number): ProcessIdentity | null {
  const startedAt = platform === 'linux' ? startFromProc(pid) : startFromPs(pid);
  return startedAt === null ? null : { pid, startedAt };
}

/** Whether the very process that `identity` was taken from still runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startedAt === identity.startedAt;
}

function startFromProc(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets and may hold spaces and brackets itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return null;
    // Ticks count from boot, so the boot belongs to the identity.
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}/${fields[19]}`;
  } catch {
    return null;
  }
}

function startFromPs(pid: number): string | null {
  const said = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8', env: { LC_ALL: 'C' } });
  const line = (said.stdout ?? '').trim();
  if (said.status !== 0 || line === '' || line.startsWith('Z')) return null;
  return line.slice(line.indexOf(' ')).trim();
}
