// Kafka Connect: a standalone worker with Debezium's JDBC sink. Rows only: Connect has no windows.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import getPort from 'get-port';

import { findJava } from '../../local/kafka-jars.ts';
import { partitionOffsets } from '../../kafka/topics.ts';
import { compileJava, copyInto, copyJars, fileHere, installOnce, installedFolder, packJar } from './install.ts';
import { connectorSettings } from './connector-settings.ts';
import { ConnectRest } from './connect-rest.ts';
import { PeerProcess } from './peer-process.ts';
import { withPostgres } from './postgres.ts';
import { RowsArrived } from './rows-arrived.ts';
import { APPLICATION_NAME, makeTables, rawRows } from './sink.ts';
import type { JobOrder, StartedJob, System } from './system.ts';
import { deleteGroup, deleteTopic } from './topics.ts';

const VERSION = '4.3.1';
const STUB = 'connect/stub/org/hibernate/agroal/internal/AgroalConnectionProvider.java';
const RECIPE = {
  name: `connect-${VERSION}`,
  from: ['connect/pom.xml', 'connect/Worker.java', 'connect/smt/ArraysToJson.java', STUB],
};
const HEAP_MIB = 2048;
/** Kafka's service files by which a worker finds a transformation without scanning every class. */
const SERVICE = 'connect/smt/org.apache.kafka.connect.transforms.Transformation';

export const connect: System = {
  name: 'connect',
  version: `${VERSION} + Debezium 3.6.0`,
  rows: rawRows,
  cannot: (job) => (job.startsWith('results') ? 'Kafka Connect moves rows; it has no windows.' : null),
  install: async (install) => {
    await installOnce(RECIPE, install, async (kitchen) => {
      await copyJars(kitchen, { pom: 'connect/pom.xml', into: 'lib', args: ['-Pworker'] });
      // The worker's own jars must not be in the plugin's folder: two Jacksons do not know each other's classes.
      const theirs = '-DexcludeGroupIds=org.apache.kafka,com.fasterxml.jackson.core,org.slf4j';
      await copyJars(kitchen, { pom: 'connect/pom.xml', into: 'plugins/debezium-jdbc', args: ['-Psink', theirs] });
      await compileJava(kitchen, { sources: [STUB], jars: 'plugins/debezium-jdbc', into: 'stub' });
      await packJar(kitchen, 'stub', 'plugins/debezium-jdbc/agroal-stub.jar');
      await compileJava(kitchen, { sources: ['connect/smt/ArraysToJson.java'], jars: 'lib', into: 'smt' });
      copyInto(kitchen, SERVICE, 'smt/META-INF/services/org.apache.kafka.connect.transforms.Transformation');
      await packJar(kitchen, 'smt', 'plugins/smt/arrays-to-json.jar');
      await compileJava(kitchen, { sources: ['connect/Worker.java'], jars: 'lib', into: 'classes' });
    });
  },
  start: async (order) => {
    const keyed = order.job === 'raw';
    await withPostgres(order, async (db) => await makeTables(db, order.schema, { arrays: 'text', keyed }));
    const heapMiB = order.heapMiB ?? HEAP_MIB;
    const port = await getPort();
    const process = launch(order, { heapMiB, port });
    const rest = new ConnectRest(`http://127.0.0.1:${port}`);
    try {
      await process.until(async () => await rest.answers(), order.signal);
    } catch (thrown) {
      await process.stop();
      throw thrown;
    }
    return started(order, { process, rest, heapMiB });
  },
};

type Worker = { readonly process: PeerProcess; readonly rest: ConnectRest; readonly heapMiB: number };

function started(order: JobOrder, { process, rest, heapMiB }: Worker): StartedJob {
  const { brokers } = order.addresses.kafka;
  const name = `${order.topic}-connect-${order.job}`;
  const letters = `${name}.dead-letters`;
  const settings = connectorSettings(order, letters);
  return {
    pid: process.pid,
    beside: {},
    applicationName: APPLICATION_NAME,
    settings: { tasks: Number(settings['tasks.max']), batch: Number(settings['batch.size']), heapMiB },
    begin: async () => await rest.create(name, settings),
    // A sink never ends: it is done when every row is there, or when no more come.
    finished: async (signal) => {
      const rows = new RowsArrived(order);
      const look = async (): Promise<boolean> => (await rest.refuseFailure(name, order.logFile), await rows.all());
      try {
        await process.until(look, signal);
      } finally {
        await rows.close();
      }
    },
    deadLetters: async () => {
      const offsets = await partitionOffsets({ brokers, topic: letters });
      return offsets.reduce((sum, { logStartOffset, endOffset }) => sum + endOffset - logStartOffset, 0);
    },
    stop: async () => {
      await process.stop();
      await deleteGroup(brokers, `connect-${name}`);
      await deleteTopic(brokers, letters);
    },
  };
}

function launch(order: JobOrder, { heapMiB, port }: { heapMiB: number; port: number }): PeerProcess {
  const folder = installedFolder(RECIPE);
  const properties = join(order.scratch, 'worker.properties');
  const added = {
    'bootstrap.servers': order.addresses.kafka.brokers.join(','),
    listeners: `http://127.0.0.1:${port}`,
    'plugin.path': join(folder, 'plugins'),
    'offset.storage.file.filename': join(order.scratch, 'offsets'),
  };
  const lines = Object.entries(added).map(([key, value]) => `${key}=${value}`);
  writeFileSync(properties, `${readFileSync(fileHere('connect/worker.properties'), 'utf8')}${lines.join('\n')}\n`);
  const jvm = [
    `-Xmx${heapMiB}m`,
    '-Duser.timezone=UTC',
    `-Dlog4j.configurationFile=${fileHere('connect/log4j2.properties')}`,
  ];
  const classpath = [join(folder, 'classes'), join(folder, 'lib', '*')].join(':');
  return new PeerProcess({
    title: 'Kafka Connect',
    command: findJava(),
    args: [...jvm, '-cp', classpath, 'Worker', properties],
    folder: order.scratch,
    logFile: order.logFile,
  });
}
