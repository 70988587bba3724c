// What a verification cannot recount is named, not called a difference; and what the topic has lost is.
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import { connectKafka } from '../../kafka/client.ts';
import type { Verification } from '../../pipeline/check.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { handDrivenPipeline } from '../support/hand-driven-pipeline.ts';
import { pageView } from '../support/messages.ts';
import { seededTopic } from '../support/seeded-topic.ts';
import type { SeededTopic } from '../support/seeded-topic.ts';

const START_MS = Date.parse('2026-03-01T10:00:00Z');
const COUNT = 600;

const { kafkaBrokers: brokers, postgresUrl, temporalAddress } = inject('servers');
let topic: SeededTopic;
let database: TestDatabase;
let spec: PipelineSpec;
let unstorable: { id: string; value: string };

/** Makes Kafka forget the offsets before `offset`, as its retention does. */
async function deleteBefore(partition: number, offset: number): Promise<void> {
  const admin = connectKafka({ brokers }).kafka.admin();
  await admin.connect();
  // Also makes kafkajs learn the topic's leaders, which the deletion does not do by itself.
  await admin.fetchTopicOffsets(topic.topic);
  await admin.deleteTopicRecords({ topic: topic.topic, partitions: [{ partition, offset: String(offset) }] });
  await admin.disconnect();
}

const verify = (): Promise<Verification> => verifyPipeline({ brokers, postgresUrl, spec });
const broken = ({ checks }: Verification): string[] =>
  checks.filter(({ differences }) => differences > 0).map(({ name }) => name);

beforeAll(async () => {
  topic = await seededTopic(brokers, { partitions: 3, count: COUNT, startTimeMs: START_MS, rate: 1, malformed: 0.05 });
  database = await freshDatabase();
  await topic.send(0, COUNT);
  const id = randomUUID();
  unstorable = { id, value: JSON.stringify(pageView({ event_id: id, timestamp: '2026-03-01T09:59:00Z' })) };
  await topic.sendRaw([{ value: unstorable.value, partition: 1 }]);
  const pipeline = await handDrivenPipeline(database, { brokers, topic: topic.topic });
  ({ spec } = pipeline);
  // Offsets 0 to 19 of partition 0 are gone before they were read, and somebody accepts that.
  await deleteBefore(0, 20);
  await database.pool.query(`update ${spec.schema}.checkpoints set next_offset = 20 where partition = 0`);
  await database.pool.query(
    `insert into ${spec.schema}.gaps (topic, partition, from_offset, to_offset) values ($1, 0, 0, 20)`,
    [spec.topic],
  );
  await pipeline.ingest();
  await pipeline.close(START_MS + 300_000);
});

afterAll(async () => {
  await topic.remove();
});

test('offsets accepted as lost are counted and no difference', async () => {
  const verification = await verify();
  expect(broken(verification)).toEqual([]);
  expect(verification.coverage.acceptedGaps).toBe(20);
  expect(verification.coverage.beyondRecount).toBe(0);
});

test('rows whose messages the log no longer holds are counted and not called foreign', async () => {
  await deleteBefore(2, 50);
  const verification = await verify();
  expect(broken(verification)).toEqual([]);
  expect(verification.coverage.beyondRecount).toBe(50);
});

test('a valid message that PostgreSQL refused to store is a dead letter and no missing event', async () => {
  const tables = spec.schema;
  const { rows } = await database.pool.query<{ kafka_offset: string }>(
    `delete from ${tables}.events where event_id = $1 returning kafka_offset`,
    [unstorable.id],
  );
  await database.pool.query(
    `insert into ${tables}.dead_letters (kafka_partition, kafka_offset, kafka_timestamp, value, headers, reason, detail)
     values (1, $1, now(), $2, '[]', 'unstorable', 'The row was refused.')`,
    [rows[0]?.kafka_offset, Buffer.from(unstorable.value)],
  );
  await database.pool.query(
    `update ${tables}.checkpoints set recorded = recorded - 1, rejected = rejected + 1 where partition = 1`,
  );
  const verification = await verify();
  // The event has already been in its windows.
  expect(broken(verification).filter((name) => / (events|dead letters)$/.test(name))).toEqual([]);
  expect(verification.coverage.unstorable).toBe(1);
});

test('a topic that ends before a checkpoint is a difference', async () => {
  await database.pool.query(
    `update ${spec.schema}.checkpoints set next_offset = next_offset + 3, skipped = skipped + 3 where partition = 1`,
  );
  expect(broken(await verify())).toContain('end of log');
}, 90_000);

test('the command exits 1 when something differs and prints the same as JSON', () => {
  const { status, stdout } = weir(['verify', '--json'], {});
  expect(status).toBe(1);
  const verification: Verification = JSON.parse(stdout);
  expect(broken(verification)).toContain('end of log');
});

test('the command says in one sentence which server it cannot reach, and exits 2', () => {
  for (const wrong of [
    { WEIR_POSTGRES_URL: 'postgres://nobody:nothing@127.0.0.1:1/none' },
    { WEIR_SCHEMA: 'no_such_schema' },
    { WEIR_TOPIC: 'no-such-topic' },
  ]) {
    const { status, stdout, stderr } = weir(['verify'], wrong);
    expect(status, JSON.stringify(wrong)).toBe(2);
    expect(stdout).toBe('');
    expect(stderr.trim().split('\n'), JSON.stringify(wrong)).toHaveLength(1);
  }
}, 90_000);

function weir(args: string[], env: Record<string, string>): { status: number | null; stdout: string; stderr: string } {
  const main = fileURLToPath(new URL('../../cli/weir.js', import.meta.url));
  return spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    env: {
      ...process.env,
      WEIR_KAFKA_BROKERS: brokers.join(','),
      WEIR_POSTGRES_URL: postgresUrl,
      WEIR_TEMPORAL_ADDRESS: temporalAddress,
      WEIR_SCHEMA: spec.schema,
      WEIR_TOPIC: spec.topic,
      ...env,
    },
  });
}
