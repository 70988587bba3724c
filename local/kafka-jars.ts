// The jars of the Kafka broker: fetched by Maven once per machine, as kafka/pom.xml names them.
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { buildOnce, fingerprint } from './build-once.ts';
import { cacheFolder, findTool, isAtLeast, toolVersion } from './machine.ts';
import { runTool } from './run-tool.ts';
import { StackError } from './stack-error.ts';

const POM = fileURLToPath(new URL('kafka/pom.xml', import.meta.url));
export const KAFKA_VERSION = '4.1.1';
const OLDEST_JAVA = [17, 0, 0] as const;

/** The path of a Java that can run Kafka. Throws StackError with what to install. */
export function findJava(): string {
  const java = findTool('java');
  if (java === null) {
    throw new StackError(
      'Kafka needs Java 17 or newer and there is no java on PATH: install a JDK 17, or set WEIR_KAFKA_BROKERS to a running Kafka.',
    );
  }
  const version = toolVersion(java, ['-version']);
  if (version === null || !isAtLeast(version, OLDEST_JAVA)) {
    throw new StackError(
      `Kafka needs Java 17 or newer and ${java} is ${version?.join('.') ?? 'of no known version'}: install a JDK 17 (or point JAVA_HOME at one), or set WEIR_KAFKA_BROKERS to a running Kafka.`,
    );
  }
  return java;
}

/** The path of Maven. Throws StackError with what to install. */
export function findMaven(): string {
  const maven = findTool('mvn');
  if (maven !== null) return maven;
  throw new StackError(
    'Kafka is fetched by Maven and there is no mvn on PATH: install Maven, or set WEIR_KAFKA_BROKERS to a running Kafka.',
  );
}

/** Where the jars of this checkout's pom.xml lie once they are there. */
export function kafkaJarsFolder(): string {
  return join(cacheFolder(), `kafka-${KAFKA_VERSION}-${fingerprint([POM])}`);
}

/** The folder that holds the jars; downloads them the first time (about 20 s). Throws StackError. */
export async function ensureKafkaJars(report: (line: string) => void, signal?: AbortSignal): Promise<string> {
  const what = `Maven downloads Kafka ${KAFKA_VERSION} (once)`;
  return buildOnce({ folder: kafkaJarsFolder(), what, report, signal }, async (unfinished) => {
    const maven = findMaven();
    report(what);
    // Maven writes beside the pom it reads: a copy keeps the checkout clean and lets another user own it.
    copyFileSync(POM, join(unfinished, 'pom.xml'));
    await runTool({
      what,
      command: maven,
      args: ['-B', '-ntp', 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${unfinished}`],
      folder: unfinished,
      logFile: join(cacheFolder(), 'logs', 'maven.log'),
      report,
      signal,
    });
  });
}
