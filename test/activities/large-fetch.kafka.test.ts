// A small compressed fetch can hold very many events: they are committed in micro-batches of bounded size all the same.
import { Client } from 'pg';
import { CompressionTypes } from 'kafkajs';
import { expect, inject, test } from 'vitest';

import { CommitChain } from '../../activities/commit-chain.ts';
import { openPartitionReader } from '../../kafka/partition-reader.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { must } from '../../pipeline/ensure.ts';
import { ensureCheckpoint, readCheckpoint, takeLease } from '../../postgres/checkpoints.ts';
import { clientConfig } from '../../postgres/pool.ts';
import { freshTopic, produceWithKafkajs } from '../kafka/fresh-topic.ts';
import { freshDatabase } from '../support/database.ts';
import { pageView } from '../support/messages.ts';

const MESSAGES = 12_000;
const MOST_ROWS = 5_000;

test('one compressed batch of 12,000 events is committed in micro-batches of 5,000 at most', async () => {
  const fresh = await freshTopic({ partitions: 1 });
  const values = Array.from({ length: MESSAGES }, () => ({ value: JSON.stringify(pageView()) }));
  await produceWithKafkajs(fresh, [values], CompressionTypes.GZIP);
  const database = await freshDatabase();
  const spec = {
    topic: fresh.topic,
    schema: database.schema,
    latenessMs: 10_000,
    idleAfterMs: 1_000,
    maxFutureMs: 300_000,
    amendHorizonMs: 86_400_000,
    amendIntervalMs: 1_000,
    retentionMs: null,
  };
  await ensureCheckpoint(database.pool, spec, { partition: 0, firstOffset: 0 });
  const checkpoint = await takeLease(database.pool, spec, 0);
  const client = new Client(clientConfig({ url: database.url }));
  await client.connect();
  const reader = await openPartitionReader({
    brokers: inject('servers').kafkaBrokers,
    topic: fresh.topic,
    partition: 0,
    fromOffset: 0,
  });
  const rows: number[] = [];
  const { ingest } = openMetrics({ processMetrics: false });
  const metrics = {
    ...ingest,
    batchCommitted: (batch: Parameters<typeof ingest.batchCommitted>[0]) => void rows.push(batch.rows),
  };
  try {
    const chain = new CommitChain({ spec, checkpoint, reader, client, metrics });
    await chain.run(
      () => chain.progress().nextOffset < MESSAGES,
      () => {},
    );
  } finally {
    await reader.close();
    await client.end();
  }
  expect(Math.max(...rows)).toBeLessThanOrEqual(MOST_ROWS);
  expect(rows.reduce((sum, count) => sum + count, 0)).toBe(MESSAGES);
  const after = must(await readCheckpoint(database.pool, spec, 0), 'the checkpoint');
  expect(after.counts).toEqual({ recorded: MESSAGES, duplicate: 0, late: 0, rejected: 0, skipped: 0 });
});
