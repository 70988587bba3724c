// A verification of a partition that was rewound: every run is accounted for, and the topic is recounted as far as any has come.
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import type { Verification } from '../../pipeline/check.ts';
import { withReplayHeaders } from '../../pipeline/replay-headers.ts';
import { rewindPartition } from '../../postgres/rewind.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { handDrivenPipeline } from '../support/hand-driven-pipeline.ts';
import type { HandDrivenPipeline } from '../support/hand-driven-pipeline.ts';
import { pageView } from '../support/messages.ts';
import { seededTopic } from '../support/seeded-topic.ts';
import type { SeededTopic } from '../support/seeded-topic.ts';

const START_MS = Date.parse('2026-03-01T10:00:00Z');
const COUNT = 300;
const DISORDER = { malformed: 0.1, duplicates: 0.1 };

const { kafkaBrokers: brokers, postgresUrl } = inject('servers');
let topic: SeededTopic;
let database: TestDatabase;
let pipeline: HandDrivenPipeline;

beforeAll(async () => {
  topic = await seededTopic(brokers, { partitions: 2, count: COUNT, startTimeMs: START_MS, rate: 1, ...DISORDER });
  database = await freshDatabase();
  await topic.send(0, COUNT);
  pipeline = await handDrivenPipeline(database, { brokers, topic: topic.topic });
  await pipeline.ingest();
  await pipeline.close(START_MS + 180_000);
});

afterAll(async () => {
  await topic.remove();
});

const verify = async (): Promise<Verification> => await verifyPipeline({ brokers, postgresUrl, spec: pipeline.spec });

const broken = async (): Promise<string[]> => {
  const { checks } = await verify();
  return checks.flatMap(({ name, differences }) => (differences > 0 ? [name] : []));
};

async function rowsOf(table: string): Promise<unknown[]> {
  const { rows } = await database.pool.query(`select * from ${database.schema}.${table} t order by t::text`);
  return rows;
}

const TABLES = ['events', 'dead_letters', 'late_events', 'event_counts', 'user_activity', 'windows', 'amendments'];

test('rewound, half read again and read again: nothing differs, and no row has changed', async () => {
  expect(await broken()).toEqual([]);
  const before = await Promise.all(TABLES.map(rowsOf));
  await rewindPartition(database.pool, pipeline.spec, { partition: 0, toOffset: 0, why: 'a test' });
  await rewindPartition(database.pool, pipeline.spec, { partition: 1, toOffset: 40, why: 'a test' });
  // Nothing of the new runs is read yet: what the old ones read is recounted all the same.
  expect(await broken()).toEqual([]);
  await pipeline.ingest();
  expect(await broken()).toEqual([]);
  expect(await Promise.all(TABLES.map(rowsOf))).toEqual(before);
  expect((await verify()).coverage.countedTwice).toEqual({ events: 0, letters: 0 });
});

test('an event that is missing is found, also where only an earlier run has been', async () => {
  await rewindPartition(database.pool, pipeline.spec, { partition: 1, toOffset: 0, why: 'a test' });
  const { schema } = database;
  await database.pool.query(
    `create table ${schema}.taken as select * from ${schema}.events where kafka_partition = 1 limit 1`,
  );
  const { rowCount } = await database.pool.query(
    `delete from ${schema}.events e using ${schema}.taken t where e.event_id = t.event_id`,
  );
  expect(rowCount).toBe(1);
  expect(await broken()).toEqual(expect.arrayContaining(['recorded', 'missing events']));
  // It is found again, not as a late event's duplicate but as an event: late, because its window is closed.
  await pipeline.ingest();
  await pipeline.amend();
  const { checks, coverage } = await verify();
  const counts = checks.filter(({ name }) => ['recorded', 'late', 'missing events'].includes(name));
  expect(counts.map(({ differences }) => differences)).toEqual([0, 0, 0]);
  expect(coverage.countedTwice).toEqual({ events: 1, letters: 0 });
});

test('a letter that is repaired through the topic is recovered, with its own bytes and headers unchanged', async () => {
  const read = async () =>
    (
      await database.pool.query(
        `select * from ${database.schema}.dead_letters where parent is null order by id limit 1`,
      )
    ).rows[0];
  const before = await read();
  const event = pageView({ timestamp: '2026-03-01T10:04:30Z' });
  const headers = withReplayHeaders([{ name: 'trace', value: Buffer.from([0, 255]) }], {
    letter: Number(before.id),
    attempt: 2,
    replay: 'r1',
  });
  await topic.sendRaw([{ value: JSON.stringify(event), headers, partition: 1 }]);
  await pipeline.ingest();
  const { status, event_id, event_at, closed_at, replay, sent_at, ...rest } = await read();
  expect({ status, event_id, replay }).toEqual({ status: 'recovered', event_id: event['event_id'], replay: 'r1' });
  expect([event_at, closed_at, sent_at]).toEqual([
    new Date('2026-03-01T10:04:30Z'),
    expect.any(Date),
    expect.any(Date),
  ]);
  expect(before).toMatchObject(rest);
  expect((await broken()).filter((name) => / dead letters$|^rejected$/.test(name))).toEqual([]);
});
