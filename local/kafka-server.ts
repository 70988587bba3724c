// One real Kafka broker in KRaft mode, its own controller, on 127.0.0.1, for one machine and its tests.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { StackPorts } from './choose-ports.ts';
import { dataFolder, logFile } from './home-folder.ts';
import type { HomeFolder } from './home-folder.ts';
import { isKafkaReady } from './kafka-health.ts';
import { ensureKafkaJars, findJava } from './kafka-jars.ts';
import { runTool } from './run-tool.ts';
import type { ServerLaunch } from './server-process.ts';

const LOG_SETTINGS = new URL('kafka/log4j2.properties', import.meta.url).href;

export type LaunchRequest = {
  readonly home: HomeFolder;
  readonly ports: StackPorts;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
};

/** `settings` come behind the usual ones of the broker. */
type KafkaLaunchRequest = LaunchRequest & { readonly settings: Readonly<Record<string, string>> };

/** Everything needed to start the broker; fetches the jars and formats the storage the first time. Throws StackError. */
export async function kafkaLaunch(request: KafkaLaunchRequest): Promise<ServerLaunch> {
  const { home, ports, report, signal } = request;
  const java = findJava();
  const jars = await ensureKafkaJars(report, signal);
  const folder = dataFolder(home, 'kafka');
  mkdirSync(folder, { recursive: true });
  const settings = join(folder, 'server.properties');
  const further = Object.entries(request.settings).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(settings, brokerSettings(folder, ports) + further.join(''));
  const classPath = ['-cp', join(jars, '*'), `-Dlog4j2.configurationFile=${LOG_SETTINGS}`];
  if (!existsSync(join(folder, 'data', 'meta.properties'))) {
    report('Kafka: formatting its storage');
    await runTool({
      what: 'Kafka formats its storage',
      command: java,
      args: [
        ...classPath,
        'kafka.tools.StorageTool',
        'format',
        '-t',
        clusterId(),
        '-c',
        settings,
        '--ignore-formatted',
      ],
      folder,
      logFile: logFile(home, 'kafka-format'),
      report,
      signal,
    });
  }
  return {
    name: 'kafka',
    command: java,
    // A heap of 512 MB carries one developer's topics; Kafka's own default of 1 GB would be taken from PostgreSQL.
    args: [
      '-Xms256m',
      '-Xmx512m',
      '-XX:+UseG1GC',
      '-XX:+ExitOnOutOfMemoryError',
      '-Djava.awt.headless=true',
      ...classPath,
      'kafka.Kafka',
      settings,
    ],
    folder,
    stopSignal: 'SIGTERM',
    stopGraceMs: 30_000,
    // Long, because after a crash the broker reads its last segments again before it answers.
    startDeadlineMs: 120_000,
    // By its id: on a port that was lost to another broker, that one would answer while ours is about to end.
    isHealthy: () => isKafkaReady([`127.0.0.1:${ports.kafka}`], formattedClusterId(folder)),
  };
}

/** Written at every start, because the ports may have changed. */
function brokerSettings(folder: string, ports: StackPorts): string {
  return `# Written by weir at every start: changes made here are lost.
process.roles=broker,controller
node.id=1
# A fixed list of one, not a dynamic quorum: the latter keeps the controller's port in its own log and could not move to another.
controller.quorum.voters=1@127.0.0.1:${ports.kafkaController}
listeners=PLAINTEXT://127.0.0.1:${ports.kafka},CONTROLLER://127.0.0.1:${ports.kafkaController}
advertised.listeners=PLAINTEXT://127.0.0.1:${ports.kafka}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=${join(folder, 'data').replaceAll('\\', '\\\\')}
# One broker: what Kafka keeps for itself can have one copy only.
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# 50 partitions for the offsets of a handful of groups would only make the first start and every restart slower.
offsets.topic.num.partitions=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.num.partitions=1
# Nobody joins a moment later here: a group must not wait 3 s for company.
group.initial.rebalance.delay.ms=0
# A misspelt topic is an error, not a new topic.
auto.create.topics.enable=false
# Retention goes by the messages' own times: a history sent today would be old enough to vanish within minutes.
log.retention.ms=-1
`;
}

function formattedClusterId(folder: string): string | undefined {
  return /^cluster\.id=(.+)$/m.exec(readFileSync(join(folder, 'data', 'meta.properties'), 'utf8'))?.[1]?.trim();
}

/** 16 random bytes as Kafka writes them; a leading "-" would read as an option. */
function clusterId(): string {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? clusterId() : id;
}
