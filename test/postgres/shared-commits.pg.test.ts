// Batches of several partitions in one transaction: as exactly once as alone, and none suffers for another.
import { beforeEach, expect, onTestFinished, test } from 'vitest';

import { must } from '../../pipeline/ensure.ts';
import { countsOf } from '../../pipeline/micro-batch.ts';
import { FencedError } from '../../postgres/batch-committer.ts';
import { takeLease } from '../../postgres/checkpoints.ts';
import { sharedCommitSql } from '../../postgres/commit-sql.ts';
import { moveClosedThrough } from '../../postgres/closed-through.ts';
import { fusedCopy } from '../../postgres/fused-copy.ts';
import { SharedCommits } from '../../postgres/shared-commits.ts';
import { eventually } from '../support/eventually.ts';
import { GatheredCommits } from '../support/gathered-commits.ts';
import { brokenChecks, checkpointOf, holdPartition, microBatch } from '../support/micro-batches.ts';
import type { HeldPartition } from '../support/micro-batches.ts';
import { messageOf, pageView } from '../support/messages.ts';
import { windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

const PARTITIONS = [0, 1, 2, 3];
let pipeline: WindowedPipeline;
let held: HeldPartition[];

beforeEach(async () => {
  pipeline = await windowedPipeline();
  const shared = new GatheredCommits(new SharedCommits(pipeline.pool));
  shared.gather(PARTITIONS.length);
  held = [];
  for (const partition of PARTITIONS) held.push(await holdPartition(pipeline, partition, shared));
});

const oneEach = (changes: (partition: number) => Record<string, unknown> = () => ({})) =>
  held.map(async (each, partition) => await each.commit([messageOf(0, pageView(changes(partition)))]));

async function count(from: string): Promise<number> {
  const { rows } = await pipeline.pool.query<{ n: number }>(
    `select count(*)::int as n from ${pipeline.schema}.${from}`,
  );
  return rows[0]?.n ?? 0;
}

async function nextOffsets(): Promise<number[]> {
  return await Promise.all(PARTITIONS.map(async (partition) => (await checkpointOf(pipeline, partition)).nextOffset));
}

/** Locks the checkpoint of a partition until the returned function is called, at the latest until the test is over. */
async function holdCheckpoint(partition: number): Promise<() => Promise<void>> {
  const client = await pipeline.pool.connect();
  await client.query('begin');
  await client.query(`select from ${pipeline.schema}.checkpoints where partition = $1 for update`, [partition]);
  let isHeld = true;
  const free = async (): Promise<void> => {
    if (!isHeld) return;
    isHeld = false;
    await client.query('rollback');
    client.release();
  };
  onTestFinished(free);
  return free;
}

test('batches that come while another one commits go in together, each with its own counts', async () => {
  const committed = await Promise.all(
    held.map(
      async (each, partition) =>
        await each.commit(Array.from({ length: partition + 1 }, (_, offset) => messageOf(offset, pageView()))),
    ),
  );
  expect(committed.map(({ counts, staged }) => [counts.recorded, staged])).toEqual([1, 2, 3, 4].map((n) => [n, false]));
  const { rows } = await pipeline.pool.query<{ partitions: number }>(
    `select count(*)::int as partitions from ${pipeline.schema}.checkpoints group by xmin::text order by 1`,
  );
  expect(rows.map(({ partitions }) => partitions)).toEqual([1, 3]);
  expect(await count('events')).toBe(10);
  expect(await nextOffsets()).toEqual([1, 2, 3, 4]);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('a partition that another lease has taken over is fenced, and the others commit', async () => {
  await takeLease(pipeline.pool, pipeline.spec, 2);
  const outcomes = await Promise.allSettled(oneEach());
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  expect(outcomes[2]).toMatchObject({ reason: expect.any(FencedError) });
  expect(await nextOffsets()).toEqual([1, 1, 0, 1]);
  expect(await count('events where kafka_partition = 2')).toBe(0);
});

test('an event that two of them bring is recorded once, and the rest is not in doubt', async () => {
  const twice = pageView()['event_id'];
  const committed = await Promise.all(
    oneEach((partition) => (partition === 3 || partition === 1 ? { event_id: twice } : {})),
  );
  expect(committed.reduce((sum, { counts }) => sum + counts.recorded, 0)).toBe(3);
  expect(committed.reduce((sum, { counts }) => sum + counts.duplicate, 0)).toBe(1);
  expect(await count('events')).toBe(3);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('an event whose window closed meanwhile is marked late, in whichever transaction it is', async () => {
  await moveClosedThrough(pipeline.pool, pipeline.spec, Date.parse('2026-11-01T10:01:00Z'));
  const committed = await Promise.all(
    oneEach((partition) => (partition === 2 ? {} : { timestamp: '2026-11-01T10:01:00.000Z' })),
  );
  expect(committed.map(({ counts }) => counts.late)).toEqual([0, 0, 1, 0]);
  expect(await count('late_events')).toBe(1);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('a partition whose checkpoint somebody holds does not hold up the others', async () => {
  const free = await holdCheckpoint(2);
  const commits = oneEach();
  await Promise.all(commits.filter((_, partition) => partition !== 2));
  expect(await nextOffsets()).toEqual([1, 1, 0, 1]);
  await free();
  await commits[2];
  expect(await nextOffsets()).toEqual([1, 1, 1, 1]);
});

test('when the session is ended every batch of the transaction hears of it, and none is half there', async () => {
  // The last of the shared ones, so that those before it have moved their checkpoints.
  await holdCheckpoint(3);
  const outcomes = Promise.allSettled(oneEach());
  await eventually(
    async () => {
      const { rowCount } = await pipeline.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where strpos(query, $1) > 0 and strpos(query, 'batches_of') > 0 and wait_event_type = 'Lock'`,
        [`select '${pipeline.schema}/`],
      );
      return rowCount === 1;
    },
    { deadlineMs: 10_000, what: 'the shared transaction waits for the row' },
  );
  expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected']);
  expect(await nextOffsets()).toEqual([1, 0, 0, 0]);
  expect(await count('events')).toBe(1);
});

test('taking over any of its partitions ends a shared transaction that froze in the middle of its copy', async () => {
  const batches = [1, 11].map((partition) => ({ partition, batch: microBatch([messageOf(0, pageView())]) }));
  for (const { partition } of batches.slice(1)) await holdPartition(pipeline, partition);
  const sql = sharedCommitSql(
    batches.map(({ partition, batch }) => ({
      claim: { spec: pipeline.spec, partition, epoch: 1 },
      step: {
        batch,
        counts: countsOf(batch, 0),
        maxOccurredAtMs: null,
        minOnTimeMs: null,
        closedThroughMs: -Infinity,
        replays: [],
      },
      rows: Buffer.alloc(0),
    })),
  );
  const { client } = must(held[0], 'a connection');
  // Without the data that it waits for, as when its process stands still.
  const frozen = fusedCopy(client, sql, []);
  frozen.catch(() => {});
  await eventually(
    async () => {
      const inCopy = `select from pg_stat_progress_copy where relid = '${pipeline.schema}.events'::regclass`;
      return (await pipeline.pool.query(inCopy)).rowCount === 1;
    },
    { deadlineMs: 10_000, what: 'the copy has begun' },
  );
  const { epoch } = await takeLease(pipeline.pool, pipeline.spec, 11);
  expect(epoch).toBe(2);
  await expect(frozen).rejects.toThrow(/terminat/);
  expect(await nextOffsets()).toEqual([0, 0, 0, 0]);
});
