// `weir reprocess` and `weir partition rewind` as people type them, on a pipeline and a Temporal namespace of the test's own.
import { randomBytes } from 'node:crypto';

import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { openEventWriter } from '../../kafka/event-writer.ts';
import { ensureTopic } from '../../kafka/topics.ts';
import { openLog } from '../../observability/log.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { readRuns } from '../../postgres/checkpoint-runs.ts';
import { ensureCheckpoint, readCheckpoints } from '../../postgres/checkpoints.ts';
import { runWorker } from '../../workers/worker.ts';
import { eventAt } from '../workflows/pipeline-world.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { insertManyLetters } from '../support/letters.ts';
import { HAS_TERMINAL, answerWeir } from './on-terminal.ts';
import { EMPTY_HOME, runWeir } from './run-weir.ts';
import type { Ended } from './run-weir.ts';

const LONG = 600_000;
const WITHIN = { deadlineMs: 240_000 };
const servers = inject('servers');
const name = `reprocess-${randomBytes(4).toString('hex')}`;
const stop = new AbortController();
/** Half an hour of events, some hours ago, in messages that Kafka got then. */
const fromMs = Math.floor((Date.now() - 3 * 3_600_000) / 600_000) * 600_000;
const toMs = fromMs + 30 * 60_000;
const COUNT = 180;
const RANGE = ['--from', new Date(fromMs).toISOString(), '--to', new Date(toMs).toISOString()];
const TEN_MINUTES = [...RANGE.slice(0, 3), new Date(fromMs + 600_000).toISOString()];
let database: TestDatabase;
let env: Record<string, string>;
let worker: Promise<unknown>;

const weir = async (...words: string[]): Promise<Ended> => await runWeir(words, env);

async function send(messages: number): Promise<void> {
  const writer = await openEventWriter({ brokers: servers.kafkaBrokers, topic: name });
  try {
    await writer.write(
      Array.from({ length: messages }, (_, index) => {
        const timestampMs = fromMs + index * 10_000;
        const value = index % 20 === 19 ? '{"broken"' : JSON.stringify(eventAt(new Date(timestampMs).toISOString()));
        return { key: null, value: Buffer.from(value), timestampMs, partition: index % 2 };
      }),
    );
  } finally {
    await writer.close();
  }
}

async function count(from: string): Promise<number> {
  const { rows } = await database.pool.query<{ n: number }>(
    `select count(*)::int as n from "${database.schema}".${from}`,
  );
  return rows[0]?.n ?? 0;
}

/** Rows of a table as text, less how often and when they were written. */
async function rowsOf(table: string): Promise<string[]> {
  const { rows } = await database.pool.query<{ row: string }>(
    `select (to_jsonb(t) - 'revision' - 'closed_at')::text as row from "${database.schema}".${table} t order by 1`,
  );
  return rows.map(({ row }) => row);
}

const RESULTS = ['event_counts', 'user_activity', 'session_metrics', 'device_stats'];
const results = async (): Promise<string[][]> => await Promise.all(RESULTS.map(rowsOf));

beforeAll(async () => {
  database = await freshDatabase();
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
    WEIR_POSTGRES_URL: servers.postgresUrl,
    WEIR_TEMPORAL_ADDRESS: servers.temporalAddress,
    WEIR_TEMPORAL_NAMESPACE: name,
    WEIR_TOPIC: name,
    WEIR_SCHEMA: database.schema,
    WEIR_IDLE_AFTER: '1s',
    WEIR_LATENESS: '1s',
  };
  worker = runWorker({
    addresses: {
      kafka: { brokers: servers.kafkaBrokers },
      postgres: { url: servers.postgresUrl },
      temporal: { address: servers.temporalAddress },
    },
    settings: { partitions: 2, temporalNamespace: name },
    log: openLog({ name: 'test worker', level: 'silent' }),
    metrics: openMetrics({ processMetrics: false }),
    signal: stop.signal,
  });
  await send(COUNT);
  await eventually(async () => (await weir('pipeline', 'start')).code === 0, {
    ...WITHIN,
    what: 'the pipeline starts',
  });
  const closed = `closed_through where written_through >= to_timestamp(${toMs / 1000})`;
  await eventually(async () => (await count(closed)) === 1, { ...WITHIN, what: 'all windows are closed' });
}, LONG);

afterAll(async () => {
  await weir('pipeline', 'stop');
  stop.abort();
  await worker;
}, LONG);

describe('weir reprocess', { timeout: LONG }, () => {
  test('of a range that is right changes nothing and says so', async () => {
    const before = await results();
    const { code, stdout } = await weir('reprocess', ...RANGE);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/: Nothing differed: every window of the range was right\.\n$/),
    });
    expect(await results()).toEqual(before);
    expect(await count('amendments')).toBe(0);
  });

  test('--from-topic brings back events and dead letters that somebody deleted, and the results with them', async () => {
    const before = { results: await results(), events: await rowsOf('events') };
    const { pool, schema } = database;
    const { rowCount: events } = await pool.query(`delete from "${schema}".events where kafka_offset % 7 = 3`);
    const { rowCount: letters } = await pool.query(`delete from "${schema}".dead_letters where kafka_offset < 40`);
    // The results hold those events still, also behind the range: each must count once, wherever it comes back.
    const { code, stdout, stderr } = await weir('reprocess', ...TEN_MINUTES, '--from-topic', '--json');
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(new RegExp(`^Reading again from .*: ${COUNT} messages in 2 partitions\\.\n$`)),
    });
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: 'done',
      eventsPutBack: events,
      deadLettersPutBack: letters,
      message: expect.stringMatching(
        new RegExp(
          `^The topic was read again: ${events} events and ${letters} dead letters were missing and are back\\.`,
        ),
      ),
    });
    expect(await rowsOf('events')).toEqual(before.events);
    expect(await count('dead_letters')).toBe(COUNT / 20);
    expect(await results()).toEqual(before.results);
    // The runs say what they did: these rows were recorded twice, because somebody had deleted them in between.
    const verified = await weir('verify');
    expect(verified).toMatchObject({ code: 0, stderr: '' });
    expect(verified.stdout).toContain(
      `\n${events} events and ${letters} dead letters counted by two runs: they had been`,
    );
    expect(
      (await readRuns(pool, { topic: name, schema })).filter(({ ended }) => ended?.why.startsWith('weir reprocess')),
    ).toHaveLength(2);
  });

  test('--from-topic of a range that is right says that nothing was missing', async () => {
    const { code, stdout } = await weir('reprocess', ...RANGE, '--from-topic');
    expect(code).toBe(0);
    expect(stdout).toMatch(/The topic was read again, and nothing of it was missing\. Nothing differed: every window/);
  });

  test('--from-topic is refused before anything is done while a partition rests', async () => {
    await weir('partition', 'pause', '1');
    const before = await readCheckpoints(database.pool, { topic: name, schema: database.schema });
    const { code, stdout, stderr } = await weir('reprocess', ...RANGE, '--from-topic');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/Partition 1 of topic .* is paused and would not read anything again\. .*resume 1/);
    expect(await readCheckpoints(database.pool, { topic: name, schema: database.schema })).toEqual(before);
    await weir('partition', 'resume', '1');
  });

  test('can be paused, resumed and cancelled, and list says what came of it', async () => {
    const client = await database.pool.connect();
    await client.query('begin');
    // It stands on the clock for as long as the calls take, which our own sessions may not.
    await client.query('set local idle_in_transaction_session_timeout = 0');
    await client.query(`select from "${database.schema}".closed_through for update`);
    try {
      const { stdout } = await weir('reprocess', ...RANGE, '--detach', '--json');
      const { id } = JSON.parse(stdout);
      expect(await weir('reprocess', 'pause', id)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/is paused\./),
      });
      expect((await weir('reprocess', 'list')).stdout).toMatch(new RegExp(`${id} .*paused`));
      const resumed = await weir('reprocess', 'resume', id);
      expect(resumed).toMatchObject({ code: 0, stdout: expect.not.stringMatching(/is paused\./) });
      const cancelled = await weir('reprocess', 'cancel', id, '--json');
      expect(JSON.parse(cancelled.stdout)).toMatchObject({ phase: 'cancelled', cancelWanted: true });
      expect((await weir('reprocess', 'list')).stdout).toMatch(new RegExp(`${id} .*cancelled`));
      const [newest] = JSON.parse((await weir('reprocess', 'list', '--json')).stdout);
      expect(newest).toMatchObject({
        id,
        phase: 'cancelled',
        startedAt: expect.stringMatching(/^20.*Z$/),
        rowsChanged: 0,
      });
      const gone = await weir('reprocess', 'pause', id);
      expect(gone).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/does not run; `weir reprocess list` says which run, and what came/),
      });
    } finally {
      await client.query('rollback');
      client.release();
    }
  });
});

describe('a schema that is not the one of the pipeline that runs', { timeout: LONG }, () => {
  test.each([
    ['reprocess', ...RANGE],
    ['partition', 'rewind', '0', '--to', '0', '--yes'],
    ['partition', 'accept-gap', '0', '--yes'],
    ['dead-letters', 'replay', '1'],
  ])('is refused by weir %s %s, and the right one is named', async (...words) => {
    const other = await freshDatabase();
    const refusal = async (): Promise<string> => {
      const { code, stdout, stderr } = await weir(...words, '--schema', other.schema);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      return stderr;
    };
    expect(await refusal()).toBe(
      `weir: Schema ${other.schema} has read nothing of topic ${name}; name the schema and the topic of one pipeline (WEIR_SCHEMA, WEIR_TOPIC).\n`,
    );
    await ensureCheckpoint(other.pool, { topic: name, schema: other.schema }, { partition: 0, firstOffset: 0 });
    await insertManyLetters(other.pool, other.schema, 1);
    const before = await readRuns(database.pool, { topic: name, schema: database.schema });
    expect(await refusal()).toBe(
      `weir: The pipeline of topic ${name} writes into schema ${database.schema}, and schema ${other.schema} was given; name its own (--schema ${database.schema} or WEIR_SCHEMA), or another topic (WEIR_TOPIC).\n`,
    );
    expect(await readRuns(database.pool, { topic: name, schema: database.schema })).toEqual(before);
  });
});

describe('weir partition rewind', { timeout: LONG }, () => {
  test('is done neither unasked, nor to where nothing can be read, nor to what is no place', async () => {
    const before = await readRuns(database.pool, { topic: name, schema: database.schema });
    const unasked = await weir('partition', 'rewind', '0', '--to', '10');
    expect(unasked).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'weir: Rewinding partition 0 from offset 90 to 10 reads 80 messages again and nobody can be asked here; add --yes to do it.\n',
    });
    const refused = async (to: string): Promise<string> => {
      const { code, stdout, stderr } = await weir('partition', 'rewind', '0', '--to', to, '--yes');
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      return stderr;
    };
    expect(await refused('91')).toMatch(
      /^weir: Offset 91 .* beyond the end of its log, 90; choose an offset from 0 to 90\.\n$/,
    );
    expect(await refused('-5')).toMatch(/"-5" is no offset/);
    expect(await refused('yesterday')).toMatch(/"yesterday" is no time/);
    expect(await readRuns(database.pool, { topic: name, schema: database.schema })).toEqual(before);
  });

  test('with --yes reads on from an offset or a time, and where it stands already it says so', async () => {
    const toOffset = await weir('partition', 'rewind', '0', '--to', '10', '--yes');
    expect(toOffset).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Rewound: partition 0 .* from offset 90 to 10; run \d+ reads 80 messages again\./),
    });
    const at = new Date(fromMs + 100 * 10_000).toISOString();
    const toTime = await weir('partition', 'rewind', '1', '--to', at, '--yes', '--json');
    expect(JSON.parse(toTime.stdout)).toMatchObject({ partition: 1, fromOffset: '90', toOffset: '50', isNew: true });
    const there = await weir('partition', 'rewind', '1', '--to', '0s');
    expect(there).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/stands at offset 90 already; nothing was changed\.\n$/),
    });
  });

  test.skipIf(!HAS_TERMINAL)('shows on a terminal what it will do, and does nothing after a no', async () => {
    const before = await readRuns(database.pool, { topic: name, schema: database.schema });
    const { code, output } = await answerWeir('partition rewind 0 --to 80', { answer: 'no', env });
    expect(output).toMatch(/takes partition 0 from offset 90 to 80; its log holds 0 to 90\./);
    expect(output).toMatch(
      /reads 10 messages again: recorded events are recognised by their identity, and nothing doubles\./,
    );
    expect(output).toMatch(
      /The counts so far are kept as run \d+ \(table .*checkpoint_runs\); run \d+ begins with none\./,
    );
    expect(output).toMatch(/Nothing was changed; partition 0 goes on from where it stands\./);
    expect(code).toBe(1);
    expect(await readRuns(database.pool, { topic: name, schema: database.schema })).toEqual(before);
  });
});
