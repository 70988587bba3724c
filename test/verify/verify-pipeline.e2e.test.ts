// Verification, held to a real topic and real tables: clean where all is well, and no kind of damage goes unseen.
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';

import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import type { Verification } from '../../pipeline/check.ts';
import type { Header } from '../../pipeline/message.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { handDrivenPipeline } from '../support/hand-driven-pipeline.ts';
import type { HandDrivenPipeline } from '../support/hand-driven-pipeline.ts';
import { seededTopic } from '../support/seeded-topic.ts';
import type { SeededTopic } from '../support/seeded-topic.ts';

const START_MS = Date.parse('2026-03-01T10:00:00Z');
const MINUTE_MS = 60_000;
const COUNT = 4000;

const header = (name: string): Header => ({ name, value: Buffer.from('1') });

const brokers = inject('servers').kafkaBrokers;
let topic: SeededTopic;
let database: TestDatabase;
let pipeline: HandDrivenPipeline;

beforeAll(async () => {
  // 40 minutes of events, two ingestions with a close between them, so that some events are really late.
  topic = await seededTopic(brokers, {
    partitions: 3,
    count: COUNT,
    startTimeMs: START_MS,
    rate: COUNT / 2400,
    users: 200,
    disorder: 0.05,
    duplicates: 0.02,
    malformed: 0.02,
    late: 0.02,
  });
  database = await freshDatabase();
  // Pauses so short end sessions that sessions and funnels are there to be verified too.
  const rules = { gapMs: MINUTE_MS, maxMs: 10 * MINUTE_MS };
  pipeline = await handDrivenPipeline(database, { brokers, topic: topic.topic, rules });
  await topic.send(0, COUNT / 2);
  await topic.sendRaw([
    { value: null, partition: 0, headers: [header('origin'), header('trace'), header('trace')] },
    { value: 'not json', key: 'k', partition: 1, headers: [header('origin')] },
  ]);
  await pipeline.ingest();
  await pipeline.close(START_MS + 18 * MINUTE_MS);
  await topic.send(COUNT / 2, COUNT);
  await pipeline.ingest();
  await pipeline.close(START_MS + 30 * MINUTE_MS);
});

afterAll(async () => {
  await topic.remove();
});

const verify = (): Promise<Verification> => verifyPipeline({ brokers, postgresUrl: database.url, spec: pipeline.spec });

/** Names of the checks that found something. */
const broken = ({ checks }: Verification): string[] =>
  checks.filter(({ differences }) => differences > 0).map(({ name }) => name);

describe('a pipeline that nobody tampered with', () => {
  test('verifies clean with late events waiting, and names them', async () => {
    const verification = await verify();
    expect(verification.checks.flatMap(({ examples }) => examples)).toEqual([]);
    expect(verification.clean).toBe(true);
    expect(verification.coverage.lateWaiting).toBeGreaterThan(0);
    expect(verification.coverage.recountedMessages).toBe(COUNT + 2);
    expect(verification.coverage.resultsThrough).toBe('2026-03-01T10:30:00.000Z');
  });

  test('verifies clean with its late events amended', async () => {
    await pipeline.amend();
    const verification = await verify();
    expect(broken(verification)).toEqual([]);
    expect(verification.coverage.lateWaiting).toBe(0);
    const compared = new Map(verification.checks.map(({ name, found }) => [name, found]));
    const some = ['recorded', 'rejected', 'late', 'duplicates', 'user_activity', 'purchase_metrics windows'];
    for (const name of [...some, 'sessions', 'open sessions', 'funnel', 'funnel windows']) {
      expect(compared.get(name), name).toBeGreaterThan(0);
    }
  });
});

describe('damage', () => {
  // Every test damages the schema and repairs it by this copy: tables are small, topics are not made again.
  const TABLES = [
    'events',
    'dead_letters',
    'late_events',
    'checkpoints',
    'event_counts',
    'purchase_metrics',
    'windows',
  ];
  const restored = async (): Promise<void> => {
    for (const table of TABLES) {
      const of = `${database.schema}.${table}`;
      await database.pool.query(
        `truncate ${of} cascade; insert into ${of} overriding system value select * from ${database.schema}_copy.${table}`,
      );
    }
  };

  beforeAll(async () => {
    await database.pool.query(`create schema ${database.schema}_copy`);
    for (const table of TABLES) {
      await database.pool.query(
        `create table ${database.schema}_copy.${table} as select * from ${database.schema}.${table}`,
      );
    }
  });
  beforeEach(restored);
  afterAll(async () => {
    await database.pool.query(`drop schema ${database.schema}_copy cascade`);
  });

  /** Runs `sql` (with `s` for the schema) and verifies. */
  const damaged = async (sql: string): Promise<Verification> => {
    const { rowCount } = await database.pool.query(sql.replaceAll(/\bs\./g, `${database.schema}.`));
    expect(rowCount, 'rows damaged').toBe(1);
    return await verify();
  };
  const ONE_PURCHASE = `(select event_id from s.events where event_type = 'purchase' and occurred_at < '2026-03-01T10:20:00Z'
    and occurred_at >= '2026-03-01T10:10:00Z' order by occurred_at limit 1)`;
  const example = ({ checks }: Verification, name: string): string =>
    checks.find((check) => check.name === name)?.examples.join('\n') ?? '';

  test('a deleted event is missing, and every result over it differs', async () => {
    const found = await damaged(`delete from s.events where event_id = ${ONE_PURCHASE}`);
    expect(broken(found)).toEqual(
      expect.arrayContaining([
        'recorded',
        'missing events',
        'duplicates',
        'event_counts',
        'event_counts windows',
        'user_activity',
        'purchase_metrics',
        'session_metrics',
        'device_stats',
      ]),
    );
    expect(example(found, 'missing events')).toMatch(/^Event [\da-f-]{36} at 2026-03-01T10:1.* is not in events\.$/);
    expect(found.clean).toBe(false);
  });

  test('an event that the topic never held is foreign', async () => {
    const found = await damaged(`insert into s.events
      select (jsonb_populate_record(e, jsonb_build_object('event_id', gen_random_uuid()))).* from s.events e
       where event_id = ${ONE_PURCHASE}`);
    expect(broken(found)).toEqual(expect.arrayContaining(['recorded', 'foreign events', 'duplicates', 'event_counts']));
    expect(broken(found)).not.toContain('missing events');
  });

  test('an event that says it comes from an offset not read yet is seen', async () => {
    const found = await damaged(`insert into s.events select (jsonb_populate_record(e, jsonb_build_object(
      'event_id', gen_random_uuid(), 'kafka_offset', 1000000))).* from s.events e where event_id = ${ONE_PURCHASE}`);
    expect(broken(found)).toEqual(expect.arrayContaining(['recorded', 'unread offsets']));
  });

  test('an event whose time was changed is missing and foreign', async () => {
    const found = await damaged(
      `update s.events set occurred_at = occurred_at + interval '1 microsecond' where event_id = ${ONE_PURCHASE}`,
    );
    expect(broken(found)).toEqual(expect.arrayContaining(['missing events', 'foreign events']));
  });

  test('an amount that was changed in events shows against the results, to the cent', async () => {
    const found = await damaged(
      `update s.events set total_amount = total_amount + 0.01 where event_id = ${ONE_PURCHASE}`,
    );
    expect(broken(found)).toEqual(['purchase_metrics', 'sessions']);
    expect(example(found, 'purchase_metrics')).toContain('total_revenue is ');
    expect(example(found, 'sessions')).toContain('revenue is ');
  });

  test('a deleted dead letter is missing', async () => {
    const found = await damaged(`delete from s.dead_letters where id = (select min(id) from s.dead_letters)`);
    expect(broken(found)).toEqual(['rejected', 'missing dead letters']);
  });

  test('a dead letter of a message that is valid is foreign, and one kept twice is doubled', async () => {
    const copy = `insert into s.dead_letters (kafka_partition, kafka_offset, kafka_timestamp, key, value, headers, reason, detail)`;
    const foreign = await damaged(`${copy} select kafka_partition, kafka_offset, kafka_timestamp, null, null, '[]',
      'not_json', '' from s.events where event_id = ${ONE_PURCHASE}`);
    expect(broken(foreign)).toEqual(['rejected', 'foreign dead letters']);
    await restored();
    // With another time: PostgreSQL itself refuses a second letter of the same place and time.
    const doubled = await damaged(`${copy} select kafka_partition, kafka_offset, now(), key, value, headers,
      reason, detail from s.dead_letters order by id limit 1`);
    expect(broken(doubled)).toEqual(['rejected', 'doubled dead letters']);
  });

  test.each([
    ['value', `value = value || '\\x20'`],
    ['key', `key = 'other'`],
    ['headers', `headers = '[]'`],
    ['reason', `reason = 'not_utf8'`],
  ])('a dead letter whose %s was changed is altered', async (part, change) => {
    const found = await damaged(`update s.dead_letters set ${change} where value = 'not json'::bytea`);
    expect(broken(found)).toEqual(['altered dead letters']);
    expect(example(found, 'altered dead letters')).toMatch(new RegExp(`differs from its message in: ${part}\\.$`));
  });

  test('a changed cell is named with its window, group, and both values', async () => {
    const found = await damaged(`update s.event_counts set unique_users = unique_users + 1
      where window_start = '2026-03-01T10:12:00Z' and event_type = 'page_view'`);
    expect(broken(found)).toEqual(['event_counts']);
    expect(example(found, 'event_counts')).toMatch(
      /^Window 2026-03-01T10:12:00Z of event_counts, {"event_type": "page_view"}: unique_users is \d+, recounted \d+\.$/,
    );
  });

  test('a deleted result row is missing, an added one is not in the recount', async () => {
    const one = `where window_start = '2026-03-01T10:12:00Z' and event_type = 'page_view'`;
    const missing = await damaged(`delete from s.event_counts ${one}`);
    expect(broken(missing)).toEqual(['event_counts']);
    expect(example(missing, 'event_counts')).toContain('the row is missing');
    await restored();
    // A year later, where there are no events at all.
    const extra = await damaged(`insert into s.event_counts select window_start - interval '1 year',
      window_end - interval '1 year', event_type, event_count, unique_users, revision, closed_at from s.event_counts ${one}`);
    expect(broken(extra)).toEqual(['event_counts']);
    expect(example(extra, 'event_counts')).toContain('the row is not in the recount');
  });

  test('results of a window that is not closed are differences', async () => {
    const found = await damaged(`insert into s.event_counts select window_start + interval '1 day',
      window_end + interval '1 day', event_type, event_count, unique_users, revision, closed_at from s.event_counts
      order by window_start limit 1`);
    expect(broken(found)).toEqual(['event_counts']);
  });

  test('a closed window that is not listed, or with a wrong number of events, is a difference', async () => {
    const one = `where aggregate = 'device_stats' and window_start = '2026-03-01T10:10:00Z'`;
    expect(broken(await damaged(`delete from s.windows ${one}`))).toEqual(['device_stats windows']);
    await restored();
    expect(broken(await damaged(`update s.windows set events = events - 1 ${one}`))).toEqual(['device_stats windows']);
  });

  test.each([
    ['recorded', ['offsets', 'recorded']],
    ['rejected', ['offsets', 'rejected']],
    ['late', ['late']],
    ['duplicate', ['offsets', 'duplicates']],
    ['skipped', ['offsets', 'skipped']],
  ])('a checkpoint that counts one more %s is a difference', async (column, checks) => {
    const found = await damaged(`update s.checkpoints set ${column} = ${column} + 1 where partition = 1`);
    expect(broken(found)).toEqual(checks);
  });

  test('a checkpoint behind what was committed is a difference', async () => {
    const found = await damaged(
      `update s.checkpoints set next_offset = next_offset - 1, recorded = recorded - 1 where partition = 1`,
    );
    expect(broken(found)).toEqual(expect.arrayContaining(['unread offsets']));
  });

  test('a late mark that is gone is a difference', async () => {
    const found = await damaged(
      `delete from s.late_events where event_id = (select min(event_id::text)::uuid from s.late_events)`,
    );
    expect(broken(found)).toEqual(['late']);
  });
});
