// Spark Structured Streaming: spark/job.py in one local process, from Kafka to PostgreSQL by foreachBatch and JDBC.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { findJava } from '../../local/kafka-jars.ts';
import { copyJars, fileHere, installOnce, installedFolder, javaHomeOf, needTool } from './install.ts';
import { PeerProcess } from './peer-process.ts';
import { withPostgres } from './postgres.ts';
import { APPLICATION_NAME, jdbcOf, makeTables, rawRows } from './sink.ts';
import type { JobOrder, System } from './system.ts';

const VERSION = '4.1.1';
const RECIPE = { name: `spark-${VERSION}`, from: ['spark/pom.xml', 'spark/requirements.txt'] };
const HEAP_MIB = 6144;
/** PySpark brings these itself, in newer versions. */
const BROUGHT = ['org.apache.hadoop', 'org.scala-lang', 'org.slf4j', 'org.lz4', 'org.xerial.snappy'].concat([
  'com.google.code.findbugs',
  'org.checkerframework',
]);

export const spark: System = {
  name: 'spark',
  version: VERSION,
  rows: rawRows,
  cannot: () => null,
  install: async (install) => {
    await installOnce(RECIPE, install, async (kitchen) => {
      const args = [`-DexcludeGroupIds=${BROUGHT.join(',')}`];
      await copyJars(kitchen, { pom: 'spark/pom.xml', into: 'jars', args });
      const requirements = fileHere('spark/requirements.txt');
      const target = join(kitchen.folder, 'python');
      const pip = ['-m', 'pip', 'install', '--quiet', '--no-input', '--target', target, '-r', requirements];
      await kitchen.run(needTool('python3', 'PySpark'), pip);
    });
  },
  start: async (order) => {
    await withPostgres(order, async (db) => {
      await makeTables(db, order.schema, { arrays: 'native', keyed: false });
    });
    const heapMiB = order.heapMiB ?? HEAP_MIB;
    const process = launch(order, heapMiB);
    try {
      await process.heard('ready', order.signal);
    } catch (thrown) {
      await process.stop();
      throw thrown;
    }
    return {
      pid: process.pid,
      beside: {},
      applicationName: APPLICATION_NAME,
      settings: { cores: order.cores, heapMiB },
      begin: () => Promise.resolve(process.begin()),
      finished: async (signal) => await process.heard('done', signal),
      deadLetters: () => Promise.resolve(null),
      stop: async () => await process.stop(),
    };
  },
};

function launch(order: JobOrder, heapMiB: number): PeerProcess {
  const folder = installedFolder(RECIPE);
  const jars = readdirSync(join(folder, 'jars')).map((jar) => join(folder, 'jars', jar));
  const { url, ...credentials } = jdbcOf(order.addresses.postgres.url, order.schema);
  const settings = {
    job: order.job,
    topic: order.topic,
    brokers: order.addresses.kafka.brokers.join(','),
    jdbc: url,
    ...credentials,
    scratch: order.scratch,
    jars: jars.join(','),
    cores: order.cores,
    heap: `${heapMiB}m`,
  };
  return new PeerProcess({
    title: 'Spark',
    command: needTool('python3', 'PySpark'),
    args: [fileHere('spark/job.py')],
    folder: order.scratch,
    environment: {
      WEIR_PEER_JOB: JSON.stringify(settings),
      PYTHONPATH: join(folder, 'python'),
      PYTHONUNBUFFERED: '1',
      // Else Python leaves its compiled files in the checkout.
      PYTHONDONTWRITEBYTECODE: '1',
      JAVA_HOME: javaHomeOf(findJava()),
      SPARK_HOME: undefined,
      SPARK_LOCAL_IP: '127.0.0.1',
      TZ: 'UTC',
    },
    logFile: order.logFile,
  });
}
