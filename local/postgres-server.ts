// One real PostgreSQL on 127.0.0.1 with a database `weir`; its programs come with npm, its data lies in the home folder.
import { randomBytes, createHash } from 'node:crypto';
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { dataFolder, logFile } from './home-folder.ts';
import type { HomeFolder } from './home-folder.ts';
import type { LaunchRequest } from './kafka-server.ts';
import { toolEnvironment } from './machine.ts';
import { isPostgresReady, queryOnce } from './postgres-health.ts';
import { SHARED_FOLDER, postgresPrograms } from './postgres-programs.ts';
import type { PostgresPrograms } from './postgres-programs.ts';
import { postgresSettings } from './postgres-settings.ts';
import { canUse, postgresUser } from './postgres-user.ts';
import type { PostgresUser } from './postgres-user.ts';
import { runTool } from './run-tool.ts';
import type { ServerLaunch } from './server-process.ts';
import { StackError } from './stack-error.ts';

const ROLE = 'weir';
const DATABASE = 'weir';

/** Everything needed to start the server; makes its cluster the first time. Throws StackError. */
export async function postgresLaunch(request: LaunchRequest & { readonly folder: string }): Promise<ServerLaunch> {
  const { home, ports, report, folder } = request;
  const user = postgresUser(report);
  const programs = await postgresPrograms(user, report);
  const data = join(folder, 'data');
  if (!existsSync(join(data, 'PG_VERSION'))) await makeCluster(request, { user, programs });
  writeFileSync(join(data, 'weir.conf'), postgresSettings(ports.postgres));
  return {
    name: 'postgres',
    command: programs.postgres,
    args: ['-D', data],
    folder,
    // PGPORT and the like of the user's shell would override the settings file.
    environment: toolEnvironment({ LC_ALL: 'C', PGPORT: undefined, PGDATA: undefined, PGHOST: undefined }),
    userId: user.userId,
    groupId: user.groupId,
    // SIGINT is PostgreSQL's fast stop: transactions are rolled back, everything committed is on disk.
    stopSignal: 'SIGINT',
    stopGraceMs: 60_000,
    startDeadlineMs: 120_000,
    // After a kill its helpers hold the shared memory for a moment longer, and it refuses to start beside them.
    retries: 3,
    isHealthy: () => isDatabaseReady(postgresUrl(home, ports.postgres)),
  };
}

/** The URL of the local server's database; makes the home's password the first time. */
export function postgresUrl(home: HomeFolder, port: number): string {
  if (!existsSync(home.passwordFile))
    writeFileSync(home.passwordFile, randomBytes(16).toString('hex'), { mode: 0o600 });
  return `postgres://${ROLE}:${readFileSync(home.passwordFile, 'utf8').trim()}@127.0.0.1:${port}/${DATABASE}`;
}

/**
 * Where this home's PostgreSQL stores, when that is not inside the home: `elsewhere` when an earlier start chose that, a
 * folder of its own (said aloud) where its user cannot enter the home, else null. Throws StackError.
 */
export function choosePostgresFolder(
  home: HomeFolder,
  { elsewhere, report }: { elsewhere: string | null; report: (line: string) => void },
): string | null {
  const user = postgresUser(report);
  if (elsewhere !== null && existsSync(elsewhere)) return elsewhere;
  const inside = dataFolder(home, 'postgres');
  if (ownFolder(inside, user)) return null;
  if (existsSync(join(inside, 'data'))) {
    throw new StackError(
      `PostgreSQL's user cannot enter ${inside}, where its data lies: let it pass through the folders above ("chmod a+x"), or move the data away to begin anew.`,
    );
  }
  rmdirSync(inside);
  const name = createHash('sha256').update(home.path).digest('hex').slice(0, 8);
  const outside = join(SHARED_FOLDER, `postgres-data-${name}`);
  report(`PostgreSQL: its user cannot enter ${home.path}, so its data is kept in ${outside}`);
  if (!ownFolder(outside, user)) {
    throw new StackError(
      `PostgreSQL's user can enter neither ${inside} nor ${outside}: set WEIR_HOME to a folder that it can enter.`,
    );
  }
  return outside;
}

function ownFolder(folder: string, user: PostgresUser): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  if (user.userId === undefined || user.groupId === undefined) return true;
  try {
    chownSync(folder, user.userId, user.groupId);
  } catch {
    // Some mounted folders have one owner only.
    return false;
  }
  return canUse(user, folder);
}

/** initdb works in a folder of another name, so that one that was interrupted is never taken for a cluster. */
async function makeCluster(
  request: LaunchRequest & { readonly folder: string },
  by: { user: PostgresUser; programs: PostgresPrograms },
): Promise<void> {
  const { home, folder, report, signal } = request;
  const unfinished = join(folder, 'data.unfinished');
  const passwordCopy = join(folder, 'password');
  rmSync(unfinished, { recursive: true, force: true });
  report('PostgreSQL: making its cluster');
  const password = new URL(postgresUrl(home, 0)).password;
  writeFileSync(passwordCopy, `${password}\n`, { mode: 0o600 });
  const { userId, groupId } = by.user;
  if (userId !== undefined && groupId !== undefined) chownSync(passwordCopy, userId, groupId);
  try {
    await runTool({
      what: 'PostgreSQL makes its cluster',
      command: by.programs.initdb,
      args: [
        `--pgdata=${unfinished}`,
        `--username=${ROLE}`,
        `--pwfile=${passwordCopy}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // The built-in locale is there on every machine and sorts everywhere alike.
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
      ],
      folder,
      environment: { LC_ALL: 'C', PGDATA: undefined },
      ...(userId !== undefined && groupId !== undefined && { userId, groupId }),
      logFile: logFile(home, 'postgres-initdb'),
      report,
      signal,
    });
    appendFileSync(join(unfinished, 'postgresql.conf'), "\ninclude 'weir.conf'\n");
    renameSync(unfinished, join(folder, 'data'));
  } finally {
    rmSync(passwordCopy, { force: true });
  }
}

/** Ready means that the database exists as well: made here, once the server answers. */
async function isDatabaseReady(url: string): Promise<boolean> {
  if (await isPostgresReady(url)) return true;
  const maintenance = url.replace(/\/[^/]*$/, '/postgres');
  if (!(await isPostgresReady(maintenance))) return false;
  await queryOnce(maintenance, `create database ${DATABASE}`).catch(() => undefined);
  return isPostgresReady(url);
}
