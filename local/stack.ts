// The local stack: real Kafka, PostgreSQL and Temporal on this machine, each started here unless an address replaces it.
import { rmSync } from 'node:fs';

import { messageOf } from '../pipeline/ensure.ts';
import { choosePorts } from './choose-ports.ts';
import type { PortName, StackPorts } from './choose-ports.ts';
import { withFileLock } from './file-lock.ts';
import { SERVER_NAMES, SERVER_TITLES, dataFolder, homeFolder, makeHome } from './home-folder.ts';
import type { HomeFolder, ServerName } from './home-folder.ts';
import { checkKafka, isKafkaReady } from './kafka-health.ts';
import { kafkaLaunch } from './kafka-server.ts';
import { checkPostgres, isPostgresReady } from './postgres-health.ts';
import { choosePostgresFolder, postgresLaunch, postgresUrl } from './postgres-server.ts';
import { runningServer, startServer, stopServer } from './server-process.ts';
import { StackError } from './stack-error.ts';
import { readStackFile, writeStackFile } from './stack-file.ts';
import type { StackAddresses, StackFile } from './stack-file.ts';
import { checkTemporal, isTemporalReady } from './temporal-health.ts';
import { LOCAL_NAMESPACE, temporalLaunch } from './temporal-server.ts';

export type { StackAddresses } from './stack-file.ts';

export type StackRequest = {
  /** The folder that holds the stack (WEIR_HOME). */
  readonly home: string;
  /** Each replaces one server: it is then only looked at, never started or stopped. */
  readonly kafkaBrokers?: readonly string[] | null;
  readonly postgresUrl?: string | null;
  readonly temporalAddress?: string | null;
  readonly temporalNamespace?: string;
  /** Which ports a first start tries: the usual ones (9092, 5432, 7233, 8233), or any free ones. */
  readonly ports?: 'usual' | 'any';
  /** Gets a line whenever something takes time or differs from the usual. */
  readonly report?: (line: string) => void;
  readonly signal?: AbortSignal;
};

/** `elsewhere`: not ours. `unhealthy`: the process lives (or the address is set) but does not answer. */
export type ServerState = 'running' | 'unhealthy' | 'stopped' | 'elsewhere';

export type StackStatus = {
  readonly addresses: StackAddresses;
  readonly servers: Readonly<Record<ServerName, { readonly state: ServerState; readonly pid: number | null }>>;
};

type Start = { readonly home: HomeFolder; readonly request: StackRequest; readonly report: (line: string) => void };

/** Starts what is not running, waits until all three answer, writes stack.json. Throws StackError; then what it started is stopped. */
export async function startStack(request: StackRequest): Promise<StackAddresses> {
  const home = homeFolder(request.home);
  const report = request.report ?? ((): void => undefined);
  makeHome(home);
  const onWait = (holder: number): void => report(`Process ${holder} is starting this stack already, waiting for it`);
  return withFileLock({ path: home.startLock, onWait, signal: request.signal }, async () => {
    await checkReplaced(request);
    return startOwn({ home, request, report });
  });
}

/** Stops the servers that were started here, all at once; answers which of them ran. Never touches replaced ones. */
export async function stopStack(request: { readonly home: string }): Promise<ServerName[]> {
  const home = homeFolder(request.home);
  const stopped = await Promise.all(SERVER_NAMES.map(async (name) => ((await stopServer(home, name)) ? name : null)));
  return stopped.filter((name) => name !== null);
}

/** The addresses the last start wrote (the servers may be stopped by now), or null before the first. */
export function stackAddresses(home: string): StackAddresses | null {
  const stack = readStackFile(homeFolder(home));
  return stack && { kafka: stack.kafka, postgres: stack.postgres, temporal: stack.temporal };
}

/** What runs and answers now; null before the first start. */
export async function stackStatus(request: {
  readonly home: string;
  readonly temporalNamespace?: string;
}): Promise<StackStatus | null> {
  const home = homeFolder(request.home);
  const stack = readStackFile(home);
  if (stack === null) return null;
  const namespace = stack.own.temporal ? LOCAL_NAMESPACE : (request.temporalNamespace ?? LOCAL_NAMESPACE);
  const [kafka, postgres, temporal] = await Promise.all([
    isKafkaReady(stack.kafka.brokers),
    isPostgresReady(stack.postgres.url),
    isTemporalReady(stack.temporal.address, namespace),
  ]);
  const answers = { kafka, postgres, temporal };
  const stateOf = (name: ServerName): { state: ServerState; pid: number | null } => {
    const pid = runningServer(home, name)?.pid ?? null;
    if (!stack.own[name]) return { state: answers[name] ? 'elsewhere' : 'unhealthy', pid: null };
    if (pid === null) return { state: 'stopped', pid };
    return { state: answers[name] ? 'running' : 'unhealthy', pid };
  };
  return {
    addresses: { kafka: stack.kafka, postgres: stack.postgres, temporal: stack.temporal },
    servers: { kafka: stateOf('kafka'), postgres: stateOf('postgres'), temporal: stateOf('temporal') },
  };
}

/** Stops the stack and deletes what its servers stored; the next start begins empty. */
export async function resetStack(request: { readonly home: string }): Promise<string[]> {
  const home = homeFolder(request.home);
  const stack = readStackFile(home);
  await stopStack(request);
  const gone = [...SERVER_NAMES.map((name) => dataFolder(home, name)), home.stackFile, home.passwordFile];
  if (stack?.postgresFolder) gone.push(stack.postgresFolder);
  for (const path of gone) rmSync(path, { recursive: true, force: true });
  return [...new Set(gone)];
}

async function checkReplaced(request: StackRequest): Promise<void> {
  const { kafkaBrokers, postgresUrl: url, temporalAddress, temporalNamespace } = request;
  if (kafkaBrokers) await checkKafka(kafkaBrokers);
  if (url) await checkPostgres(url);
  if (temporalAddress) await checkTemporal(temporalAddress, temporalNamespace ?? LOCAL_NAMESPACE);
}

async function startOwn(start: Start): Promise<StackAddresses> {
  const { home, request, report } = start;
  const own = { kafka: !request.kafkaBrokers, postgres: !request.postgresUrl, temporal: !request.temporalAddress };
  const before = readStackFile(home);
  const inUse = portsInUse(home);
  const ports = await choosePorts({ remembered: before?.ports ?? null, inUse, first: request.ports ?? 'usual' });
  const postgresFolder = before?.postgresFolder ?? (own.postgres ? choosePostgresFolder(home, report) : null);
  const stack: StackFile = {
    kafka: { brokers: [...(request.kafkaBrokers ?? [`127.0.0.1:${ports.kafka}`])] },
    postgres: { url: request.postgresUrl ?? postgresUrl(home, ports.postgres) },
    temporal: {
      address: request.temporalAddress ?? `127.0.0.1:${ports.temporal}`,
      ui: own.temporal ? `http://127.0.0.1:${ports.temporalUi}` : null,
    },
    own,
    ports,
    postgresFolder,
  };
  // Before the servers start: whatever happens next, the ports of those that live are known.
  writeStackFile(home, stack);
  await startAll(start, { stack, ports });
  return { kafka: stack.kafka, postgres: stack.postgres, temporal: stack.temporal };
}

async function startAll(start: Start, { stack, ports }: { stack: StackFile; ports: StackPorts }): Promise<void> {
  const { home, report } = start;
  const { signal } = start.request;
  const request = { home, ports, report, signal };
  const launches = {
    kafka: () => kafkaLaunch(request),
    postgres: () => postgresLaunch({ ...request, folder: stack.postgresFolder ?? dataFolder(home, 'postgres') }),
    temporal: () => temporalLaunch(request),
  };
  const mine = SERVER_NAMES.filter((name) => stack.own[name]);
  const startedHere = mine.filter((name) => runningServer(home, name) === null);
  const outcomes = await Promise.allSettled(
    mine.map(async (name) => {
      await startServer(home, await launches[name](), signal);
      if (startedHere.includes(name)) report(`${SERVER_TITLES[name]} is up`);
    }),
  );
  const failures = outcomes
    .filter((outcome) => outcome.status === 'rejected')
    .map((outcome) => outcome.reason as unknown);
  if (failures.length === 0) return;
  await Promise.all(startedHere.map((name) => stopServer(home, name)));
  signal?.throwIfAborted();
  const unexpected = failures.find((failure) => !(failure instanceof StackError));
  if (unexpected !== undefined) throw unexpected;
  throw new StackError(failures.map(messageOf).join('\n'), { cause: failures[0] });
}

function portsInUse(home: HomeFolder): PortName[] {
  const used: Record<ServerName, PortName[]> = {
    kafka: ['kafka', 'kafkaController'],
    postgres: ['postgres'],
    temporal: ['temporal', 'temporalUi'],
  };
  return SERVER_NAMES.filter((name) => runningServer(home, name) !== null).flatMap((name) => used[name]);
}
