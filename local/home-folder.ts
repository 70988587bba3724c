// The folder that holds everything of one local stack (.weir): where each server's data, log and process id lie.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The servers a stack can start by itself. */
export const SERVER_NAMES = ['kafka', 'postgres', 'temporal'] as const;
export type ServerName = (typeof SERVER_NAMES)[number];

/** What runs beside them where somebody asks for it: it looks at the pipeline, which goes on without it. */
export const PROMETHEUS = 'prometheus';
/** Everything that runs as a process of a stack. */
export type StackProcess = ServerName | typeof PROMETHEUS;

/** The servers as a person reads them. */
export const SERVER_TITLES: Readonly<Record<StackProcess, string>> = {
  kafka: 'Kafka',
  postgres: 'PostgreSQL',
  temporal: 'Temporal',
  prometheus: 'Prometheus',
};

export type HomeFolder = {
  readonly path: string;
  /** Ports and addresses of the stack. */
  readonly stackFile: string;
  readonly passwordFile: string;
  readonly startLock: string;
};

/** Names the places inside `home` (relative paths are taken from the working directory). No I/O. */
export function homeFolder(home: string): HomeFolder {
  const path = resolve(home);
  return {
    path,
    stackFile: join(path, 'stack.json'),
    passwordFile: join(path, 'postgres-password'),
    startLock: join(path, 'start.lock'),
  };
}

/** `<home>/logs/<name>.log` */
export function logFile(home: HomeFolder, name: string): string {
  return join(home.path, 'logs', `${name}.log`);
}

/** `<home>/run/<name>.json`: the process that runs this server. */
export function processFile(home: HomeFolder, name: string): string {
  return join(home.path, 'run', `${name}.json`);
}

/** `<home>/run/worker-metrics.json`: where the workers of this home serve their metrics, as Prometheus reads it. */
export function targetsFile(home: HomeFolder): string {
  return join(home.path, 'run', 'worker-metrics.json');
}

/** `<home>/<name>`: what this server stores. */
export function dataFolder(home: HomeFolder, name: StackProcess): string {
  return join(home.path, name);
}

/** Makes the folders every server needs. 0755: PostgreSQL's own user must be able to pass through. */
export function makeHome(home: HomeFolder): void {
  for (const folder of [home.path, join(home.path, 'logs'), join(home.path, 'run')]) {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  }
}
