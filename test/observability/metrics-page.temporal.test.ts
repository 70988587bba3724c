// The page of a worker that really runs: every declared metric with values that fit the tables, in few series whatever comes in.
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { ensureDeadLetterTopic } from '../../kafka/dead-letter-topic.ts';
import { ensureTopic } from '../../kafka/topics.ts';
import { RETRY_CAUSES } from '../../observability/ingest-metrics.ts';
import { METRICS } from '../../observability/metric-list.ts';
import { CONNECTION_STATES } from '../../observability/worker-metrics.ts';
import { AGGREGATES } from '../../pipeline/aggregates.ts';
import { LETTER_STATUSES } from '../../pipeline/dead-letter.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { REJECTION_REASONS } from '../../pipeline/rejection.ts';
import { readCheckpoints } from '../../postgres/checkpoints.ts';
import { recordVerification } from '../../postgres/verifications.ts';
import type { generateEvents } from '../../workflows/generate-events.ts';
import { CORPUS } from '../corpus/corpus.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { seededTopic } from '../support/seeded-topic.ts';
import type { SeededTopic } from '../support/seeded-topic.ts';
import { temporalPipeline } from '../support/temporal-pipeline.ts';
import type { TemporalPipeline } from '../support/temporal-pipeline.ts';
import { A_CLEAN_RUN } from '../support/verification-run.ts';
import { ProbedWorker } from '../workers/probed-worker.ts';
import { seriesOf } from './metrics-text.ts';
import type { Series } from './metrics-text.ts';

const PARTITIONS = 3;
const COUNT = 6_000;
const SPAN_MS = 3_600_000;
const START_MS = Math.floor(Date.now() / 60_000) * 60_000 - 3 * SPAN_MS;
const RESULTS = [...AGGREGATES.map(({ name }) => name), 'funnel', 'sessions'];
const HAS_PROMTOOL = spawnSync('promtool', ['--version']).error === undefined;

let topic: SeededTopic;
let database: TestDatabase;
let worker: ProbedWorker;
let pipeline: TemporalPipeline;
let connection: Connection;
let spec: PipelineSpec;
const generator = createGeneratorSpec({ topic: `generator-${randomUUID()}`, name: 'shop', rate: 50 });
let page: string;
let series: Series[];
let temporalPage: string;

beforeAll(async () => {
  const servers = inject('servers');
  const brokers = servers.kafkaBrokers;
  database = await freshDatabase();
  const shape = { disorder: 0.01, duplicates: 0.005, malformed: 0.01, late: 0.01, users: 200, seed: 9 };
  const rate = COUNT / (SPAN_MS / 1000);
  topic = await seededTopic(brokers, { partitions: PARTITIONS, count: COUNT, startTimeMs: START_MS, rate, ...shape });
  await ensureDeadLetterTopic({ brokers, topic: topic.topic });
  await ensureTopic({ brokers, topic: generator.topic, partitions: 1 });
  spec = {
    topic: topic.topic,
    schema: database.schema,
    latenessMs: 60_000,
    idleAfterMs: 3_600_000,
    maxFutureMs: 300_000,
    amendHorizonMs: 86_400_000,
    amendIntervalMs: 1_000,
    retentionMs: null,
  };
  await recordVerification(database.pool, spec, A_CLEAN_RUN);
  worker = await ProbedWorker.open(servers);
  await worker.start({ telemetryAddress: 'localhost:0' });
  const { taskQueues } = worker;
  connection = await Connection.connect({ address: servers.temporalAddress });
  await new Client({ connection }).workflow.start<typeof generateEvents>('generateEvents', {
    taskQueue: taskQueues.generator,
    workflowId: generator.topic,
    args: [{ spec: generator, options: { taskQueues } }],
  });
  pipeline = await temporalPipeline(servers, database, { spec, partitions: PARTITIONS, taskQueues });
  await topic.send(0, COUNT * 0.7);
  await pipeline.writtenThrough(START_MS + SPAN_MS / 2, 240_000);
  await topic.send(COUNT * 0.7, COUNT);
  await sendHostile();
  await pipeline.endOfStream(240_000);
  // The look that counts letters comes every few seconds.
  await eventually(showEverything, { deadlineMs: 120_000, what: 'the page shows the end of the stream' });
  temporalPage = await worker.temporalPage();
}, 600_000);

afterAll(async () => {
  await new Client({ connection }).workflow.getHandle(generator.topic).terminate('The test is over.');
  await pipeline.stop();
  await worker.close();
  await connection.close();
  await topic.remove();
}, 120_000);

async function sendHostile(): Promise<void> {
  // Larger ones are refused by the broker; a timestamp ahead of its clock too. Events without a Kafka time may be of any year.
  const sent = CORPUS.filter(
    ({ value, verdict, timestampMs }) => (value?.length ?? 0) < 500_000 && (verdict !== 'event' || timestampMs > 0),
  );
  const messages = sent.map(({ value, headers, timestampMs }, index) => ({
    value,
    headers,
    key: `hostile ${index}`,
    partition: index % PARTITIONS,
    timestampMs: Math.min(timestampMs, Date.now()),
  }));
  await topic.sendRaw(messages);
}

async function showEverything(): Promise<true> {
  page = await worker.page('/metrics');
  series = seriesOf(page);
  for (const name of ['weir_lag_offsets', 'weir_letters_waiting', 'weir_window_overdue_seconds']) {
    expect(sum(name), name).toBe(0);
  }
  expect(sum('weir_dead_letters')).toBe(sum('weir_events_rejected_total'));
  return true;
}

const found = (name: string, labels: Readonly<Record<string, string>> = {}): Series[] =>
  series.filter(
    (one) => one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value),
  );
const sum = (name: string, labels?: Readonly<Record<string, string>>): number => {
  const all = found(name, labels);
  expect(all.length, `series of ${name}`).toBeGreaterThan(0);
  return all.reduce((total, { value }) => total + value, 0);
};

const rowsIn = async (table: string): Promise<number> => {
  const { rows } = await database.pool.query<{ n: number }>(`select count(*)::int as n from "${spec.schema}".${table}`);
  return rows[0]?.n ?? 0;
};

describe('the page of a worker that runs a pipeline', () => {
  // What Kafka has never refused has no series yet.
  const always = METRICS.filter(({ name }) => name !== 'weir_generator_errors_total');
  test.each(always)('shows $name', ({ name, kind, labels }) => {
    const all = found(kind === 'histogram' ? `${name}_count` : name);
    expect(all.length).toBeGreaterThan(0);
    for (const { labels: shown, value } of all) {
      expect(Object.keys(shown).toSorted()).toEqual([...labels].toSorted());
      expect(value).toBeGreaterThanOrEqual(0);
    }
  });

  test('accounts for every message, and for rows and letters as the tables do', async () => {
    const checkpoints = await readCheckpoints(database.pool, spec);
    for (const { partition, counts } of checkpoints) {
      for (const what of ['recorded', 'duplicate', 'late', 'rejected', 'skipped'] as const) {
        expect(sum(`weir_events_${what}_total`, { partition: String(partition) }), what).toBe(counts[what]);
      }
    }
    expect(sum('weir_partitions')).toBe(PARTITIONS);
    expect(sum('weir_events_late_total')).toBeGreaterThan(0);
    expect(sum('weir_batch_rows_sum')).toBe(sum('weir_events_recorded_total') + sum('weir_events_rejected_total'));
    expect(sum('weir_dead_letters', { status: 'open' })).toBe(await rowsIn('dead_letters'));
    expect(sum('weir_letters_published_total')).toBeGreaterThanOrEqual(await rowsIn('dead_letters'));
  });

  test('times every stage of every batch, and what a row weighs', () => {
    const batches = sum('weir_batches_committed_total');
    expect(batches).toBeGreaterThan(PARTITIONS);
    for (const stage of ['fetch', 'parse', 'encode', 'commit']) {
      expect(sum(`weir_${stage}_seconds_count`), stage).toBe(batches);
      expect(sum(`weir_${stage}_seconds_sum`), stage).toBeGreaterThan(0);
    }
    const bytesARow = sum('weir_batch_bytes_sum') / sum('weir_batch_rows_sum');
    expect(bytesARow).toBeGreaterThan(100);
    expect(bytesARow).toBeLessThan(20_000);
    // Its events are hours old, and so say their timestamps in Kafka.
    expect(sum('weir_event_time_to_commit_seconds_sum') / batches).toBeGreaterThan(3_600);
    expect(sum('weir_produce_to_commit_seconds_count')).toBeLessThanOrEqual(batches);
  });

  test('counts the windows that closed and their rows, and says that none is open or overdue', () => {
    for (const aggregate of RESULTS) {
      const written = sum('weir_result_rows_written_total', { aggregate });
      expect(written, aggregate).toBeGreaterThan(0);
      expect(sum('weir_windows_closed_total', { aggregate }), aggregate).toBeGreaterThan(0);
      expect(sum('weir_windows_closed_total', { aggregate }), aggregate).toBeLessThanOrEqual(written);
    }
    expect(sum('weir_windows_open')).toBe(0);
    expect(sum('weir_late_events_waiting')).toBe(0);
    expect(sum('weir_closed_through_seconds')).toBeLessThanOrEqual(sum('weir_low_watermark_seconds'));
    expect(sum('weir_closed_through_seconds')).toBeGreaterThan((START_MS + SPAN_MS) / 1000 - 120);
    expect(sum('weir_close_seconds_count')).toBeGreaterThanOrEqual(sum('weir_close_delay_seconds_count'));
    expect(sum('weir_close_delay_seconds_count')).toBeGreaterThan(0);
  });

  test('says how its partitions, its servers and its process are', () => {
    for (const name of ['weir_lease_held', 'weir_worker_ready']) {
      expect(found(name).map(({ value }) => value)).not.toContain(0);
    }
    expect(found('weir_lease_held')).toHaveLength(PARTITIONS);
    expect(sum('weir_dependency_up')).toBe(3);
    expect(sum('weir_partition_lost_range')).toBe(0);
    expect(sum('weir_partition_idle')).toBe(0);
    expect(sum('weir_event_time_lag_seconds')).toBe(0);
    expect(sum('weir_postgres_connections', { state: 'idle' })).toBeGreaterThan(0);
    expect(sum('weir_disk_free_bytes')).toBeLessThan(sum('weir_disk_size_bytes'));
    const { version }: { version: string } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(found('weir_build_info')[0]?.labels).toEqual({ version, node: process.version });
    expect(sum('weir_generator_messages_total')).toBeGreaterThan(0);
    expect(sum('weir_generator_target_per_second')).toBe(50);
    for (const name of ['process_start_time_seconds', 'nodejs_eventloop_lag_p99_seconds']) {
      expect(sum(name), name).toBeGreaterThan(0);
    }
  });

  test.skipIf(!HAS_PROMTOOL)(
    "passes Prometheus's own check of names and help (promtool, Debian package prometheus)",
    () => {
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' });
      expect(stdout + stderr).toBe('');
      expect(status).toBe(0);
    },
  );

  test('says nothing that a message said, and has no more series than the declared labels allow', () => {
    const values: Readonly<Record<string, readonly string[]>> = {
      partition: Array.from({ length: PARTITIONS }, (_, partition) => String(partition)),
      reason: REJECTION_REASONS,
      cause: RETRY_CAUSES,
      aggregate: RESULTS,
      status: LETTER_STATUSES,
      state: CONNECTION_STATES,
      dependency: ['temporal', 'postgres', 'kafka'],
      generator: [generator.name],
    };
    let most = 0;
    for (const { name, labels, kind, buckets = [] } of METRICS) {
      const own = series.filter((one) => one.name.replace(/_(bucket|sum|count)$/, '') === name || one.name === name);
      for (const label of labels) {
        const allowed = label === 'topic' ? [topic.topic, generator.topic] : values[label];
        const strange = own.filter((one) => allowed && !allowed.includes(one.labels[label] ?? ''));
        expect(strange, `${label} of ${name}`).toEqual([]);
      }
      // Each metric is of one topic here; versions and errors have few values too.
      const combinations = labels.reduce((product, label) => product * (values[label]?.length ?? 1), 1);
      const bound = combinations * (kind === 'histogram' ? buckets.length + 3 : 1);
      expect(own.length, `series of ${name}`).toBeLessThanOrEqual(bound);
      most += bound;
    }
    expect(series.filter(({ name }) => name.startsWith('weir_')).length).toBeLessThanOrEqual(most);
  });

  test("serves the metrics of Temporal's SDK on an address of their own", () => {
    const names = new Set(seriesOf(temporalPage).map(({ name }) => name));
    expect(names).toContain('temporal_worker_task_slots_available');
    expect([...names].some((name) => name.startsWith('temporal_activity_schedule_to_start_latency'))).toBe(true);
    expect([...names].some((name) => name.startsWith('weir_'))).toBe(false);
  });
});
