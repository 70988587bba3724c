// Prometheus on 127.0.0.1, where somebody asks for it: the machine's own program, our rules, the workers of this home as targets.
import { copyFileSync, mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Type } from '@sinclair/typebox';

import { choosePort } from './choose-ports.ts';
import { PROMETHEUS, dataFolder, homeFolder, makeHome, targetsFile } from './home-folder.ts';
import type { HomeFolder } from './home-folder.ts';
import { readJsonFile, writeJsonFile } from './json-file.ts';
import { findTool } from './machine.ts';
import { runningServer, startServer } from './server-process.ts';
import { StackError } from './stack-error.ts';

const RULES = fileURLToPath(new URL('../observability/prometheus', import.meta.url));
/** The files of RULES that say what to work out; the third is the configuration for Docker. */
const RULE_FILES = ['recording.yml', 'alerts.yml'];
const USUAL_PORT = 9090;
const SCRAPE_EVERY = '5s';
const KEPT_FOR = '15d';
const ANSWER_WITHIN_MS = 1_000;

const AddressShape = Type.Object({ port: Type.Integer() });

/** `address`: of its web pages and API, `http://127.0.0.1:<port>`. */
export type PrometheusStatus = {
  readonly address: string;
  readonly state: 'running' | 'unhealthy' | 'stopped';
  readonly pid: number | null;
};

/** The path of the program. Throws StackError when this machine has none. */
export function findPrometheus(): string {
  const program = findTool('prometheus');
  if (program !== null) return program;
  throw new StackError(
    'There is no prometheus on PATH: install it (Debian and Ubuntu: "apt-get install prometheus"), or leave --prometheus out.',
  );
}

/** Starts it unless it runs, and waits until it answers; answers its address. Its data stays from one start to the next. */
export async function startPrometheus(request: {
  readonly home: string;
  readonly signal?: AbortSignal;
}): Promise<string> {
  const home = homeFolder(request.home);
  const command = findPrometheus();
  makeHome(home);
  const folder = dataFolder(home, PROMETHEUS);
  mkdirSync(folder, { recursive: true });
  for (const file of RULE_FILES) copyFileSync(join(RULES, file), join(folder, file));
  const before = readJsonFile(portFile(home), AddressShape)?.port ?? null;
  const running = runningServer(home, PROMETHEUS) !== null;
  const port = running && before !== null ? before : await choosePort({ before, usual: USUAL_PORT });
  writeJsonFile(portFile(home), { port });
  // JSON is YAML.
  writeJsonFile(join(folder, 'prometheus.yml'), configuration(home));
  const address = addressOf(port);
  await startServer(
    home,
    {
      name: PROMETHEUS,
      command,
      args: [
        '--config.file=prometheus.yml',
        '--storage.tsdb.path=data',
        `--storage.tsdb.retention.time=${KEPT_FOR}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=warn',
      ],
      folder,
      stopSignal: 'SIGTERM',
      stopGraceMs: 20_000,
      startDeadlineMs: 60_000,
      isHealthy: async () => await isReady(address),
    },
    request.signal,
  );
  return address;
}

/** Where it is and whether it answers; null where it was never started. */
export async function prometheusStatus(home: string): Promise<PrometheusStatus | null> {
  const folder = homeFolder(home);
  const port = readJsonFile(portFile(folder), AddressShape)?.port;
  if (port === undefined) return null;
  const address = addressOf(port);
  const pid = runningServer(folder, PROMETHEUS)?.pid ?? null;
  if (pid === null) return { address, state: 'stopped', pid };
  return { address, state: (await isReady(address)) ? 'running' : 'unhealthy', pid };
}

/** The address of the one that runs now, healthy or not; null when none does. */
export function prometheusAddress(home: string): string | null {
  const folder = homeFolder(home);
  const port = readJsonFile(portFile(folder), AddressShape)?.port;
  return port === undefined || runningServer(folder, PROMETHEUS) === null ? null : addressOf(port);
}

/** One page of a worker, its own or Temporal's: the name that the series keep over its restarts, and `host:port`. */
export type MetricsTarget = { readonly job: 'weir' | 'temporal-sdk'; readonly name: string; readonly address: string };

/** Tells Prometheus where the workers are; it looks at the file by itself. */
export function writeTargets(home: string, targets: readonly MetricsTarget[]): void {
  writeJsonFile(
    targetsFile(homeFolder(home)),
    // A worker that starts again may get another port: its name, not its address, says which series are its own.
    targets.map(({ job, name, address }) => ({ targets: [address], labels: { job, instance: name } })),
  );
}

function configuration(home: HomeFolder): object {
  const fromFolder = (path: string): string => relative(dataFolder(home, PROMETHEUS), path);
  return {
    global: { scrape_interval: SCRAPE_EVERY, evaluation_interval: SCRAPE_EVERY },
    rule_files: RULE_FILES,
    scrape_configs: [
      {
        job_name: 'weir',
        file_sd_configs: [{ files: [fromFolder(targetsFile(home))], refresh_interval: SCRAPE_EVERY }],
      },
    ],
  };
}

const portFile = (home: HomeFolder): string => join(dataFolder(home, PROMETHEUS), 'port.json');
const addressOf = (port: number): string => `http://127.0.0.1:${port}`;

async function isReady(address: string): Promise<boolean> {
  try {
    const { ok } = await fetch(`${address}/-/ready`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    return ok;
  } catch {
    return false;
  }
}
