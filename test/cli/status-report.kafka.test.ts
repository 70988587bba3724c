// What `weir status` counts over a rewind, and what it says of dead letters that do not reach their topic.
import { expect, inject, test } from 'vitest';

import { openStatusReader } from '../../cli/status-report.ts';
import type { StatusReport } from '../../cli/status-report.ts';
import { summaryLines } from '../../cli/status-text.ts';
import { ensureDeadLetterTopic } from '../../kafka/dead-letter-topic.ts';
import { openEventWriter } from '../../kafka/event-writer.ts';
import { deadLetterTopic } from '../../pipeline/ids.ts';
import { resolveSettings } from '../../pipeline/settings.ts';
import { rewindPartition } from '../../postgres/rewind.ts';
import { freshTopic, withAdmin } from '../kafka/fresh-topic.ts';
import { freshDatabase } from '../support/database.ts';
import { handDrivenPipeline } from '../support/hand-driven-pipeline.ts';

const { kafkaBrokers: brokers, postgresUrl, temporalAddress } = inject('servers');

test('totals are those of all runs, a partition tells its present run; letters that wait too long are said with the reason', async () => {
  const { topic, client } = await freshTopic();
  const database = await freshDatabase();
  const { pool, schema } = database;
  const { settings } = resolveSettings({
    flags: {},
    env: {
      WEIR_TOPIC: topic,
      WEIR_SCHEMA: schema,
      WEIR_HOME: '/nonexistent/weir-home',
      WEIR_KAFKA_BROKERS: brokers.join(','),
      WEIR_POSTGRES_URL: postgresUrl,
      WEIR_TEMPORAL_ADDRESS: temporalAddress,
    },
  });
  const writer = await openEventWriter({ brokers, topic });
  await writer.write(Array.from({ length: 5 }, (_, index) => ({ key: null, value: Buffer.from(`[${index}]`) })));
  await writer.close();
  const pipeline = await handDrivenPipeline(database, { brokers, topic });
  await pipeline.ingest();
  await rewindPartition(pool, pipeline.spec, { partition: 0, toOffset: 2, why: 'a test' });
  await pipeline.ingest();

  const reader = await openStatusReader(settings);
  const look = async (): Promise<StatusReport> => await reader.read();
  const first = await look();
  expect(first.totals).toMatchObject({ recorded: 0, rejected: 8, duplicate: 0, skipped: 0 });
  expect(first.partitions).toMatchObject([{ partition: 0, rejected: 3, nextOffset: '5' }]);
  expect(first.publication).toMatchObject({ topic: deadLetterTopic(topic), waiting: 5, atLeast: false, problem: null });

  await pool.query(`update "${schema}".dead_letters set created_at = now() - interval '1 hour'`);
  const late = await look();
  expect(late.publication.problem).toContain(
    `Kafka has no topic ${deadLetterTopic(topic)}: \`weir up --create-topic\``,
  );
  expect(summaryLines(late).at(-1)).toMatch(/^ {2}Dead letters wait .* \(5 letters, for up to 1h\)$/);
  await ensureDeadLetterTopic({ brokers, topic });
  expect((await look()).publication.problem).toContain(`workflow letters/${topic} in the Web UI says why`);
  await pool.query(`update "${schema}".dead_letters set published_at = now()`);
  expect((await look()).publication).toMatchObject({ waiting: 0, waitedSeconds: 0, problem: null });
  await reader.close();
  await withAdmin(client, (admin) => admin.deleteTopics({ topics: [topic, deadLetterTopic(topic)] }));
}, 180_000);
