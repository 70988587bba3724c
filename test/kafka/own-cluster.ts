// A Kafka cluster of this test's own, whose brokers it may kill, freeze and start again.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import getPort from 'get-port';

import { dataFolder, homeFolder, logFile, makeHome } from '../../local/home-folder.ts';
import type { HomeFolder } from '../../local/home-folder.ts';
import { isKafkaReady } from '../../local/kafka-health.ts';
import { ensureKafkaJars, findJava } from '../../local/kafka-jars.ts';
import { runTool } from '../../local/run-tool.ts';
import { runningServer, startServer, stopServer } from '../../local/server-process.ts';
import { must } from '../../pipeline/ensure.ts';

type BrokerSettings = Readonly<Record<string, string>>;
type Ports = { readonly broker: number; readonly controller: number };
const quiet = () => undefined;
/** A broker that lives for a minute never earns back what an optimizing compiler costs at its start. */
const QUICK_START = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-XX:CICompilerCount=1'];

/** One broker. The first of a cluster is also its controller. */
class OwnBroker {
  readonly address: string;
  readonly #home: HomeFolder;
  readonly #folder: string;
  readonly #classPath: string[];
  readonly #nodeId: number;
  readonly #ports: Ports;
  readonly #further: BrokerSettings;

  constructor(nodeId: number, places: { folder: string; jars: string; ports: Ports; settings: BrokerSettings }) {
    this.#nodeId = nodeId;
    this.#ports = places.ports;
    this.#further = places.settings;
    this.address = `127.0.0.1:${places.ports.broker}`;
    this.#home = homeFolder(join(places.folder, `node-${nodeId}`));
    makeHome(this.#home);
    this.#folder = dataFolder(this.#home, 'kafka');
    this.#classPath = ['-cp', join(places.jars, '*')];
  }

  async format(clusterId: string, scramUsers: readonly string[]): Promise<void> {
    mkdirSync(this.#folder, { recursive: true });
    writeFileSync(join(this.#folder, 'server.properties'), this.#settings());
    const users = scramUsers.flatMap((user) => ['--add-scram', user]);
    const args = ['format', '-t', clusterId, '-c', join(this.#folder, 'server.properties'), ...users];
    await runTool({
      what: 'Kafka formats its storage',
      command: findJava(),
      args: [...this.#classPath, 'kafka.tools.StorageTool', ...args],
      folder: this.#folder,
      logFile: logFile(this.#home, 'kafka-format'),
      report: quiet,
    });
  }

  start(): Promise<void> {
    return startServer(this.#home, {
      name: 'kafka',
      command: findJava(),
      args: [...QUICK_START, ...this.#classPath, 'kafka.Kafka', join(this.#folder, 'server.properties')],
      folder: this.#folder,
      stopSignal: 'SIGTERM',
      stopGraceMs: 20_000,
      startDeadlineMs: 90_000,
      isHealthy: () => isKafkaReady([this.address]),
    });
  }

  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    process.kill(must(runningServer(this.#home, 'kafka'), 'only a running broker gets a signal').pid, signal);
  }

  /** At once: nothing that a test stored is worth a clean end. */
  async stop(): Promise<void> {
    if (runningServer(this.#home, 'kafka') !== null) this.signal('SIGKILL');
    await stopServer(this.#home, 'kafka');
  }

  #settings(): string {
    const { broker, controller } = this.#ports;
    const isController = this.#nodeId === 1;
    return [
      `process.roles=${isController ? 'broker,controller' : 'broker'}`,
      `node.id=${this.#nodeId}`,
      `controller.quorum.voters=1@127.0.0.1:${controller}`,
      `listeners=PLAINTEXT://127.0.0.1:${broker}${isController ? `,CONTROLLER://127.0.0.1:${controller}` : ''}`,
      `advertised.listeners=PLAINTEXT://127.0.0.1:${broker}`,
      'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'controller.listener.names=CONTROLLER',
      'inter.broker.listener.name=PLAINTEXT',
      `log.dirs=${join(this.#folder, 'data')}`,
      'offsets.topic.replication.factor=1',
      'offsets.topic.num.partitions=1',
      'auto.create.topics.enable=false',
      'group.initial.rebalance.delay.ms=0',
      ...Object.entries(this.#further).map(([name, value]) => `${name}=${value}`),
    ].join('\n');
  }
}

export type OwnCluster = {
  readonly brokers: readonly OwnBroker[];
  readonly addresses: string[];
  remove(): Promise<void>;
};

/**
 * Starts `count` brokers that form one cluster, with `settings` beyond the usual ones. `scramUsers`: those that it knows from the
 * start, as Kafka's StorageTool takes them. `remove` stops them and deletes what they stored.
 */
export async function startOwnCluster(
  count: number,
  settings: BrokerSettings = {},
  scramUsers: readonly string[] = [],
): Promise<OwnCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-kafka-'));
  const jars = await ensureKafkaJars(quiet);
  const controller = await getPort();
  const clusterId = `A${randomBytes(16).toString('base64url').slice(1)}`;
  const brokers: OwnBroker[] = [];
  for (let nodeId = 1; nodeId <= count; nodeId += 1) {
    const ports = { broker: await getPort(), controller };
    const broker = new OwnBroker(nodeId, { folder, jars, ports, settings });
    await broker.format(clusterId, scramUsers);
    await broker.start();
    brokers.push(broker);
  }
  return {
    brokers,
    addresses: brokers.map(({ address }) => address),
    remove: async () => {
      for (const broker of brokers.toReversed()) await broker.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
