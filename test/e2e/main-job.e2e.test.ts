// The whole way of 200,000 messages through real servers, held to a recount in memory that shares no code with the product.
import { expect, inject, onTestFinished, test } from 'vitest';

import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { freshDatabase } from '../support/database.ts';
import { differences, recount } from '../support/recount.ts';
import { readResults } from '../support/result-recount.ts';
import { seededTopic } from '../support/seeded-topic.ts';
import { temporalPipeline } from '../support/temporal-pipeline.ts';

const COUNT = 200_000;
const PARTITIONS = 6;
const SPAN_MS = 3_600_000;
const START_MS = Date.parse('2026-03-01T10:00:00Z');

test('200,000 events with disorder, duplicates, malformed and late ones become the five results, cell by cell', async () => {
  const servers = inject('servers');
  const brokers = servers.kafkaBrokers;
  const database = await freshDatabase();
  const topic = await seededTopic(brokers, {
    partitions: PARTITIONS,
    count: COUNT,
    startTimeMs: START_MS,
    rate: COUNT / (SPAN_MS / 1000),
    seed: 20_260_301,
    users: 2000,
    disorder: 0.01,
    duplicates: 0.005,
    malformed: 0.002,
    late: 0.001,
  });
  onTestFinished(async () => await topic.remove());
  const spec: PipelineSpec = {
    topic: topic.topic,
    schema: database.schema,
    latenessMs: 60_000,
    // No idleness between the two halves: the clock on the wall is far ahead of this history.
    idleAfterMs: 3_600_000,
    maxFutureMs: 300_000,
    amendHorizonMs: 86_400_000,
    amendIntervalMs: 1000,
    retentionMs: null,
  };
  const pipeline = await temporalPipeline(servers, database, { spec, partitions: PARTITIONS });
  // Windows close while the rest is on its way: otherwise nothing of a history is late.
  await topic.send(0, COUNT * 0.7);
  await pipeline.writtenThrough(START_MS + SPAN_MS / 2, 120_000);
  await topic.send(COUNT * 0.7, COUNT);
  await pipeline.endOfStream(180_000);
  await pipeline.stop();

  const expected = recount(topic.messages());
  const found = await readResults(database.pool, database.schema);
  for (const [table, rows] of Object.entries(expected.tables)) {
    expect(found[table]?.length, table).toBe(rows.length);
    expect(differences(rows, found[table] ?? []), table).toEqual([]);
  }

  const verification = await verifyPipeline({ brokers, postgresUrl: database.url, spec });
  expect(verification.checks.filter((check) => check.differences > 0)).toEqual([]);
  const counted = new Map(verification.checks.map((check) => [check.name, check.found]));
  expect(counted.get('recorded')).toBe(expected.events);
  expect(counted.get('late'), 'late events').toBeGreaterThan(20);
  expect(counted.get('duplicates'), 'duplicates').toBeGreaterThan(500);
  expect(counted.get('rejected'), 'rejected messages').toBeGreaterThan(200);
  expect(verification.coverage).toMatchObject({ recountedMessages: COUNT, lateWaiting: 0, lateBeyondHorizon: 0 });
}, 400_000);
