// The whole life of a pipeline by the command line alone: up, events, down, a bounded run, verification.
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { runWeir } from './run-weir.ts';
import type { Ended } from './run-weir.ts';

const { kafkaBrokers, postgresUrl, temporalAddress } = inject('servers');
const name = `cli-${randomBytes(4).toString('hex')}`;
const { schema, pool } = await freshDatabase();
const home = mkdtempSync(join(tmpdir(), 'weir-cli-'));
chmodSync(home, 0o755);
const env = {
  WEIR_HOME: home,
  WEIR_KAFKA_BROKERS: kafkaBrokers.join(','),
  WEIR_POSTGRES_URL: postgresUrl,
  WEIR_TEMPORAL_ADDRESS: temporalAddress,
  // Of its own, so that no other test's workers take this pipeline's tasks.
  WEIR_TEMPORAL_NAMESPACE: name,
  WEIR_TOPIC: name,
  WEIR_SCHEMA: schema,
  WEIR_PARTITIONS: '2',
  // The empty topic is idle long before the history below comes: none of it may be late for that.
  WEIR_IDLE_AFTER: '1s',
  WEIR_METRICS_ADDRESS: '127.0.0.1:0',
};
const MESSAGES = 3_000;

async function weir(...args: string[]): Promise<Ended> {
  return await runWeir(args, env);
}

async function ok(...args: string[]): Promise<string> {
  const ended = await weir(...args);
  expect(ended, `weir ${args.join(' ')}`).toMatchObject({ code: 0 });
  return ended.stdout;
}

/** What a command printed with --json, which must be an object. */
async function json(...args: string[]): Promise<Map<string, unknown>> {
  const parsed: unknown = JSON.parse(await ok(...args, '--json'));
  return new Map(Object.entries(parsed ?? {}));
}

beforeAll(async () => {
  const connection = await Connection.connect({ address: temporalAddress });
  await connection.workflowService.registerNamespace({
    namespace: name,
    workflowExecutionRetentionPeriod: msToTs('1 day'),
  });
  await eventually(() => connection.workflowService.describeNamespace({ namespace: name }), {
    deadlineMs: 30_000,
    what: 'the namespace is known',
  });
  await connection.close();
});

afterAll(async () => {
  await weir('down');
  rmSync(home, { recursive: true, force: true });
});

test('from an empty topic to verified results, by commands alone', { timeout: 300_000 }, async () => {
  const up = await ok('up', '--detach', '--no-generator', '--create-topic');
  expect(up).toContain(`Topic ${name} is created with 2 partitions`);

  expect((await weir('up', '--detach', '--no-generator')).code).toBe(0);

  await ok('pipeline', 'pause');
  expect((await json('pipeline', 'status')).get('phase')).toBe('paused');
  await ok('pipeline', 'stop');

  const shares = ['--late', '0.01', '--duplicates', '0.01', '--malformed', '0.01', '--disorder', '0.05'];
  const generator = [
    '--name',
    name,
    '--count',
    String(MESSAGES),
    '--start-time',
    '2026-01-01T00:00:00Z',
    '--rate',
    '5',
  ];
  await ok('generator', 'start', ...generator, ...shares, '--seed', '7');
  await eventually(
    async () => {
      const status = await json('generator', 'status', '--name', name);
      expect(status.get('generators')).toMatchObject([{ phase: 'finished' }]);
      return true;
    },
    { deadlineMs: 60_000, what: 'the generator has sent everything' },
  );
  expect(await ok('down')).toContain('Everything is down');

  const before = Object.fromEntries(await json('status'));
  expect(before).toMatchObject({ lag: MESSAGES, caughtUp: false });

  const summary = await json('up', '--no-generator', '--until-caught-up');
  const [recorded, duplicate, rejected, skipped] = ['recorded', 'duplicate', 'rejected', 'skipped'].map((what) =>
    Number(summary.get(what)),
  );
  expect(Number(recorded) + Number(duplicate) + Number(rejected)).toBe(MESSAGES);
  expect(duplicate).toBeGreaterThan(0);
  expect(rejected).toBeGreaterThan(0);
  expect(skipped).toBe(0);

  const after = Object.fromEntries(await json('status'));
  expect(after).toMatchObject({ caughtUp: true, lag: 0, totals: { recorded, duplicate, rejected, lateWaiting: 0 } });
  expect(await ok('windows', '--aggregate', 'event_counts')).toContain('event_counts');
  // The end of the stream ends the sessions too.
  expect(Number(summary.get('sessions'))).toBeGreaterThan(0);
  expect(after).toMatchObject({ sessions: { closed: summary.get('sessions'), open: 0 } });
  expect(await ok('sessions')).toContain('closed session');
  expect(await ok('funnel', '--by', 'device')).toMatch(/^shopping, within 1h$/m);
  expect(await ok('verify')).toContain('Verified');
  // What it finds is written down, whatever it is.
  await pool.query(`update ${schema}.event_counts set event_count = event_count + 1`);
  expect(await weir('verify', '--json')).toMatchObject({ code: 1, stderr: '' });
  const { rows } = await pool.query(
    `select topic, clean, differences > 0 as wrong from ${schema}.verifications order by id`,
  );
  expect(rows).toEqual([
    { topic: name, clean: true, wrong: false },
    { topic: name, clean: false, wrong: true },
  ]);
  expect((await weir('pipeline', 'status')).stderr).not.toMatch(/\n\s+at /);
});
