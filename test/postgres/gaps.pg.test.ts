// Accepting a gap: one transaction that fences, records and goes on; the offsets stay accounted for; twice is once.
import { Client } from 'pg';
import { afterAll, beforeEach, expect, test } from 'vitest';

import { checkPartitions } from '../../pipeline/check-partitions.ts';
import { unaccountedOffsets } from '../../pipeline/checkpoint.ts';
import type { Checkpoint } from '../../pipeline/checkpoint.ts';
import { formMicroBatch } from '../../pipeline/micro-batch.ts';
import type { MicroBatch } from '../../pipeline/micro-batch.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import { RecentIdentities } from '../../pipeline/recent-identities.ts';
import { BatchCommitter, FencedError } from '../../postgres/batch-committer.ts';
import { readRuns } from '../../postgres/checkpoint-runs.ts';
import { ensureCheckpoint, readCheckpoint, takeLease } from '../../postgres/checkpoints.ts';
import { acceptGap, readGaps } from '../../postgres/gaps.ts';
import { clientConfig } from '../../postgres/pool.ts';
import { countPartitionRows } from '../../postgres/verify-partitions.ts';
import { eventually } from '../support/eventually.ts';
import { messageOf, pageView } from '../support/messages.ts';
import { windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

const clients: Client[] = [];
let pipeline: WindowedPipeline;

beforeEach(async () => {
  pipeline = await windowedPipeline();
  await ensureCheckpoint(pipeline.pool, pipeline.spec, { partition: 0, firstOffset: 5 });
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
});

async function connect(): Promise<Client> {
  const client = new Client(clientConfig({ url: pipeline.url }));
  client.on('error', () => {});
  await client.connect();
  clients.push(client);
  return client;
}

async function lease(): Promise<BatchCommitter> {
  const { epoch } = await takeLease(pipeline.pool, pipeline.spec, 0);
  return new BatchCommitter(await connect(), { spec: pipeline.spec, partition: 0, epoch });
}

/** One page view at each of the offsets `[from, to)`. */
function batch(from: number, to: number): MicroBatch {
  const messages = Array.from({ length: to - from }, (_, index) => messageOf(from + index, pageView()));
  const judge = (message: (typeof messages)[number]) => parseMessage(message, pipeline.spec);
  return formMicroBatch({ messages, fromOffset: from, nextOffset: to }, judge, new RecentIdentities());
}

const commit = (committer: BatchCommitter, from: number, to: number) =>
  committer.commit(committer.prepare(batch(from, to)));

const accept = (logStartOffset: number) => acceptGap(pipeline.pool, pipeline.spec, { partition: 0, logStartOffset });

async function checkpoint(): Promise<Checkpoint> {
  const found = await readCheckpoint(pipeline.pool, pipeline.spec, 0);
  if (!found) throw new Error('no checkpoint');
  return found;
}

async function differences(): Promise<number[]> {
  const runs = await readRuns(pipeline.pool, pipeline.spec);
  const { checks } = checkPartitions(runs, await countPartitionRows(pipeline.pool, pipeline.spec));
  return checks.map((check) => check.differences);
}

test('the checkpoint goes on at the log start, and what lies between is a gap', async () => {
  await commit(await lease(), 5, 8);
  const { gap, isNew, nextOffset } = await accept(20);
  expect({ isNew, nextOffset }).toEqual({ isNew: true, nextOffset: 20 });
  expect(gap).toMatchObject({ partition: 0, fromOffset: 8, toOffset: 20 });
  expect(await checkpoint()).toMatchObject({ firstOffset: 5, nextOffset: 20, counts: { recorded: 3 } });
  expect(await readGaps(pipeline.pool, pipeline.spec)).toEqual([gap]);
});

test('offsets are accounted for over two gaps with events before, between and after them', async () => {
  await commit(await lease(), 5, 8);
  await accept(20);
  await commit(await lease(), 20, 24);
  await accept(31);
  await commit(await lease(), 31, 33);
  expect(unaccountedOffsets(await checkpoint())).toBe(20 - 8 + (31 - 24));
  expect(await differences()).toEqual([0, 0, 0, 0, 0]);
});

test('without its row in gaps the same checkpoint would be a difference', async () => {
  await accept(20);
  await pipeline.pool.query(`delete from ${pipeline.schema}.gaps`);
  expect((await differences())[0]).toBe(15);
});

test('accepting again changes nothing and tells the gap that is there', async () => {
  const first = await accept(20);
  const before = await checkpoint();
  const again = await accept(20);
  expect(again).toEqual({ gap: first.gap, isNew: false, nextOffset: 20 });
  expect(await checkpoint()).toEqual(before);
  expect(await readGaps(pipeline.pool, pipeline.spec)).toHaveLength(1);
});

test.each([0, 5])(
  'with nothing missing (log start %i, checkpoint 5) nothing changes, not even the epoch',
  async (at) => {
    const committer = await lease();
    const before = await checkpoint();
    expect(await accept(at)).toEqual({ gap: null, isNew: false, nextOffset: 5 });
    expect(await checkpoint()).toEqual(before);
    await commit(committer, 5, 6);
    expect(await readGaps(pipeline.pool, pipeline.spec)).toEqual([]);
  },
);

test('of two who accept at once one records the gap', async () => {
  const both = await Promise.all([accept(20), accept(20)]);
  expect(both.filter(({ isNew }) => isNew)).toHaveLength(1);
  expect(await readGaps(pipeline.pool, pipeline.spec)).toHaveLength(1);
  expect(await checkpoint()).toMatchObject({ nextOffset: 20 });
});

test('a lease of before commits nothing any more, wherever it goes on', async () => {
  const committer = await lease();
  await commit(committer, 5, 8);
  await accept(20);
  await expect(commit(committer, 8, 9)).rejects.toThrow(FencedError);
  await expect(commit(committer, 20, 21)).rejects.toThrow(FencedError);
  expect(await checkpoint()).toMatchObject({ nextOffset: 20, counts: { recorded: 3 } });
  expect(await differences()).toEqual([0, 0, 0, 0, 0]);
});

test('a commit that comes first is kept, and the gap begins behind it', async () => {
  const committer = await lease();
  const rival = await connect();
  await rival.query('begin');
  await rival.query(`select 1 from ${pipeline.schema}.checkpoints for update`);
  const waiting = async (count: number): Promise<void> => {
    await eventually(
      async () => {
        const { rows } = await pipeline.pool.query<{ n: number }>(
          `select count(*)::int as n from pg_locks where not granted and pid in
            (select pid from pg_stat_activity where query like '%' || $1 || '%')`,
          [pipeline.schema],
        );
        return rows[0]?.n === count;
      },
      { deadlineMs: 10_000, what: `${count} wait for the row` },
    );
  };
  const committed = commit(committer, 5, 8);
  await waiting(1);
  const accepted = accept(20);
  await waiting(2);
  await rival.query('commit');
  await committed;
  expect((await accepted).gap).toMatchObject({ fromOffset: 8, toOffset: 20 });
  expect(await differences()).toEqual([0, 0, 0, 0, 0]);
});

test('a partition that nobody has started has nothing to accept', async () => {
  await expect(acceptGap(pipeline.pool, pipeline.spec, { partition: 7, logStartOffset: 3 })).rejects.toThrow(
    /no checkpoint of partition 7 .*start the pipeline first/,
  );
});
