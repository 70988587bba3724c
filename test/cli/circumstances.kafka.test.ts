// Bad circumstances on real servers: one clear sentence each, exit code 2, and nothing is changed.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { ensureTopic } from '../../kafka/topics.ts';
import { freshDatabase } from '../support/database.ts';
import { EMPTY_HOME, runWeir } from './run-weir.ts';

const { kafkaBrokers, postgresUrl, temporalAddress } = inject('servers');
const topic = `cli-${randomBytes(4).toString('hex')}`;
const { schema } = await freshDatabase();
const home = mkdtempSync(join(tmpdir(), 'weir-cli-'));
const env = {
  WEIR_HOME: EMPTY_HOME,
  WEIR_KAFKA_BROKERS: kafkaBrokers.join(','),
  WEIR_POSTGRES_URL: postgresUrl,
  WEIR_TEMPORAL_ADDRESS: temporalAddress,
  WEIR_TOPIC: topic,
  WEIR_SCHEMA: schema,
};

beforeAll(async () => {
  await ensureTopic({ brokers: kafkaBrokers, topic, partitions: 2 });
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

function changed(part: 'username' | 'password' | 'port' | 'pathname', value: string): string {
  const url = new URL(postgresUrl);
  url[part] = value;
  return url.href;
}

describe('bad circumstances', () => {
  test.each([
    [
      'a wrong password',
      { WEIR_POSTGRES_URL: changed('password', 'wrong') },
      /PostgreSQL refuses the user or password .*; correct WEIR_POSTGRES_URL\./,
    ],
    [
      'an unreachable PostgreSQL',
      { WEIR_POSTGRES_URL: changed('port', '1') },
      /PostgreSQL does not answer .*ECONNREFUSED.*correct WEIR_POSTGRES_URL\./,
    ],
    [
      'a database that is not there',
      { WEIR_POSTGRES_URL: changed('pathname', '/nope') },
      /PostgreSQL does not have this database/,
    ],
    [
      'a schema without tables',
      { WEIR_SCHEMA: 'weir_nobody_made_this' },
      /The tables are not there .*`weir migrate` makes them/,
    ],
    ['a topic that is not there', { WEIR_TOPIC: `${topic}-not` }, /Topic .* does not exist .*WEIR_TOPIC/],
    [
      'an unreachable Kafka',
      { WEIR_KAFKA_BROKERS: '127.0.0.1:1' },
      /No Kafka broker answers at 127\.0\.0\.1:1 .*WEIR_KAFKA_BROKERS/,
    ],
  ])('%s', async (_what, wrong, sentence) => {
    const { code, stdout, stderr } = await runWeir(['status'], { ...env, ...wrong });
    expect(stderr).toMatch(sentence);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('a password never appears in what is printed', async () => {
    const { stdout, stderr } = await runWeir(['status'], {
      ...env,
      WEIR_POSTGRES_URL: changed('password', 'hush-hush'),
    });
    expect(stdout + stderr).not.toContain('hush-hush');
  });

  test('an unreachable Temporal', async () => {
    const { code, stderr } = await runWeir(['pipeline', 'status'], { ...env, WEIR_TEMPORAL_ADDRESS: '127.0.0.1:1' });
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /Temporal at 127\.0\.0\.1:1 does not answer; .*WEIR_TEMPORAL_ADDRESS; where it wants TLS, set WEIR_TEMPORAL_TLS=on\./,
    );
  });

  test('a pipeline that does not run is not paused, and it says what starts it', async () => {
    const { code, stderr } = await runWeir(['pipeline', 'pause'], env);
    expect(code).toBe(2);
    expect(stderr).toContain(`The pipeline of topic ${topic} does not run; \`weir pipeline start\` starts it.`);
  });

  test('up creates no topic on a Kafka that is not its own unless told to', async () => {
    const { code, stderr } = await runWeir(['up'], { ...env, WEIR_HOME: home, WEIR_TOPIC: `${topic}-missing` });
    expect(code).toBe(2);
    expect(stderr).toMatch(/has no topic .*-missing\. Give --create-topic .*WEIR_TOPIC\./);
  });
});

describe('status on a migrated schema, with no worker up', () => {
  test('has the whole shape, offsets as decimal strings and counts as numbers', async () => {
    const { code, stdout } = await runWeir(['status', '--json'], env);
    const counts = { recorded: 0, duplicate: 0, late: 0, rejected: 0, skipped: 0 };
    const partition = {
      nextOffset: null,
      endOffset: '0',
      logStartOffset: '0',
      lag: 0,
      watermark: null,
      idle: false,
      problem: null,
    };
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      topic,
      schema,
      takenAt: expect.stringMatching(/^\d{4}-.*Z$/),
      restoredFrom: null,
      caughtUp: true,
      lag: 0,
      lagSeconds: 0,
      lowWatermark: null,
      heldBackBy: { partition: 0, reason: 'no-event-yet' },
      closedThrough: null,
      writtenThrough: null,
      rates: { producedPerSecond: 0, committedPerSecond: 0 },
      totals: { ...counts, windows: 0, lateWaiting: 0, lateLeftOut: 0 },
      letters: { open: 0, parked: 0, atLeast: false, reasons: [] },
      publication: {
        topic: `${topic}.dead-letters`,
        waiting: 0,
        waitedSeconds: 0,
        atLeast: false,
        problem: null,
      },
      workers: [],
      windows: {
        event_counts: 0,
        user_activity: 0,
        purchase_metrics: 0,
        session_metrics: 0,
        device_stats: 0,
        funnel: 0,
      },
      sessions: { closed: 0, open: 0 },
      partitions: [0, 1].map((number) => ({ partition: number, ...partition, ...counts })),
    });
  });

  test('migrating again says that there is nothing to do', async () => {
    const { code, stdout } = await runWeir(['migrate', '--json'], env);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ schema, applied: [] });
  });

  test('no closed window is a sentence, not an empty table', async () => {
    const { code, stdout } = await runWeir(['windows'], env);
    expect(code).toBe(0);
    expect(stdout).toContain('No window has closed yet');
  });
});
