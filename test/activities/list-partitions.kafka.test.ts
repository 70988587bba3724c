// Finding the partitions of a topic: each gets a checkpoint once, and a schema that is no pipeline's gets none.
import { beforeAll, describe, expect, inject, test } from 'vitest';

import { createListPartitions } from '../../activities/list-partitions.ts';
import { ensureTopic } from '../../kafka/topics.ts';
import { readCheckpoints } from '../../postgres/checkpoints.ts';
import { restoreSnapshot } from '../../postgres/restore-snapshot.ts';
import { takeSnapshot } from '../../postgres/take-snapshot.ts';
import { dropSchemasOf } from '../support/snapshot-schemas.ts';
import { windowedPipeline } from '../support/windowed-pipeline.ts';

const { kafkaBrokers } = inject('servers');
const pipeline = await windowedPipeline();
dropSchemasOf(pipeline);
const { pool, schema, spec, url } = pipeline;
const listPartitions = createListPartitions({ pool, kafkaBrokers });
const FOR_GOOD = { type: 'ForeignSchema', nonRetryable: true };

beforeAll(async () => {
  await ensureTopic({ brokers: kafkaBrokers, topic: spec.topic, partitions: 3 });
});

describe('listPartitions', () => {
  test('makes a checkpoint for each partition, and leaves those that are there', async () => {
    expect(await listPartitions({ spec })).toEqual({ partitions: [0, 1, 2] });
    await pool.query(`update ${schema}.checkpoints set epoch = 7 where partition = 1`);
    expect(await listPartitions({ spec })).toEqual({ partitions: [0, 1, 2] });
    expect((await readCheckpoints(pool, spec)).map(({ epoch }) => epoch)).toEqual([0, 7, 0]);
  });

  test('refuses a schema that was restored, for good, so that a pipeline started there ends', async () => {
    await takeSnapshot(pool, { schema, name: 'kept' });
    const to = `${schema}_r`;
    await restoreSnapshot({ url, schema, name: 'kept', to });
    const message = expect.stringMatching(
      new RegExp(`^Schema ${to} was restored from snapshot kept of schema ${schema},`),
    );
    await expect(listPartitions({ spec: { ...spec, schema: to } })).rejects.toMatchObject({ ...FOR_GOOD, message });
  });

  test('refuses a schema that holds another topic', async () => {
    const other = { ...spec, topic: `${spec.topic}-other` };
    await ensureTopic({ brokers: kafkaBrokers, topic: other.topic, partitions: 1 });
    await expect(listPartitions({ spec: other })).rejects.toMatchObject(FOR_GOOD);
  });
});
