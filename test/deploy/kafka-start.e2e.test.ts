// deploy/kafka on a real broker: the settings are ones that this version takes, and a second start finds what the first one formatted.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import getPort from 'get-port';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { ensureTopic } from '../../kafka/topics.ts';
import { isKafkaReady } from '../../local/kafka-health.ts';
import { ensureKafkaJars, findJava } from '../../local/kafka-jars.ts';
import { toolEnvironment } from '../../local/machine.ts';
import { eventually } from '../support/eventually.ts';
import { ROOT } from './compose-file.ts';

const CLUSTER_ID = 'W0123456789abcdef0123A';
const folder = mkdtempSync(join(tmpdir(), 'weir-kafka-'));
let port = 0;
let broker: ChildProcess | null = null;
let said = '';

beforeAll(async () => {
  port = await getPort();
  const others = { controller: await getPort(), inside: await getPort() };
  const settings = readFileSync(join(ROOT, 'deploy', 'kafka', 'server.properties'), 'utf8')
    .replaceAll('//:', '//127.0.0.1:')
    .replaceAll(/\bkafka:/g, '127.0.0.1:')
    .replaceAll(':9092', `:${others.inside}`)
    .replaceAll(':9093', `:${others.controller}`)
    .replaceAll(':9094', `:${port}`)
    .replace('/var/lib/kafka/data', folder);
  writeFileSync(join(folder, 'server.properties'), settings);
  // What the image has in /opt/kafka/bin, with the jars of this machine.
  const jars = await ensureKafkaJars(() => {});
  for (const [script, program] of [
    ['kafka-storage.sh', 'kafka.tools.StorageTool'],
    ['kafka-server-start.sh', 'kafka.Kafka'],
  ] as const) {
    const text = `#!/bin/sh\nexec '${findJava()}' $KAFKA_HEAP_OPTS -cp '${jars}/*' ${program} "$@"\n`;
    writeFileSync(join(folder, script), text);
    chmodSync(join(folder, script), 0o755);
  }
}, 180_000);

afterAll(() => {
  broker?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  said = '';
  broker = spawn('bash', [join(ROOT, 'deploy', 'kafka', 'start.sh')], {
    env: toolEnvironment({
      KAFKA_CLUSTER_ID: CLUSTER_ID,
      KAFKA_SETTINGS: join(folder, 'server.properties'),
      KAFKA_BIN: folder,
      BROKER_HEAP_OPTS: '-Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC',
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const note = (chunk: Buffer): void => {
    said += chunk.toString();
  };
  broker.stdout?.on('data', note);
  broker.stderr?.on('data', note);
  await eventually(() => isKafkaReady([`127.0.0.1:${port}`], CLUSTER_ID), {
    deadlineMs: 150_000,
    what: 'the broker answers as the cluster it was formatted for',
  }).catch((cause: unknown) => {
    throw new Error(`The broker did not start: ${said}`, { cause });
  });
}

async function stop(): Promise<void> {
  if (broker === null) return;
  const ended = once(broker, 'exit');
  broker.kill('SIGTERM');
  await ended;
}

test('the first start formats the storage, the second one finds its topics, and SIGTERM reaches the broker itself', async () => {
  await start();
  const topic = { brokers: [`127.0.0.1:${port}`], topic: 'kept' };
  expect(await ensureTopic({ ...topic, partitions: 2 })).toMatchObject({ created: true });
  await stop();
  await start();
  expect(said).toMatch(/already formatted/i);
  expect(await ensureTopic({ ...topic, partitions: 2 })).toMatchObject({ created: false, partitions: 2 });
  await stop();
}, 400_000);
