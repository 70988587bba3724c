// Looks at this machine before anything is started: tools, addresses, ports, permissions, disk. Changes nothing.
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';

import { messageOf } from '../pipeline/ensure.ts';
import { withoutPassword } from '../pipeline/url-password.ts';
import { USUAL_PORTS, isPortFree } from './choose-ports.ts';
import type { PortName } from './choose-ports.ts';
import { homeFolder } from './home-folder.ts';
import type { HomeFolder, ServerName } from './home-folder.ts';
import { checkKafka } from './kafka-health.ts';
import { KAFKA_VERSION, findJava, findMaven, kafkaJarsFolder } from './kafka-jars.ts';
import { findTool, isAtLeast, isRoot, parseVersion, toolVersion } from './machine.ts';
import { checkPostgres } from './postgres-health.ts';
import { findPostgresPackage } from './postgres-programs.ts';
import { runningServer } from './server-process.ts';
import type { StackRequest } from './stack.ts';
import { readStackFile } from './stack-file.ts';
import { checkTemporal } from './temporal-health.ts';
import { findGo, readyTemporal } from './temporal-program.ts';
import { USUAL_NAMESPACE } from './temporal-server.ts';

const OLDEST_NODE = [20, 19, 0] as const;
const LEAST_FREE_BYTES = 2e9;

/** One thing looked at. `note`: it works, but a person may want to know. `failed`: `says` ends with the remedy. */
export type MachineCheck = {
  readonly name: string;
  readonly outcome: 'ok' | 'note' | 'failed';
  readonly says: string;
};

/** Every check that the servers of this request need, in the order a person would go. Never throws for what it finds. */
export async function checkMachine(request: StackRequest): Promise<MachineCheck[]> {
  const home = homeFolder(request.home);
  return [
    await look('Node', () => nodeVersion()),
    ...(await kafkaChecks(request.kafkaBrokers ?? null)),
    ...(await postgresChecks(request.postgresUrl ?? null)),
    ...(await temporalChecks(request)),
    ...(await portChecks(request, home)),
    await look('Home folder', () => canWrite(home)),
    await look('Disk space', () => freeSpace(home)),
  ];
}

type Finding = string | { readonly note: string };

async function look(name: string, find: () => Finding | Promise<Finding>): Promise<MachineCheck> {
  try {
    const found = await find();
    return typeof found === 'string'
      ? { name, outcome: 'ok', says: found }
      : { name, outcome: 'note', says: found.note };
  } catch (error) {
    return { name, outcome: 'failed', says: messageOf(error) };
  }
}

function nodeVersion(): string {
  const version = parseVersion(process.versions.node);
  if (version !== null && isAtLeast(version, OLDEST_NODE)) return process.versions.node;
  throw new Error(
    `Node is ${process.versions.node} and weir needs 20.19 or newer: install it (for instance "nvm install 20").`,
  );
}

async function kafkaChecks(brokers: readonly string[] | null): Promise<MachineCheck[]> {
  if (brokers !== null) {
    return [
      await look('Kafka', async () => {
        const found = await checkKafka(brokers);
        return `${brokers.join(',')} answers, ${found.brokers} broker${found.brokers === 1 ? '' : 's'}`;
      }),
    ];
  }
  const jars = existsSync(kafkaJarsFolder());
  return [
    await look('Java', () => said(findJava(), ['-version'])),
    await look('Maven', () =>
      jars ? `not needed: Kafka ${KAFKA_VERSION} is in ${kafkaJarsFolder()}` : said(findMaven(), ['-v']),
    ),
  ];
}

async function postgresChecks(url: string | null): Promise<MachineCheck[]> {
  if (url !== null) {
    return [
      await look(
        'PostgreSQL',
        async () => `${withoutPassword(url)} answers, version ${(await checkPostgres(url)).version}`,
      ),
    ];
  }
  return [
    await look('PostgreSQL', () => {
      const { version, folder } = findPostgresPackage();
      if (!isRoot()) return `${version} in ${folder}`;
      return { note: `${version} in ${folder}; run by the user "postgres", because PostgreSQL refuses to run as root` };
    }),
  ];
}

async function temporalChecks(request: StackRequest): Promise<MachineCheck[]> {
  const { temporalAddress, temporalNamespace } = request;
  if (temporalAddress) {
    return [
      await look('Temporal', async () => {
        const { version } = await checkTemporal(temporalAddress, temporalNamespace ?? USUAL_NAMESPACE);
        return `${temporalAddress} answers, version ${version}`;
      }),
    ];
  }
  const ready = readyTemporal();
  if (ready !== null) return [{ name: 'Temporal', outcome: 'ok', says: `${ready} (Go not needed)` }];
  const go = await look(
    'Go',
    () => `${said(findGo(), ['version'])}; Temporal is not built yet: the first start takes about 5 minutes longer`,
  );
  return [go.outcome === 'ok' ? { ...go, outcome: 'note' } : go];
}

async function portChecks(request: StackRequest, home: HomeFolder): Promise<MachineCheck[]> {
  const ports = readStackFile(home)?.ports ?? USUAL_PORTS;
  const wanted: [string, PortName, ServerName, boolean][] = [
    ['Kafka', 'kafka', 'kafka', !request.kafkaBrokers],
    ['PostgreSQL', 'postgres', 'postgres', !request.postgresUrl],
    ['Temporal', 'temporal', 'temporal', !request.temporalAddress],
    ['Temporal Web UI', 'temporalUi', 'temporal', !request.temporalAddress],
  ];
  const checks: MachineCheck[] = [];
  for (const [title, port, server, isOurs] of wanted) {
    if (!isOurs) continue;
    const running = runningServer(home, server);
    checks.push(
      await look(`Port of ${title}`, async () => {
        if (running !== null) return `${ports[port]}, in use by this stack (process ${running.pid})`;
        if (await isPortFree(ports[port])) return `${ports[port]} is free`;
        return { note: `${ports[port]} is taken by another program: a start picks a free one` };
      }),
    );
  }
  return checks;
}

function canWrite(home: HomeFolder): string {
  const folder = nearest(home.path);
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch {
    throw new Error(
      `${folder} may not be written by this user: give it the right, or name another folder in WEIR_HOME.`,
    );
  }
  return folder === home.path ? home.path : `${home.path} will be made`;
}

function freeSpace(home: HomeFolder): string {
  const { bavail, bsize } = statfsSync(nearest(home.path));
  const free = bavail * bsize;
  const gigabytes = (free / 1e9).toFixed(1);
  if (free >= LEAST_FREE_BYTES) return `${gigabytes} GB free`;
  throw new Error(
    `${gigabytes} GB are free at ${home.path} and the servers want 2 GB: make room, or name another folder in WEIR_HOME.`,
  );
}

/** The folder itself, or the closest one above it that exists. */
function nearest(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearest(dirname(path));
}

function said(program: string, args: readonly string[]): string {
  return `${toolVersion(program, args)?.join('.') ?? 'unknown version'} (${findTool(program) ?? program})`;
}
