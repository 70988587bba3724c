// `weir health` beside a stack of its own: each server and the worker goes away and comes back.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Client } from 'pg';

import { KEEPER_NAME, UP_NAME, liveProcess, workerName } from '../../cli/process-record.ts';
import { SERVER_NAMES } from '../../local/home-folder.ts';
import type { ServerName } from '../../local/home-folder.ts';
import { stackAddresses, startStack, stopStack } from '../../local/stack.ts';
import { must } from '../../pipeline/ensure.ts';
import { temporaryHome } from '../local/temporary-home.ts';
import { runWeir } from './run-weir.ts';
import type { Ended } from './run-weir.ts';

const home = temporaryHome();
const env = {
  WEIR_HOME: home.path,
  WEIR_TOPIC: 'health',
  WEIR_PARTITIONS: '2',
  WEIR_METRICS_ADDRESS: '127.0.0.1:0',
};

const weir = async (...words: string[]): Promise<Ended> => await runWeir(words, env);

async function stageLine(stage: string, ...flags: string[]): Promise<{ code: number; line: string }> {
  const { code, stdout, stderr } = await weir('health', ...flags);
  expect(stderr).toBe('');
  const line = stdout.split('\n').find((each) => each.split(/\s+/)[1] === stage);
  return { code, line: must(line, `the stage ${stage} in ${stdout}`) };
}

/** The lines of what is not healthy, and the exit code when it isn't that of health. */
async function faults(): Promise<string[]> {
  const { code, stdout, stderr } = await weir('health', '--patience', '60s');
  const lines = `${stdout}${stderr}`.split('\n').filter((line) => /^(unhealthy|unknown|suspect|weir:) /.test(line));
  return code === 0 ? lines : [...lines, `exit code ${code}`];
}

const stopOnly = async (server: ServerName): Promise<unknown> =>
  await stopStack({ home: home.path, keep: SERVER_NAMES.filter((name) => name !== server) });
const startAgain = async (): Promise<unknown> => await startStack({ home: home.path, ports: 'any' });

beforeAll(async () => {
  await startStack({ home: home.path, ports: 'any' });
  const up = await weir('up', '--detach', '--no-generator', '--create-topic');
  if (up.code !== 0) throw new Error(up.stderr);
}, 240_000);

afterAll(async () => {
  await weir('down');
}, 120_000);

describe('weir health', { timeout: 240_000 }, () => {
  test('is healthy right after the start, although nothing has ever come', async () => {
    expect(await faults()).toEqual([]);
  });

  test('names a stopped Kafka, and cannot tell what needs it', async () => {
    await stopOnly('kafka');
    const { code, line } = await stageLine('kafka', '--patience', '1s');
    expect(line).toMatch(/^unhealthy +kafka +No Kafka broker answers at 127\.0\.0\.1:\d+/);
    expect((await stageLine('ingestion', '--patience', '1s')).line).toMatch(/^unknown .*without Kafka\./);
    expect(code).toBe(1);
    await startAgain();
    expect(await faults()).toEqual([]);
  });

  test('names a stopped PostgreSQL, without its password', async () => {
    await stopOnly('postgres');
    const { code, line } = await stageLine('postgres', '--patience', '1s');
    expect(line).toMatch(/^unhealthy +postgres +PostgreSQL does not answer .*`weir stack start`/);
    const { password } = new URL(must(stackAddresses(home.path), 'addresses').postgres.url);
    expect(line).not.toContain(password);
    expect(code).toBe(1);
    await startAgain();
    expect(await faults()).toEqual([]);
  });

  test('names a PostgreSQL that takes no writes', async () => {
    const client = new Client({ connectionString: must(stackAddresses(home.path), 'addresses').postgres.url });
    await client.connect();
    const setReadOnly = async (value: 'on' | 'off'): Promise<void> => {
      await client.query('set default_transaction_read_only = off');
      await client.query(`alter system set default_transaction_read_only = ${value}`);
      await client.query('select pg_reload_conf()');
    };
    await setReadOnly('on');
    const { code, line } = await stageLine('postgres', '--patience', '1s');
    await setReadOnly('off');
    await client.end();
    expect(line).toMatch(/^unhealthy +postgres +PostgreSQL is read-only/);
    expect(code).toBe(1);
    expect(await faults()).toEqual([]);
  });

  test('names a stopped Temporal', async () => {
    await stopOnly('temporal');
    const { code, line } = await stageLine('temporal', '--patience', '1s');
    expect(line).toMatch(/^unhealthy +temporal +Temporal at 127\.0\.0\.1:\d+ does not answer/);
    expect(code).toBe(1);
    await startAgain();
    expect(await faults()).toEqual([]);
  });

  test('names a worker that was killed and that nobody starts again; `weir up --detach` brings it back', async () => {
    for (const name of [UP_NAME, KEEPER_NAME, workerName(1)]) {
      const live = liveProcess(home.path, name);
      if (live !== null) process.kill(live.pid, 'SIGKILL');
    }
    const { code, line } = await stageLine('workers', '--patience', '1s');
    expect(line).toMatch(
      /^unhealthy +workers +worker-1 is not ready: It has ended by itself, and nobody starts it again/,
    );
    expect(code).toBe(1);
    expect((await weir('up', '--detach', '--no-generator')).code).toBe(0);
    expect(await faults()).toEqual([]);
  });
});
