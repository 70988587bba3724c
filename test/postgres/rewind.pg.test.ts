// Rewinding a partition: a new run of counts from an earlier offset, in which nothing is doubled and nothing is lost.
import { beforeEach, expect, test } from 'vitest';

import { FencedError } from '../../postgres/batch-committer.ts';
import { readRuns } from '../../postgres/checkpoint-runs.ts';
import { acceptGap, readGaps } from '../../postgres/gaps.ts';
import { RewindAheadError, rewindPartition } from '../../postgres/rewind.ts';
import { brokenChecks, checkpointOf, holdPartition } from '../support/micro-batches.ts';
import { messageOf, pageView } from '../support/messages.ts';
import { windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

let pipeline: WindowedPipeline;

beforeEach(async () => {
  pipeline = await windowedPipeline();
});

const rewind = (toOffset: number, why = 'a test') =>
  rewindPartition(pipeline.pool, pipeline.spec, { partition: 0, toOffset, why });

/** Four messages, read once: two events, one of them twice, and one refused message. */
async function readFour() {
  const event = pageView();
  const four = [messageOf(0, event), messageOf(1, 'not json'), messageOf(2, event), messageOf(3, pageView())];
  await (await holdPartition(pipeline)).commit(four);
  return four;
}

async function count(table: string): Promise<number> {
  const { rows } = await pipeline.pool.query<{ n: number }>(
    `select count(*)::int as n from ${pipeline.schema}.${table}`,
  );
  return rows[0]?.n ?? -1;
}

test('the checkpoint stands at the offset with no counts, in the next run and epoch, and the old counts are kept', async () => {
  await readFour();
  const before = await checkpointOf(pipeline);
  expect(await rewind(1, 'the rules are newer')).toEqual({
    partition: 0,
    run: 2,
    fromOffset: 4,
    toOffset: 1,
    reachedOffset: 4,
    isNew: true,
  });
  expect(await checkpointOf(pipeline)).toMatchObject({
    run: 2,
    epoch: before.epoch + 1,
    firstOffset: 1,
    nextOffset: 1,
    reachedOffset: 4,
    watermarkMs: before.watermarkMs,
    counts: { recorded: 0, duplicate: 0, late: 0, rejected: 0, skipped: 0 },
  });
  expect(await readRuns(pipeline.pool, pipeline.spec)).toMatchObject([
    { run: 1, firstOffset: 0, nextOffset: 4, counts: before.counts, ended: { why: 'the rules are newer' } },
    { run: 2, firstOffset: 1, nextOffset: 1, ended: null },
  ]);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('rewinding again to where nothing was read since changes nothing', async () => {
  await readFour();
  await rewind(1);
  const before = await checkpointOf(pipeline);
  expect(await rewind(1, 'once more')).toMatchObject({ isNew: false, run: 2, toOffset: 1 });
  expect(await checkpointOf(pipeline)).toEqual(before);
  expect(await readRuns(pipeline.pool, pipeline.spec)).toHaveLength(2);
});

test('a rewind goes forward as far as any run has come, and no further', async () => {
  await readFour();
  await rewind(0);
  expect(await rewind(4)).toMatchObject({ isNew: true, run: 3, fromOffset: 0 });
  await expect(rewind(5)).rejects.toThrow(RewindAheadError);
  await expect(rewind(5)).rejects.toThrow(/read up to offset 4: .* skip messages .* name an offset up to 4/);
  expect(await checkpointOf(pipeline)).toMatchObject({ run: 3, nextOffset: 4 });
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('a partition that nobody has started cannot be rewound', async () => {
  await expect(rewind(0)).rejects.toThrow(/no checkpoint of partition 0 .*start the pipeline first/);
  await expect(rewind(-1)).rejects.toThrow('-1 is not an offset');
});

test('of two who rewind at once one begins the run', async () => {
  await readFour();
  const both = await Promise.all([rewind(1), rewind(1)]);
  expect(both.filter(({ isNew }) => isNew)).toHaveLength(1);
  expect(await checkpointOf(pipeline)).toMatchObject({ run: 2 });
});

test('a lease of before commits nothing any more, also where it stood', async () => {
  const held = await holdPartition(pipeline);
  await held.commit([messageOf(0, pageView())]);
  await rewind(0);
  await expect(held.commit([messageOf(0, pageView())])).rejects.toThrow(FencedError);
  await expect(held.commit([messageOf(1, pageView())])).rejects.toThrow(FencedError);
  expect(await count('events')).toBe(1);
});

test('what is read again is not doubled: events are duplicates, and a refused message keeps its one letter', async () => {
  const four = await readFour();
  await pipeline.pool.query(`update ${pipeline.schema}.dead_letters set status = 'discarded', note = 'seen'`);
  await rewind(0);
  const held = await holdPartition(pipeline);
  const { counts, staged } = await held.commit(four);
  expect({ counts, staged }).toEqual({
    counts: { recorded: 0, duplicate: 3, late: 0, rejected: 1, skipped: 0 },
    staged: true,
  });
  expect([await count('events'), await count('dead_letters')]).toEqual([2, 1]);
  const { rows } = await pipeline.pool.query(`select status, note from ${pipeline.schema}.dead_letters`);
  expect(rows).toEqual([{ status: 'discarded', note: 'seen' }]);
  expect(await readRuns(pipeline.pool, pipeline.spec)).toMatchObject([
    { run: 1, rejectedAgain: 0 },
    { run: 2, rejectedAgain: 1 },
  ]);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('one lease reads many batches again, each with its own refused messages', async () => {
  const held = await holdPartition(pipeline);
  const pairs = [0, 2, 4].map((offset) => [messageOf(offset, 'not json'), messageOf(offset + 1, pageView())]);
  for (const pair of pairs) await held.commit(pair);
  await rewind(0);
  const again = await holdPartition(pipeline);
  for (const pair of pairs) {
    expect((await again.commit(pair)).counts).toMatchObject({ recorded: 0, duplicate: 1, rejected: 1 });
  }
  expect(await count('dead_letters')).toBe(3);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('past what was read before, batches go straight in again; one that reaches over the border is staged', async () => {
  const four = await readFour();
  await rewind(2);
  const held = await holdPartition(pipeline);
  const over = await held.commit([...four.slice(2), messageOf(4, pageView()), messageOf(5, 'not json')]);
  expect(over).toMatchObject({ staged: true, counts: { recorded: 1, duplicate: 2, rejected: 1 } });
  expect(await held.commit([messageOf(6, pageView()), messageOf(7, 'not json')])).toMatchObject({ staged: false });
  expect(await count('dead_letters')).toBe(3);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('the law holds over many runs, and breaks where one of them is told wrong', async () => {
  const four = await readFour();
  for (const to of [2, 0, 3, 0]) {
    await rewind(to);
    await (await holdPartition(pipeline)).commit(four.slice(to));
  }
  expect(await brokenChecks(pipeline)).toEqual({});
  const { schema, pool } = pipeline;
  await pool.query(`update ${schema}.checkpoint_runs set duplicate = duplicate + 2 where run = 3`);
  expect(await brokenChecks(pipeline)).toEqual({ offsets: 2 });
  await pool.query(`update ${schema}.checkpoint_runs set duplicate = duplicate - 2, rejected_again = 0 where run = 3`);
  expect(await brokenChecks(pipeline)).toEqual({ rejected: 1 });
});

test('the watermark stays where it was, however old the events are that are read again', async () => {
  const held = await holdPartition(pipeline);
  const messages = ['09:00', '10:00'].map((time, offset) =>
    messageOf(offset, pageView({ timestamp: `2026-11-01T${time}:00Z` })),
  );
  await held.commit(messages);
  const { watermarkMs } = await checkpointOf(pipeline);
  await rewind(0);
  expect((await checkpointOf(pipeline)).watermarkMs).toBe(watermarkMs);
  await (await holdPartition(pipeline)).commit(messages.slice(0, 1));
  expect((await checkpointOf(pipeline)).watermarkMs).toBe(watermarkMs);
});

test('a gap belongs to the run that met it, and each run is accounted for with its own', async () => {
  const held = await holdPartition(pipeline);
  await held.commit([messageOf(0, pageView())]);
  await acceptGap(pipeline.pool, pipeline.spec, { partition: 0, logStartOffset: 5 });
  await rewind(0);
  const again = await acceptGap(pipeline.pool, pipeline.spec, { partition: 0, logStartOffset: 3 });
  expect(again).toMatchObject({ isNew: true, gap: { run: 2, fromOffset: 0, toOffset: 3 } });
  expect(await acceptGap(pipeline.pool, pipeline.spec, { partition: 0, logStartOffset: 3 })).toEqual({
    ...again,
    isNew: false,
  });
  await (await holdPartition(pipeline)).commit([messageOf(3, pageView()), messageOf(4, pageView())]);
  expect((await readGaps(pipeline.pool, pipeline.spec)).map(({ run, fromOffset }) => [run, fromOffset])).toEqual([
    [1, 1],
    [2, 0],
  ]);
  expect(await brokenChecks(pipeline)).toEqual({});
});

test('the same gap is accepted once in each run', async () => {
  await holdPartition(pipeline);
  await acceptGap(pipeline.pool, pipeline.spec, { partition: 0, logStartOffset: 5 });
  await rewind(0);
  await acceptGap(pipeline.pool, pipeline.spec, { partition: 0, logStartOffset: 5 });
  expect(await readGaps(pipeline.pool, pipeline.spec)).toHaveLength(2);
  expect(await brokenChecks(pipeline)).toEqual({});
});
