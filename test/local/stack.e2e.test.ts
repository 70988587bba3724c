import { createServer } from 'node:net';

import { Client } from 'pg';
import { expect, test } from 'vitest';

import { SERVER_NAMES } from '../../local/home-folder.ts';
import { checkKafka } from '../../local/kafka-health.ts';
import { stackAddresses, stackStatus, startStack, stopStack } from '../../local/stack.ts';
import { runningServer } from '../../local/server-process.ts';
import { must } from '../../pipeline/ensure.ts';
import { ensureTopic, describeTopic } from '../../kafka/topics.ts';
import { temporaryHome } from './temporary-home.ts';

const home = temporaryHome();
const request = { home: home.path, ports: 'any' } as const;

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

// One life of a stack, told in order: each test goes on from where the one before left it.
test('three servers start, answer, and are written down', async () => {
  const addresses = await startStack(request);
  expect(stackAddresses(home.path)).toEqual(addresses);
  const states = must(await stackStatus(request), 'a started stack').servers;
  expect(SERVER_NAMES.map((name) => states[name].state)).toEqual(['running', 'running', 'running']);
  expect(addresses.kafka.brokers).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
  const ui = await fetch(must(addresses.temporal.ui, 'the Web UI of our own Temporal'));
  expect(ui.status).toBe(200);
}, 180_000);

test('a second start of a running stack starts nothing', async () => {
  const before = SERVER_NAMES.map((name) => runningServer(home, name));
  await startStack(request);
  expect(SERVER_NAMES.map((name) => runningServer(home, name))).toEqual(before);
});

test('PostgreSQL runs with the settings written for it and refuses a wrong password', async () => {
  const { url } = must(stackAddresses(home.path), 'a started stack').postgres;
  expect(await query(url, 'show max_connections')).toEqual([{ max_connections: '200' }]);
  const wrong = new URL(url);
  wrong.password = 'guess';
  await expect(query(wrong.href, 'select 1')).rejects.toThrow(/password authentication failed/);
});

test('stopped and started again, it has the same data on the same ports', async () => {
  const before = must(stackAddresses(home.path), 'a started stack');
  await query(before.postgres.url, 'create table kept as select 42 as answer');
  const topic = { brokers: before.kafka.brokers, topic: 'kept' };
  await ensureTopic({ ...topic, partitions: 3 });

  expect(await stopStack(request)).toEqual([...SERVER_NAMES]);
  const stopped = must(await stackStatus(request), 'a stack that was started once').servers;
  expect(SERVER_NAMES.map((name) => stopped[name].state)).toEqual(['stopped', 'stopped', 'stopped']);

  expect(await startStack(request)).toEqual(before);
  expect(await query(before.postgres.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
  expect((await describeTopic(topic)).partitions).toHaveLength(3);
}, 180_000);

test('killed without warning, all three come back with their data', async () => {
  const before = must(stackAddresses(home.path), 'a started stack');
  for (const name of SERVER_NAMES) process.kill(must(runningServer(home, name), name).pid, 'SIGKILL');
  expect(await startStack(request)).toEqual(before);
  expect(await query(before.postgres.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
  await checkKafka(before.kafka.brokers);
}, 180_000);

test('a port taken while the stack was stopped leads to another, and the data comes along', async () => {
  const before = must(stackAddresses(home.path), 'a started stack');
  await stopStack(request);
  const stranger = createServer();
  const [host, port] = must(before.kafka.brokers[0], 'a broker').split(':');
  await new Promise<void>((resolve) => {
    stranger.listen(Number(port), host, resolve);
  });
  try {
    const after = await startStack(request);
    expect(after.kafka.brokers).not.toEqual(before.kafka.brokers);
    expect(after.postgres).toEqual(before.postgres);
    expect((await describeTopic({ brokers: after.kafka.brokers, topic: 'kept' })).partitions).toHaveLength(3);
  } finally {
    stranger.close();
  }
}, 180_000);
