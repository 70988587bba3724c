// What this machine offers: its tools on PATH, its folder for things built once. The only file here that reads the environment.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { env, getuid } from 'node:process';

/** A version as `[major, minor, patch]`. */
export type Version = readonly [number, number, number];

/** The path of the first program called `name` on PATH, or null. Java is looked for under JAVA_HOME first. */
export function findTool(name: string): string | null {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const javaHome = env['JAVA_HOME'];
  if (name === 'java' && javaHome !== undefined && javaHome !== '') folders.unshift(join(javaHome, 'bin'));
  return folders.map((folder) => join(folder, name)).find((path) => isProgram(path)) ?? null;
}

/** What a tool says of its own version; null when it cannot be asked or says nothing like a version. */
export function toolVersion(path: string, args: readonly string[]): Version | null {
  const said = spawnSync(path, [...args], { encoding: 'utf8', timeout: 20_000 });
  return parseVersion(`${said.stdout ?? ''}\n${said.stderr ?? ''}`);
}

/** The first `1.2` or `1.2.3` (or the `17` of a young Java) in a text. */
export function parseVersion(text: string): Version | null {
  const found = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? /"(\d+)[^".]*"/.exec(text);
  return found ? [Number(found[1]), Number(found[2] ?? 0), Number(found[3] ?? 0)] : null;
}

/** Whether `version` is `wanted` or newer. */
export function isAtLeast(version: Version, wanted: Version): boolean {
  for (const [index, part] of version.entries()) {
    const against = wanted[index] ?? 0;
    if (part !== against) return part > against;
  }
  return true;
}

/** Where things built or downloaded once are kept: outside any checkout, so that a second clone does not build again. */
export function cacheFolder(): string {
  const base = env['XDG_CACHE_HOME'];
  return join(base !== undefined && base.startsWith('/') ? base : join(homedir(), '.cache'), 'weir');
}

/** The environment a child process gets: this process's own, with these changes (undefined removes a variable). */
export function toolEnvironment(changes: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { ...env, ...changes };
}

/** Whether this process may act for every user; PostgreSQL refuses to run so. */
export function isRoot(): boolean {
  return getuid?.() === 0;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
