// The local stack: real Kafka, PostgreSQL and Temporal on this machine, each started here unless an address replaces it.
import { existsSync, rmSync } from 'node:fs';

import { messageOf } from '../pipeline/ensure.ts';
import { choosePorts } from './choose-ports.ts';
import type { PortName } from './choose-ports.ts';
import { withFileLock } from './file-lock.ts';
import { PROMETHEUS, SERVER_NAMES, SERVER_TITLES, dataFolder, homeFolder, makeHome } from './home-folder.ts';
import type { HomeFolder, ServerName, StackProcess } from './home-folder.ts';
import { checkKafka, isKafkaReady } from './kafka-health.ts';
import { kafkaLaunch } from './kafka-server.ts';
import { missingTools } from './missing-tools.ts';
import { checkPostgres, isPostgresReady } from './postgres-health.ts';
import { choosePostgresFolder, postgresLaunch, postgresUrl } from './postgres-server.ts';
import { runningServer, startServer, stopServer } from './server-process.ts';
import { StackError } from './stack-error.ts';
import { readStackFile, writeStackFile } from './stack-file.ts';
import type { StackAddresses, StackFile } from './stack-file.ts';
import { checkTemporal, isTemporalReady } from './temporal-health.ts';
import { USUAL_NAMESPACE, temporalLaunch } from './temporal-server.ts';

export type { StackAddresses } from './stack-file.ts';

export type StackRequest = {
  /** The folder that holds the stack (WEIR_HOME). */
  readonly home: string;
  /** Each replaces one server: it is then only looked at, never started or stopped. */
  readonly kafkaBrokers?: readonly string[] | null;
  readonly postgresUrl?: string | null;
  readonly temporalAddress?: string | null;
  readonly temporalNamespace?: string;
  /** Settings of the broker beyond its usual ones, such as an authorizer; given at every start. */
  readonly kafkaSettings?: Readonly<Record<string, string>>;
  /** Which ports a first start tries: the usual ones (9092, 5432, 7233, 8233), or any free ones. */
  readonly ports?: 'usual' | 'any';
  /** Gets a line whenever something takes time or differs from the usual. */
  readonly report?: (line: string) => void;
  readonly signal?: AbortSignal;
};

/** `elsewhere`: not ours. `unhealthy`: the process lives (or the address is set) but does not answer. */
type ServerState = 'running' | 'unhealthy' | 'stopped' | 'elsewhere';

export type StackStatus = {
  readonly addresses: StackAddresses;
  readonly servers: Readonly<Record<ServerName, { readonly state: ServerState; readonly pid: number | null }>>;
};

const STACK_PROCESSES: readonly StackProcess[] = [...SERVER_NAMES, PROMETHEUS];

type Start = { readonly home: HomeFolder; readonly request: StackRequest; readonly report: (line: string) => void };

/** Starts what is not running, waits until all three answer, writes stack.json. Throws StackError; then what it started is stopped. */
export async function startStack(request: StackRequest): Promise<StackAddresses> {
  const home = homeFolder(request.home);
  const report = request.report ?? ((): void => undefined);
  makeHome(home);
  const onWait = (holder: number): void => report(`Process ${holder} is starting this stack already, waiting for it`);
  return withFileLock({ path: home.startLock, onWait, signal: request.signal }, async () => {
    checkTools(request);
    await checkReplaced(request);
    return startOwn({ home, request, report });
  });
}

/** Stops the servers that were started here, all at once, but those to `keep`; answers which it stopped. Never touches replaced ones. */
export async function stopStack(request: {
  readonly home: string;
  readonly keep?: readonly StackProcess[];
}): Promise<StackProcess[]> {
  const home = homeFolder(request.home);
  const names = STACK_PROCESSES.filter((name) => !request.keep?.includes(name));
  const stopped = await Promise.all(names.map(async (name) => ((await stopServer(home, name)) ? name : null)));
  return stopped.filter((name) => name !== null);
}

/** The servers of this home whose processes run now, whoever started them; Prometheus among them. */
export function runningServers(home: string): StackProcess[] {
  return STACK_PROCESSES.filter((name) => runningServer(homeFolder(home), name) !== null);
}

/** The addresses the last start wrote (the servers may be stopped by now), or null before the first. */
export function stackAddresses(home: string): StackAddresses | null {
  const stack = readStackFile(homeFolder(home));
  return stack && addressesIn(stack);
}

/** What runs and answers now; null where neither a replacing address nor an earlier start says where to look. */
export async function stackStatus(
  request: Omit<StackRequest, 'report' | 'signal' | 'ports'>,
): Promise<StackStatus | null> {
  const home = homeFolder(request.home);
  const stack = readStackFile(home);
  const brokers = request.kafkaBrokers ?? stack?.kafka.brokers;
  const url = request.postgresUrl ?? stack?.postgres.url;
  const address = request.temporalAddress ?? stack?.temporal.address;
  if (!brokers || !url || !address) return null;
  const own = {
    kafka: stack?.own.kafka === true && !request.kafkaBrokers,
    postgres: stack?.own.postgres === true && !request.postgresUrl,
    temporal: stack?.own.temporal === true && !request.temporalAddress,
  };
  const [kafka, postgres, temporal] = await Promise.all([
    isKafkaReady(brokers),
    isPostgresReady(url),
    isTemporalReady(address, request.temporalNamespace ?? USUAL_NAMESPACE),
  ]);
  const answers = { kafka, postgres, temporal };
  const stateOf = (name: ServerName): { state: ServerState; pid: number | null } => {
    if (!own[name]) return { state: answers[name] ? 'elsewhere' : 'unhealthy', pid: null };
    const pid = runningServer(home, name)?.pid ?? null;
    if (pid === null) return { state: 'stopped', pid };
    return { state: answers[name] ? 'running' : 'unhealthy', pid };
  };
  const ui = own.temporal ? (stack?.temporal.ui ?? null) : null;
  return {
    addresses: { kafka: { brokers: [...brokers] }, postgres: { url }, temporal: { address, ui } },
    servers: { kafka: stateOf('kafka'), postgres: stateOf('postgres'), temporal: stateOf('temporal') },
  };
}

/** Stops the stack and deletes what its servers stored; the next start begins empty. Answers what it deleted. */
export async function resetStack(request: { readonly home: string }): Promise<string[]> {
  const home = homeFolder(request.home);
  const stack = readStackFile(home);
  await stopStack(request);
  const places = [...STACK_PROCESSES.map((name) => dataFolder(home, name)), home.stackFile, home.passwordFile];
  if (stack?.postgresFolder) places.push(stack.postgresFolder);
  const gone = [...new Set(places)].filter((path) => existsSync(path));
  for (const path of gone) rmSync(path, { recursive: true, force: true });
  return gone;
}

/** Before anything is downloaded or started: every missing tool at once. */
function checkTools({ kafkaBrokers, postgresUrl: url, temporalAddress }: StackRequest): void {
  const missing = missingTools({ kafka: !kafkaBrokers, postgres: !url, temporal: !temporalAddress });
  if (missing.length > 0) throw new StackError(missing.join('\n'));
}

async function checkReplaced(request: StackRequest): Promise<void> {
  const { kafkaBrokers, postgresUrl: url, temporalAddress, temporalNamespace } = request;
  if (kafkaBrokers) await checkKafka(kafkaBrokers);
  if (url) await checkPostgres(url);
  if (temporalAddress) await checkTemporal(temporalAddress, temporalNamespace ?? USUAL_NAMESPACE);
}

async function startOwn(start: Start): Promise<StackAddresses> {
  const { report } = start;
  const stack = await layOut(start);
  try {
    await startAll(start, stack);
    return addressesIn(stack);
  } catch (error) {
    if (!(error instanceof StackError)) throw error;
    // Between choosing a port and listening on it somebody else can take it: then other ports, once.
    const again = await layOut(start);
    if (JSON.stringify(again.ports) === JSON.stringify(stack.ports)) throw error;
    report('A port was taken meanwhile; trying others');
    await startAll(start, again);
    return addressesIn(again);
  }
}

/** Chooses ports and places and writes them down before any server starts: whatever happens next, those that live are known. */
async function layOut({ home, request, report }: Start): Promise<StackFile> {
  const own = { kafka: !request.kafkaBrokers, postgres: !request.postgresUrl, temporal: !request.temporalAddress };
  const before = readStackFile(home);
  const inUse = portsInUse(home);
  const ports = await choosePorts({ remembered: before?.ports ?? null, inUse, first: request.ports ?? 'usual' });
  const elsewhere = before?.postgresFolder ?? null;
  const postgresFolder = own.postgres ? choosePostgresFolder(home, { elsewhere, report }) : elsewhere;
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
  writeStackFile(home, stack);
  return stack;
}

function addressesIn({ kafka, postgres, temporal }: StackFile): StackAddresses {
  return { kafka, postgres, temporal };
}

async function startAll(start: Start, stack: StackFile): Promise<void> {
  const { home, report } = start;
  const { signal } = start.request;
  const request = { home, ports: stack.ports, report, signal };
  const launches = {
    kafka: () => kafkaLaunch({ ...request, settings: start.request.kafkaSettings ?? {} }),
    postgres: () => postgresLaunch({ ...request, folder: stack.postgresFolder ?? dataFolder(home, 'postgres') }),
    temporal: () => temporalLaunch({ ...request, namespace: start.request.temporalNamespace ?? USUAL_NAMESPACE }),
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
