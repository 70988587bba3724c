// Who runs PostgreSQL: it refuses to run as root, so root hands it to the user `postgres`.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';

import { findTool, isRoot } from './machine.ts';
import { StackError } from './stack-error.ts';

const USER = 'postgres';

/** The user and group ids to switch to; both undefined where the present user runs the server itself. */
export type PostgresUser = { readonly userId: number | undefined; readonly groupId: number | undefined };

/** The user who runs PostgreSQL; makes `postgres` when root has none. Throws StackError. */
export function postgresUser(report: (line: string) => void): PostgresUser {
  if (!isRoot()) return { userId: undefined, groupId: undefined };
  const found = lookUp();
  if (found !== null) return found;
  report(`PostgreSQL: making the user "${USER}", because PostgreSQL does not run as root`);
  const useradd = findTool('useradd') ?? '/usr/sbin/useradd';
  const made = spawnSync(
    useradd,
    ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', USER],
    {
      encoding: 'utf8',
    },
  );
  const user = lookUp();
  if (user === null) {
    const reason = (made.stderr ?? made.error?.message ?? '').trim();
    throw new StackError(
      `PostgreSQL does not run as root and the user "${USER}" could not be made (${reason}): make it, run as an ordinary user, or set WEIR_POSTGRES_URL to a running PostgreSQL.`,
    );
  }
  return user;
}

/** Whether that user can pass through and read `path` (a folder), or run it (a program). */
export function canUse(user: PostgresUser, path: string): boolean {
  if (user.userId === undefined || user.groupId === undefined) {
    try {
      accessSync(path, constants.R_OK | constants.X_OK);
      return true;
    } catch {
      return false;
    }
  }
  // Asked as that user, because only the kernel knows all that decides: folders above, access lists, mount options.
  const asked = spawnSync('sh', ['-c', 'test -r "$1" && test -x "$1"', 'sh', path], {
    cwd: '/',
    uid: user.userId,
    gid: user.groupId,
  });
  return asked.status === 0;
}

function lookUp(): PostgresUser | null {
  const [userId, groupId] = ['-u', '-g'].map((flag) => {
    const said = spawnSync('id', [flag, USER], { encoding: 'utf8' });
    return said.status === 0 ? Number(said.stdout) : undefined;
  });
  return userId === undefined || groupId === undefined ? null : { userId, groupId };
}
