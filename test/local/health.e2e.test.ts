import { createServer } from 'node:http';

import { expect, inject, test } from 'vitest';

import { checkMachine } from '../../local/check-machine.ts';
import { checkKafka } from '../../local/kafka-health.ts';
import { checkPostgres } from '../../local/postgres-health.ts';
import { withoutPassword } from '../../pipeline/url-password.ts';
import { checkTemporal } from '../../local/temporal-health.ts';
import { startStack } from '../../local/stack.ts';
import { temporaryHome } from './temporary-home.ts';

const { kafkaBrokers, postgresUrl, temporalAddress } = inject('servers');
const home = temporaryHome();

test('servers that answer are found with their versions', async () => {
  expect((await checkKafka(kafkaBrokers)).brokers).toBeGreaterThan(0);
  expect((await checkPostgres(postgresUrl)).version).toMatch(/^\d+/);
  expect((await checkTemporal(temporalAddress, 'default')).version).toMatch(/^1\.\d+/);
});

test('a wrong password is said as such, and not shown', async () => {
  const wrong = new URL(postgresUrl);
  wrong.password = 'not-the-password';
  const check = checkPostgres(wrong.href);
  await expect(check).rejects.toThrow(/WEIR_POSTGRES_URL\) refuses the password/);
  await expect(check).rejects.not.toThrow(/not-the-password/);
});

test('a database that does not exist is said as such', async () => {
  const wrong = new URL(postgresUrl);
  wrong.pathname = '/nowhere';
  await expect(checkPostgres(wrong.href)).rejects.toThrow(/has no such database/);
});

test('an address where nobody listens is one sentence with the variable in it', async () => {
  const nobody = '127.0.0.1:1';
  await expect(checkKafka([nobody])).rejects.toThrow(/WEIR_KAFKA_BROKERS\) does not answer/);
  await expect(checkTemporal(nobody, 'default')).rejects.toThrow(/WEIR_TEMPORAL_ADDRESS\) does not answer/);
  await expect(checkPostgres(`postgres://weir@${nobody}/weir`)).rejects.toThrow(/WEIR_POSTGRES_URL\) does not answer/);
});

test('a Temporal without the namespace is told apart from none', async () => {
  await expect(checkTemporal(temporalAddress, 'nobodys-namespace')).rejects.toThrow(
    /has no namespace "nobodys-namespace"/,
  );
});

test('something else on the address of Temporal is not taken for it', async () => {
  const web = createServer((_, response) => response.end('hello'));
  await new Promise<void>((resolve) => {
    web.listen(0, '127.0.0.1', resolve);
  });
  const address = web.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  await expect(checkTemporal(`127.0.0.1:${port}`, 'default')).rejects.toThrow(/does not answer/);
  web.close();
});

test('a stack whose servers are all replaced starts none and hands their addresses on', async () => {
  const addresses = await startStack({ home: home.path, kafkaBrokers, postgresUrl, temporalAddress });
  expect(addresses).toEqual({
    kafka: { brokers: kafkaBrokers },
    postgres: { url: postgresUrl },
    temporal: { address: temporalAddress, ui: null },
  });
});

test('the machine check names an unreachable address as failed and leaves the rest alone', async () => {
  const checks = await checkMachine({ home: home.path, kafkaBrokers: ['127.0.0.1:1'], postgresUrl, temporalAddress });
  expect(checks.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name)).toEqual(['Kafka']);
});

test('a password is never part of what is shown', () => {
  expect(withoutPassword('postgres://me:se:cr/et@host:1/db')).toBe('postgres://me:***@host:1/db');
  expect(withoutPassword('postgres://host/db')).toBe('postgres://host/db');
});
