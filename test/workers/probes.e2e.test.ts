// The two probes of a worker process, on real servers behind lines that break: they tell the truth, and nobody is killed for waiting.
import { randomBytes } from 'node:crypto';

import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';

import { must } from '../../pipeline/ensure.ts';
import { eventually } from '../support/eventually.ts';
import { ProbedWorker } from './probed-worker.ts';
import type { Answer, Line } from './probed-worker.ts';

/** A check every two seconds that waits two for an answer, and a second for a machine with other work. */
const SEEN_WITHIN_MS = 5_000;
const READY_WITHIN_MS = 60_000;
/** Two checks over the kept connection go before one over a new one. */
const SEEN_BY_NEW_CONNECTION_WITHIN_MS = 12_000;

const opened: ProbedWorker[] = [];
async function openWorker(postgresUrl = inject('servers').postgresUrl): Promise<ProbedWorker> {
  const worker = await ProbedWorker.open({ ...inject('servers'), postgresUrl });
  opened.push(worker);
  return worker;
}
afterAll(async () => {
  for (const worker of opened) await worker.close();
});

/** Waits until it is not ready, and returns the reasons. */
async function notReady(worker: ProbedWorker, deadlineMs = SEEN_WITHIN_MS): Promise<string> {
  const { said } = await eventually<Answer>(
    async () => {
      const answer = await worker.ask('readyz');
      return answer?.status === 503 ? answer : null;
    },
    { deadlineMs, what: 'the worker is not ready' },
  );
  expect(said.status).toBe('not ready');
  return must(said.reasons, 'reasons').join(' ');
}

const becomesReady = async (worker: ProbedWorker, deadlineMs = READY_WITHIN_MS): Promise<boolean> =>
  await eventually(() => worker.isReady(), { deadlineMs, what: 'the worker is ready' });

const NAMES: Readonly<Record<Line, string>> = {
  postgres: 'PostgreSQL at',
  kafka: 'Kafka broker',
  temporal: 'Temporal at',
};

describe('a worker whose', () => {
  let worker: ProbedWorker;
  beforeAll(async () => {
    worker = await openWorker();
    await worker.start();
    await becomesReady(worker);
  });
  afterEach(async () => {
    for (const line of Object.values(worker.lines)) await line.heal();
  });

  test.each(['postgres', 'kafka', 'temporal'] as const)(
    '%s refuses connections is not ready and says so, lives, and is ready once it is back',
    async (server) => {
      const line = worker.lines[server];
      await line.refuse();
      const reasons = await notReady(worker);
      expect(reasons).toContain(NAMES[server]);
      expect(reasons).toMatch(/ECONNREFUSED.*start it.*So it is since 20/);
      expect(await worker.page('/metrics')).toContain(`weir_dependency_up{dependency="${server}"} 0`);
      expect(await worker.ask('healthz')).toMatchObject({ status: 200, said: { status: 'ok' } });
      await line.heal();
      await becomesReady(worker, SEEN_WITHIN_MS);
      expect(await worker.page('/metrics')).toMatch(/^weir_worker_ready 1$/m);
    },
  );

  test.each(['postgres', 'kafka', 'temporal'] as const)(
    '%s falls silent is not ready and says so, lives, and is ready once it speaks',
    async (server) => {
      const line = worker.lines[server];
      line.blackhole();
      const reasons = await notReady(worker);
      expect(reasons).toContain(NAMES[server]);
      expect(reasons).toContain('no answer in 2 s');
      const askedMs = performance.now();
      expect(await worker.ask('healthz')).toMatchObject({ status: 200, said: { status: 'ok' } });
      expect((await worker.ask('readyz'))?.status).toBe(503);
      expect(performance.now() - askedMs, 'a probe does not wait for a server').toBeLessThan(1_000);
      await line.heal();
      await becomesReady(worker, SEEN_WITHIN_MS);
    },
  );

  test('event loop is blocked answers nobody, and is well afterwards', async () => {
    worker.block(4_000);
    await eventually(async () => (await worker.ask('healthz')) === null, {
      deadlineMs: 2_000,
      what: 'no answer within a second',
    });
    const after = await eventually(() => worker.ask('healthz'), {
      deadlineMs: 8_000,
      what: 'the worker answers again',
    });
    expect(after).toMatchObject({ status: 200, said: { status: 'ok' } });
    await becomesReady(worker, SEEN_WITHIN_MS);
  });

  test('process was stopped from outside is alive at once when it goes on', async () => {
    worker.signal('SIGSTOP');
    expect(await worker.ask('healthz')).toBeNull();
    worker.signal('SIGCONT');
    expect(await worker.ask('healthz')).toMatchObject({ status: 200 });
    await becomesReady(worker, SEEN_WITHIN_MS);
  });

  test('end was asked for is not ready while it drains', async () => {
    // Temporal does not let its pollers go, so that the drain takes a while.
    worker.lines.temporal.blackhole();
    worker.signal('SIGTERM');
    const reasons = await eventually(
      async () => {
        const answer = await worker.ask('readyz');
        const all = answer?.said.reasons?.join(' ') ?? '';
        return all.includes('drains') ? all : null;
      },
      { deadlineMs: SEEN_WITHIN_MS, what: 'the worker says that it drains' },
    );
    expect(reasons).toContain('The worker drains and takes no more work');
    expect(await worker.ask('healthz')).toMatchObject({ status: 200, said: { phase: 'draining' } });
    await worker.lines.temporal.heal();
    await eventually(() => !worker.isRunning, { deadlineMs: 30_000, what: 'the worker has ended' });
  });
});

test('a worker started before its servers lives, and says in probe and log what it waits for', async () => {
  const worker = await openWorker();
  for (const line of Object.values(worker.lines)) await line.refuse();
  await worker.start();
  const reasons = await eventually(
    async () => {
      const all = (await worker.ask('readyz'))?.said.reasons?.join(' ') ?? '';
      return Object.values(NAMES).every((name) => all.includes(name)) && all.includes('weir up') ? all : null;
    },
    { deadlineMs: 20_000, what: 'the worker names everything that it waits for' },
  );
  expect(reasons).toContain('start it with "weir up"');
  expect(await worker.ask('healthz')).toMatchObject({ status: 200, said: { status: 'ok', phase: 'connecting' } });
  for (const name of Object.values(NAMES)) expect(worker.log).toMatch(new RegExp(`Not ready: [^"]*${name}`));
  for (const line of Object.values(worker.lines)) await line.heal();
  await becomesReady(worker);
  expect(worker.log).toContain('The server answers again');
});

describe('a worker whose PostgreSQL', () => {
  const name = `probed_${randomBytes(6).toString('hex')}`;
  const admin = async (...statements: string[]): Promise<void> => {
    const client = new Client({ connectionString: inject('servers').postgresUrl });
    await client.connect();
    for (const statement of statements) await client.query(statement);
    await client.end();
  };
  let worker: ProbedWorker;
  const url = (): URL => new URL(inject('servers').postgresUrl);
  beforeAll(async () => {
    await admin(`create role ${name} login password '${name}'`, `create database ${name} owner ${name}`);
    worker = await openWorker(Object.assign(url(), { username: name, password: name, pathname: name }).href);
    await worker.start();
    await becomesReady(worker);
  });
  afterAll(async () => {
    await worker.close();
    await admin(`drop database ${name} with (force)`, `drop role ${name}`);
  });

  test('has become read-only is not ready until it takes writes again', async () => {
    await admin(`alter database ${name} set default_transaction_read_only = on`);
    expect(await notReady(worker, SEEN_BY_NEW_CONNECTION_WITHIN_MS)).toMatch(
      /read-only.*default_transaction_read_only/,
    );
    expect(await worker.ask('healthz')).toMatchObject({ status: 200 });
    await admin(`alter database ${name} reset default_transaction_read_only`);
    await becomesReady(worker, SEEN_WITHIN_MS);
  });

  test('lets nobody else in is not ready until it does', async () => {
    await admin(`alter role ${name} connection limit 0`);
    expect(await notReady(worker, SEEN_BY_NEW_CONNECTION_WITHIN_MS)).toMatch(
      /takes no more connections.*max_connections/,
    );
    expect(await worker.ask('healthz')).toMatchObject({ status: 200 });
    await admin(`alter role ${name} connection limit -1`);
    await becomesReady(worker, SEEN_WITHIN_MS);
  });
});
