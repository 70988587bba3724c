// Everything that repairs, verifies or looks, as people type it, where worker and command line are members of weir_worker and of
// nothing else; and the same with a reader's login, which each command refuses in one sentence, with nothing done.
import { randomBytes } from 'node:crypto';

import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

import { connectKafka } from '../../kafka/client.ts';
import { openEventWriter } from '../../kafka/event-writer.ts';
import { ensureTopic } from '../../kafka/topics.ts';
import { openLog } from '../../observability/log.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { dropSnapshot } from '../../postgres/snapshots.ts';
import { takeSnapshot } from '../../postgres/take-snapshot.ts';
import { runWorker } from '../../workers/worker.ts';
import { EMPTY_HOME, runWeir } from '../cli/run-weir.ts';
import type { Ended } from '../cli/run-weir.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { loginOf } from '../support/logins.ts';
import type { Login } from '../support/logins.ts';
import { eventAt } from '../workflows/pipeline-world.ts';

const LONG = 600_000;
const WITHIN = { deadlineMs: 60_000 };
const MINUTE_MS = 60_000;
const servers = inject('servers');
const name = `repairs-${randomBytes(4).toString('hex')}`;
const stop = new AbortController();
/** Half an hour of events, some hours ago, in messages that Kafka got then. */
const fromMs = Math.floor((Date.now() - 3 * 60 * MINUTE_MS) / (10 * MINUTE_MS)) * 10 * MINUTE_MS;
const toMs = fromMs + 30 * MINUTE_MS;
const COUNT = 180;
const iso = (ms: number): string => new Date(ms).toISOString();
const RANGE = ['--from', iso(fromMs), '--to', iso(toMs)];
const RESULTS = ['event_counts', 'user_activity', 'session_metrics', 'device_stats', 'sessions', 'funnel'];

let database: TestDatabase;
let login: Login;
let reader: Login;
let env: Record<string, string>;
let worker: Promise<unknown>;

const weir = async (...words: string[]): Promise<Ended> => await runWeir(words, env);

type Sent = { readonly atMs: number; readonly partition: number; readonly value?: string };

async function send(messages: readonly Sent[]): Promise<void> {
  const writer = await openEventWriter({ brokers: servers.kafkaBrokers, topic: name });
  try {
    await writer.write(
      messages.map(({ atMs, partition, value }) => ({
        key: null,
        value: Buffer.from(value ?? JSON.stringify(eventAt(iso(atMs)))),
        timestampMs: atMs,
        partition,
      })),
    );
  } finally {
    await writer.close();
  }
}

/** Of twenty messages one is no JSON, and one has no device. */
const halfAnHour = (): Sent[] =>
  Array.from({ length: COUNT }, (_, index) => {
    const sent = { atMs: fromMs + index * 10_000, partition: index % 2 };
    if (index % 20 === 19) return { ...sent, value: '{"broken"' };
    return index % 20 === 9 ? { ...sent, value: JSON.stringify(eventAt(iso(sent.atMs), { device: undefined })) } : sent;
  });

/** As the server's own user, who may look at everything. `@` stands for the schema. */
async function rows(text: string): Promise<Record<string, unknown>[]> {
  return (await database.pool.query<Record<string, unknown>>(text.replaceAll('@', `"${database.schema}".`))).rows;
}

const count = async (from: string): Promise<number> =>
  Number((await rows(`select count(*) as n from ${from}`))[0]?.['n']);

/** What the result tables say, less how often and when they were written. */
const results = async (): Promise<unknown[]> =>
  await Promise.all(
    RESULTS.map(
      async (table) =>
        await rows(
          `select (to_jsonb(t) - 'revision' - 'closed_at' - 'written_at')::text as row from @${table} t order by 1`,
        ),
    ),
  );

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  await eventually(look, { ...WITHIN, what });
}

beforeAll(async () => {
  database = await freshDatabase();
  login = await loginOf('weir_worker');
  reader = await loginOf('weir_reader');
  await ensureTopic({ brokers: servers.kafkaBrokers, topic: name, partitions: 2 });
  const connection = await Connection.connect({ address: servers.temporalAddress });
  await connection.workflowService.registerNamespace({
    namespace: name,
    workflowExecutionRetentionPeriod: msToTs('1 day'),
  });
  await connection.close();
  env = {
    WEIR_HOME: EMPTY_HOME,
    WEIR_KAFKA_BROKERS: servers.kafkaBrokers.join(','),
    WEIR_POSTGRES_URL: login.url,
    WEIR_TEMPORAL_ADDRESS: servers.temporalAddress,
    WEIR_TEMPORAL_NAMESPACE: name,
    WEIR_TOPIC: name,
    WEIR_SCHEMA: database.schema,
    WEIR_IDLE_AFTER: '1s',
    WEIR_LATENESS: '1s',
    WEIR_AMEND_HORIZON: '45m',
  };
  worker = runWorker({
    addresses: {
      kafka: { brokers: servers.kafkaBrokers },
      postgres: { url: login.url },
      temporal: { address: servers.temporalAddress },
    },
    settings: { partitions: 2, temporalNamespace: name },
    log: openLog({ name: 'test worker', level: 'silent' }),
    metrics: openMetrics({ processMetrics: false }),
    signal: stop.signal,
  });
  await send(halfAnHour());
  await until('the pipeline starts', async () => (await weir('pipeline', 'start')).code === 0);
  await until(
    'all windows are closed',
    async () => (await count(`@closed_through where written_through >= to_timestamp(${toMs / 1000})`)) === 1,
  );
}, LONG);

afterAll(async () => {
  await weir('pipeline', 'stop');
  stop.abort();
  await worker;
}, LONG);

const REFUSED =
  /^weir: PostgreSQL does not permit this \((?:permission denied for|must be owner of) \w+ \w+\): set WEIR_POSTGRES_URL to a login of weir_worker, which runs, repairs and verifies, or of weir_owner, which also migrates and takes snapshots\.\n$/;

describe('a member of weir_worker', { timeout: LONG }, () => {
  it.each([
    ['status'],
    ['health'],
    ['partition', 'list'],
    ['windows', '--why', iso(fromMs)],
    ['sessions'],
    ['funnel'],
    ['late'],
    ['dead-letters', 'list'],
    ['dead-letters', 'show', '1'],
    ['snapshot', 'list'],
  ])('may look: weir %s %s', async (...words) => {
    const { code, stderr } = await weir(...words);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('may rebuild results that were changed, lost or made up, and amendments say so', async () => {
    const before = await results();
    await rows(`update @event_counts set event_count = event_count + 1`);
    await rows(`delete from @device_stats where ctid in (select ctid from @device_stats limit 5)`);
    await rows(`update @sessions set events = events + 1 where ctid in (select ctid from @sessions limit 3)`);
    expect(await results()).not.toEqual(before);
    const { code, stdout } = await weir('reprocess', ...RANGE);
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/36 rows \(33 changed, 3 new, 0 vanished\)/),
    });
    expect(await results()).toEqual(before);
    expect(await rows('select distinct cause from @amendments')).toEqual([{ cause: 'reprocess' }]);
  });

  it('may bring back deleted events from the topic', async () => {
    const before = await results();
    const deleted = await rows('delete from @events where kafka_partition = 1 and kafka_offset % 7 = 3 returning 1');
    const { code, stdout } = await weir('reprocess', ...RANGE, '--from-topic', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ outcome: 'done', eventsPutBack: deleted.length });
    expect(await results()).toEqual(before);
  });

  it('may take late events in: those of the horizon by itself, those beyond it when told to', async () => {
    const amendments = await count(`@amendments where cause = 'late event'`);
    await send([
      { atMs: toMs - 5 * MINUTE_MS, partition: 1 },
      { atMs: fromMs + MINUTE_MS, partition: 1 },
    ]);
    await until('both are there', async () => (await count('@late_events where beyond_horizon')) === 1);
    await until('one is taken in', async () => (await count(`@amendments where cause = 'late event'`)) > amendments);
    expect(await weir('reprocess', ...RANGE, '--include-beyond-horizon')).toMatchObject({ code: 0 });
    expect(await count('@late_events where beyond_horizon')).toBe(0);
  });

  it('may replay letters, repaired or not, and discard them', async () => {
    const repaired = await weir('dead-letters', 'replay', '--field', 'device', '--set', 'device=mobile', '--yes');
    expect(repaired).toMatchObject({ code: 0 });
    expect(await count(`@dead_letters where status = 'recovered'`)).toBe(COUNT / 20);
    const [letter] = await rows(`select min(id)::text as id from @dead_letters where status = 'open'`);
    expect(await weir('dead-letters', 'replay', String(letter?.['id']))).toMatchObject({ code: 0 });
    expect(await count(`@dead_letters where status = 'replaced'`)).toBe(1);
    const given = await weir('dead-letters', 'discard', '--reason', 'not_json', '--reason-text', 'cut off', '--yes');
    expect({ code: given.code, stderr: given.stderr }).toEqual({ code: 0, stderr: '' });
    expect(await count(`@dead_letters where status = 'discarded'`)).toBe(COUNT / 20);
  });

  it('may rewind a partition, and what is read again doubles nothing', async () => {
    const before = await count('@events');
    const { code, stdout } = await weir('partition', 'rewind', '0', '--to', '0', '--yes');
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Rewound: partition 0 /) });
    await until('it has read all again', async () => {
      const at = 'where partition = 0 and next_offset = 90';
      return (await count(`@checkpoints ${at}`)) === 1;
    });
    expect(await count('@events')).toBe(before);
    expect(await count(`@checkpoint_runs where partition = 0 and why like 'weir partition rewind%'`)).toBe(1);
  });

  it('may verify, and the outcome is recorded', async () => {
    const before = await count('@verifications');
    const { code, stdout, stderr } = await weir('verify');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Verified: nothing is missing, doubled, foreign or wrong.');
    expect(await count('@verifications')).toBe(before + 1);
  });

  describe('with a snapshot that an owner has taken', () => {
    const snapshot = { name: 'kept' };
    beforeAll(async () => void (await takeSnapshot(database.pool, { ...snapshot, schema: database.schema })));
    afterAll(async () => void (await dropSnapshot(database.pool, database.schema, snapshot.name)));

    it.each([
      ['list'],
      ['compare', 'kept'],
      ['create', 'another'],
      ['restore', 'kept', '--to', 'mine'],
      ['drop', 'kept', '--yes'],
    ])('may not weir snapshot %s, which is for weir_owner', async (...words) => {
      const { code, stdout, stderr } = await weir('snapshot', ...words);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(REFUSED);
    });
  });
});

describe('when Kafka has lost what a partition has not read', { timeout: LONG }, () => {
  const isStopped = async (): Promise<boolean> => (await weir('partition', 'list')).stdout.includes('lost range');

  beforeAll(async () => {
    await weir('partition', 'pause', '0');
    await send(Array.from({ length: 20 }, (_, index) => ({ atMs: toMs + index * 1_000, partition: 0 })));
    const admin = connectKafka({ brokers: servers.kafkaBrokers }).kafka.admin();
    await admin.connect();
    // Makes kafkajs look up the leader that deleteTopicRecords needs.
    await admin.fetchTopicOffsets(name);
    await admin.deleteTopicRecords({ topic: name, partitions: [{ partition: 0, offset: '100' }] });
    await admin.disconnect();
    await weir('partition', 'resume', '0');
    await until('the partition has stopped', isStopped);
    // One letter that somebody could still decide about.
    await send([{ atMs: toMs, partition: 1, value: '{"broken"' }]);
    await until('there is an open letter', async () => (await count(`@dead_letters where status = 'open'`)) === 1);
  }, LONG);

  it.each([
    ['partition', 'accept-gap', '0', '--yes'],
    ['partition', 'rewind', '1', '--to', '0', '--yes'],
    ['dead-letters', 'replay', '--status', 'open', '--yes'],
    ['dead-letters', 'discard', '--status', 'open', '--reason-text', 'mine', '--yes'],
    ['reprocess', ...RANGE],
    ['reprocess', ...RANGE, '--from-topic'],
    ['verify'],
    ['snapshot', 'create', 'mine'],
  ])(
    'a reader is refused by weir %s %s in one sentence that names the roles, and nothing is done',
    async (...words) => {
      const written = async (): Promise<unknown[]> =>
        await Promise.all(
          ['checkpoint_runs', 'gaps', 'dead_letters', 'verifications', 'amendments'].map(
            async (table) => await rows(`select md5(string_agg(t::text, '' order by t::text)) from @${table} t`),
          ),
        );
      const before = await written();
      const { code, stdout, stderr } = await runWeir(words, { ...env, WEIR_POSTGRES_URL: reader.url });
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(REFUSED);
      expect(await written()).toEqual(before);
    },
  );

  it('a member of weir_worker may accept the loss, and the partition goes on', async () => {
    expect(await isStopped()).toBe(true);
    const { code, stdout } = await weir('partition', 'accept-gap', '0', '--yes', '--json');
    expect({ code, gap: JSON.parse(stdout) }).toMatchObject({ code: 0, gap: { fromOffset: '90', toOffset: '100' } });
    await until('it has read the rest', async () => (await count('@checkpoints where next_offset = 110')) === 1);
    expect(await count('@gaps')).toBe(1);
    const verified = await weir('verify');
    expect(verified.stdout).toContain('10 offsets accepted as lost');
    expect(verified.stdout).toContain('Verified: nothing is missing, doubled, foreign or wrong.');
  });
});
