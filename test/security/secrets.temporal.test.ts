// Secrets planted in every setting that can hold one, then searched for in everything that commands and a worker write: to
// success and to failure, log, doctor, JSON, errors with their stacks, metrics page, workflow histories and the files of a home.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { afterAll, describe, expect, inject, it } from 'vitest';

import { ensureTopic } from '../../kafka/topics.ts';
import { pipelineId, windowsId } from '../../pipeline/ids.ts';
import { SETTINGS } from '../../pipeline/setting-table.ts';
import { SETTING_NAMES } from '../../pipeline/settings.ts';
import { openPool } from '../../postgres/pool.ts';
import { runWeir } from '../cli/run-weir.ts';
import { eventually } from '../support/eventually.ts';
import { loginOf } from '../support/logins.ts';

const servers = inject('servers');
const WEIR = fileURLToPath(new URL('../../cli/weir.js', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'weir-secrets-'));
const suffix = randomBytes(5).toString('hex');
const spec = { WEIR_HOME: home, WEIR_TOPIC: `secrets-${suffix}`, WEIR_SCHEMA: `t_${suffix}`, WEIR_LOG_LEVEL: 'debug' };

/** Every text is its own, so that what leaks can be told from the rest. */
const secret = (of: string): string => `planted-${of}-${suffix}`;
const SECRETS = ['postgres', 'kafka', 'kafka-file', 'temporal', 'temporal-file', 'private-key', 'parameter'].map(
  secret,
);

const secretFile = (of: string): string => {
  const path = join(home, `${of}.txt`);
  writeFileSync(path, `${secret(of)}\n`);
  return path;
};

const leaksIn = (text: string): string[] => SECRETS.filter((each) => text.includes(each));

afterAll(() => rmSync(home, { recursive: true, force: true }));

const COMMANDS = [
  ['doctor'],
  ['doctor', '--json'],
  ['status', '--json'],
  ['migrate'],
  ['pipeline', 'start'],
  ['health', '--json'],
];

const NOWHERE = '127.0.0.1:1';
const variables = (of: Record<string, string>): Record<string, string> => ({ ...spec, ...of });

/** Each fails in its own way: nobody there, somebody who does not speak TLS, settings that do not go together. */
const FAILING: readonly [string, () => Record<string, string>][] = [
  [
    'servers that are not there',
    () => ({
      WEIR_POSTGRES_URL: `postgres://weir:${secret('postgres')}@${NOWHERE}/weir?password=${secret('parameter')}`,
      WEIR_KAFKA_BROKERS: NOWHERE,
      WEIR_KAFKA_SASL: 'plain',
      WEIR_KAFKA_USERNAME: 'weir',
      WEIR_KAFKA_PASSWORD: secret('kafka'),
      WEIR_TEMPORAL_ADDRESS: NOWHERE,
      WEIR_TEMPORAL_TLS: 'on',
      WEIR_TEMPORAL_API_KEY: secret('temporal'),
    }),
  ],
  [
    'servers that want none of this, and secrets in files',
    () => {
      const url = new URL(servers.postgresUrl);
      url.password = secret('postgres');
      return {
        WEIR_POSTGRES_URL: url.href,
        WEIR_KAFKA_BROKERS: servers.kafkaBrokers.join(','),
        WEIR_KAFKA_TLS: 'on',
        WEIR_KAFKA_SASL: 'scram-sha-512',
        WEIR_KAFKA_USERNAME: 'weir',
        WEIR_KAFKA_PASSWORD_FILE: secretFile('kafka-file'),
        WEIR_TEMPORAL_ADDRESS: servers.temporalAddress,
        WEIR_TEMPORAL_TLS: 'on',
        WEIR_TEMPORAL_CERT_FILE: secretFile('private-key'),
        WEIR_TEMPORAL_KEY_FILE: secretFile('private-key'),
        WEIR_TEMPORAL_API_KEY_FILE: secretFile('temporal-file'),
      };
    },
  ],
  [
    'settings that do not go together',
    () => ({
      WEIR_POSTGRES_URL: `postgres://weir:${secret('postgres')}@db/weir?sslmode=prefer`,
      WEIR_KAFKA_PASSWORD: secret('kafka'),
      WEIR_KAFKA_PASSWORD_FILE: secretFile('kafka-file'),
      WEIR_TEMPORAL_API_KEY: secret('temporal'),
    }),
  ],
];

describe('planted secrets', { timeout: 600_000 }, () => {
  it('are in every setting that can hold one', () => {
    const planted = new Set(FAILING.flatMap(([, env]) => Object.keys(env())));
    const secrets = SETTING_NAMES.map((name) => SETTINGS[name]).filter(
      (row) => row.secret || /PASSWORD|KEY|URL/.test(row.env),
    );
    expect(secrets.map(({ env }) => env).filter((env) => !planted.has(env))).toEqual([]);
  });

  it.each(FAILING)('stay with the commands that fail for %s', async (_why, env) => {
    for (const command of COMMANDS) {
      const { code, stdout, stderr } = await runWeir(command, variables(env()));
      expect({ command, leaks: leaksIn(stdout + stderr) }).toEqual({ command, leaks: [] });
      // Else nothing has failed, and nothing was tried.
      expect({ command, code }).not.toEqual({ command, code: 0 });
    }
  });

  it.each(FAILING.slice(0, 2))('stay with a worker that waits for %s', async (_why, env) => {
    const worker = startWorker(variables(env()));
    let pages = '';
    try {
      const isToldOf = async (): Promise<boolean> => {
        pages = worker.said().includes('"address"') ? await pagesOf(worker.said()) : '';
        return /"status":"not ready"/.test(pages);
      };
      await eventually(isToldOf, { deadlineMs: 240_000, what: 'the worker says what it waits for' });
    } finally {
      await worker.end();
    }
    expect(leaksIn(worker.said() + pages)).toEqual([]);
  });

  it('stay with commands and worker that work: in no log, page, history or file', async () => {
    const login = await loginOf(null, { may: 'superuser' });
    const pool = openPool({ url: servers.postgresUrl, max: 1 });
    await pool.query(`alter role ${login.name} password '${secret('postgres')}'`);
    const url = new URL(login.url);
    url.password = secret('postgres');
    const env = variables({
      WEIR_POSTGRES_URL: url.href,
      WEIR_KAFKA_BROKERS: servers.kafkaBrokers.join(','),
      WEIR_TEMPORAL_ADDRESS: servers.temporalAddress,
    });
    await ensureTopic({ brokers: servers.kafkaBrokers, topic: spec.WEIR_TOPIC, partitions: 1 });
    let said = '';
    for (const command of [['doctor', '--json'], ['doctor'], ['migrate'], ['pipeline', 'start']]) {
      const { code, stdout, stderr } = await runWeir(command, env);
      expect({ command, code }).toEqual({ command, code: 0 });
      said += stdout + stderr;
    }
    const worker = startWorker(env);
    try {
      await eventually(
        async () => (await pool.query(`select from ${spec.WEIR_SCHEMA}.checkpoints where epoch > 0`)).rowCount === 1,
        { deadlineMs: 240_000, what: 'a lease is taken' },
      );
      said += await pagesOf(worker.said());
      said += (await runWeir(['status', '--json'], env)).stdout;
      said += await historiesOf([pipelineId(spec.WEIR_TOPIC), windowsId(spec.WEIR_TOPIC)]);
      said += (await runWeir(['pipeline', 'stop'], env)).stdout;
    } finally {
      await worker.end();
    }
    await pool.query(`drop schema ${spec.WEIR_SCHEMA} cascade`);
    await pool.end();
    expect(said).toContain('***');
    expect(leaksIn(said + worker.said() + filesIn(home))).toEqual([]);
  });
});

/** `weir worker` as a process; what it has said so far, and its end. */
function startWorker(env: Record<string, string>): { said(): string; end(): Promise<void> } {
  const inherited = Object.entries(process.env).filter(([key]) => !key.startsWith('WEIR_'));
  const child = spawn(process.execPath, [WEIR, 'worker'], {
    env: { ...Object.fromEntries(inherited), ...env, WEIR_METRICS_ADDRESS: '127.0.0.1:0' },
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<void>((resolve) => void child.on('close', () => resolve()));
  return {
    said: () => said,
    end: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function pagesOf(said: string): Promise<string> {
  const address = /"address":"([^"]+)"/.exec(said)?.[1];
  const pages = ['metrics', 'readyz', 'healthz'].map(
    async (page) => await (await fetch(`http://${address}/${page}`)).text(),
  );
  return (await Promise.all(pages)).join('\n');
}

async function historiesOf(ids: readonly string[]): Promise<string> {
  const connection = await Connection.connect({ address: servers.temporalAddress });
  const client = new Client({ connection });
  const histories = ids.map(async (id) => historyToJSON(await client.workflow.getHandle(id).fetchHistory()));
  const all = JSON.stringify(await Promise.all(histories));
  await connection.close();
  return all;
}

/** What a run left in its home, but the files with the secrets themselves. */
function filesIn(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile() && !path.endsWith('.txt'))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
}
