// Flink SQL: the SQL files of flink/ as one statement set in one JVM, from Kafka to PostgreSQL by the JDBC connector.
import { join } from 'node:path';

import { findJava } from '../../local/kafka-jars.ts';
import { withPostgres } from './postgres.ts';
import { compileJava, copyJars, fileHere, installOnce, installedFolder } from './install.ts';
import { PeerProcess } from './peer-process.ts';
import { APPLICATION_NAME, jdbcOf, makeTables, rawRows } from './sink.ts';
import type { JobName, JobOrder, StartedJob, System } from './system.ts';
import { deleteGroup } from './topics.ts';

const VERSION = '2.2.0';
const RECIPE = { name: `flink-${VERSION}`, from: ['flink/pom.xml', 'flink/SqlJob.java'] };
const HEAP_MIB = 4096;
/** Reflection into these is what Flink's own start script permits on Java 17. */
const OPENS = [
  'java.lang',
  'java.net',
  'java.io',
  'java.nio',
  'sun.nio.ch',
  'java.lang.reflect',
  'java.text',
  'java.time',
]
  .concat(['java.util', 'java.util.concurrent', 'java.util.concurrent.atomic', 'java.util.concurrent.locks'])
  .map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`);

const SQL: Readonly<Record<JobName, readonly string[]>> = {
  raw: ['source', 'each-once', 'raw'],
  results: ['source', 'every-message', 'raw', 'results'],
  'results-once': ['source', 'each-once', 'raw', 'results'],
  live: ['source', 'every-message', 'raw'],
};

export const flink: System = {
  name: 'flink',
  version: VERSION,
  rows: rawRows,
  cannot: () => null,
  install: async (install) => {
    await installOnce(RECIPE, install, async (kitchen) => {
      await copyJars(kitchen, { pom: 'flink/pom.xml', into: 'lib' });
      await compileJava(kitchen, { sources: ['flink/SqlJob.java'], jars: 'lib', into: 'classes' });
    });
  },
  start: async (order) => {
    const keyed = order.job === 'raw' || order.job === 'results-once';
    await withPostgres(order, async (db) => await makeTables(db, order.schema, { arrays: 'text', keyed }));
    const heapMiB = order.heapMiB ?? HEAP_MIB;
    const flushMs = order.job === 'live' ? 100 : 1000;
    const group = `${order.topic}-flink-${order.job}`;
    const process = launch(order, { heapMiB, variables: variablesOf(order, { keyed, flushMs, group }) });
    try {
      await process.heard('ready', order.signal);
    } catch (thrown) {
      await process.stop();
      throw thrown;
    }
    return started(order, process, { settings: { parallelism: order.cores, heapMiB, flushMs }, group });
  },
};

function started(
  order: JobOrder,
  process: PeerProcess,
  { settings, group }: { settings: StartedJob['settings']; group: string },
): StartedJob {
  return {
    pid: process.pid,
    beside: {},
    applicationName: APPLICATION_NAME,
    settings,
    begin: () => Promise.resolve(process.begin()),
    finished: async (signal) => await process.heard('done', signal),
    deadLetters: () => Promise.resolve(null),
    stop: async () => {
      await process.stop();
      await deleteGroup(order.addresses.kafka.brokers, group);
    },
  };
}

function launch(
  order: JobOrder,
  { heapMiB, variables }: { heapMiB: number; variables: NodeJS.ProcessEnv },
): PeerProcess {
  const folder = installedFolder(RECIPE);
  const jvm = [
    `-Xmx${heapMiB}m`,
    '-Duser.timezone=UTC',
    `-Dlog4j.configurationFile=${fileHere('flink/log4j2.properties')}`,
  ];
  const classpath = [join(folder, 'classes'), join(folder, 'lib', '*')].join(':');
  const files = SQL[order.job].map((name) => fileHere(`flink/sql/${name}.sql`));
  return new PeerProcess({
    title: 'Flink',
    command: findJava(),
    args: [...jvm, ...OPENS, '-cp', classpath, 'SqlJob', fileHere('flink/flink.conf'), ...files],
    folder: order.scratch,
    environment: variables,
    logFile: order.logFile,
  });
}

/** What the ${NAMES} in flink.conf and the SQL files stand for. */
function variablesOf(
  { addresses, topic, schema, scratch, cores, job }: JobOrder,
  { keyed, flushMs, group }: { keyed: boolean; flushMs: number; group: string },
): NodeJS.ProcessEnv {
  const jdbc = jdbcOf(addresses.postgres.url, schema);
  const options = {
    connector: 'jdbc',
    url: jdbc.url,
    username: jdbc.user,
    password: jdbc.password,
    'sink.buffer-flush.max-rows': '5000',
    'sink.buffer-flush.interval': `${flushMs} ms`,
  };
  const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;
  return {
    CORES: String(cores),
    SCRATCH: scratch,
    TOPIC: topic,
    BROKERS: addresses.kafka.brokers.join(','),
    GROUP: group,
    BOUNDED: job === 'live' ? '' : `'scan.bounded.mode' = 'latest-offset',`,
    RAW_KEY: keyed ? ', PRIMARY KEY (event_id) NOT ENFORCED' : '',
    SINK: Object.entries(options)
      .map(([name, value]) => `${text(name)} = ${text(value)}`)
      .join(', '),
  };
}
