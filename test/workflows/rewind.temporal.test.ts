// Rewinding a partition of a living pipeline: its messages are read again from there on, and nothing is lost or doubled.
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import { openEventWriter } from '../../kafka/event-writer.ts';
import { ensureTopic } from '../../kafka/topics.ts';
import { partitionId, pipelineId } from '../../pipeline/ids.ts';
import type { RewindTarget, RewoundPartition } from '../../pipeline/rewind-target.ts';
import { readRuns } from '../../postgres/checkpoint-runs.ts';
import { readCheckpoint } from '../../postgres/checkpoints.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import type { PartitionState } from '../../workflows/commands.ts';
import { eventually } from '../support/eventually.ts';
import { loseRange, sendTo, untilAt, untilPhase, whilePaused } from './lose-range.ts';
import { eventAt, inWorld, startWorker } from './pipeline-world.ts';
import type { PipelineWorld, TestWorker } from './pipeline-world.ts';

const DAY_MS = Date.parse('2026-11-01T10:00:00Z');
const WHY = 'a test';

const ask = async (world: PipelineWorld, target: RewindTarget, why = WHY): Promise<RewoundPartition> =>
  await world.client.workflow
    .getHandle(partitionId(world.spec.topic, 0))
    .executeUpdate<RewoundPartition, [object]>('rewind', { args: [{ target, why }] });

const rewindTo = async (world: PipelineWorld, offset: number) => await ask(world, { offset: String(offset) });

const refusal = (sentence: RegExp): object => ({ cause: { message: expect.stringMatching(sentence) } });

/** Run by run of partition 0: first and next offset, recorded, duplicate, rejected. */
async function runsOf(world: PipelineWorld): Promise<number[][]> {
  const runs = await readRuns(world.pool, world.spec);
  return runs
    .filter(({ partition }) => partition === 0)
    .map(({ firstOffset, nextOffset, counts }) => [
      firstOffset,
      nextOffset,
      counts.recorded,
      counts.duplicate,
      counts.rejected,
    ]);
}

async function rowsOf(world: PipelineWorld, table: string): Promise<unknown[]> {
  const { rows } = await world.pool.query(
    `select * from ${quoteSchema(world.spec.schema)}.${table} t order by t::text`,
  );
  return rows;
}

const everything = async (world: PipelineWorld): Promise<unknown> =>
  await Promise.all(['events', 'dead_letters', 'late_events'].map(async (table) => await rowsOf(world, table)));

/** Writes events of consecutive seconds, each in a message whose Kafka timestamp is the event's time, and every tenth broken. */
async function sendTimed(world: PipelineWorld, count: number, from = 0): Promise<void> {
  const writer = await openEventWriter({ brokers: world.servers.kafkaBrokers, topic: world.spec.topic });
  try {
    const indexes = Array.from({ length: count }, (_, index) => from + index);
    await writer.write(
      indexes.map((index) => {
        const timestampMs = DAY_MS + index * 1000;
        const value = index % 10 === 9 ? 'not json' : JSON.stringify(eventAt(new Date(timestampMs).toISOString()));
        return { key: null, value: Buffer.from(value), timestampMs, partition: 0 };
      }),
    );
  } finally {
    await writer.close();
  }
}

describe('a rewind', { timeout: 180_000 }, () => {
  const servers = inject('servers');
  let worker: TestWorker;
  const given = (more: object = {}) => ({ servers, taskQueues: worker.taskQueues, partitions: 1, ...more });

  const differences = async (world: PipelineWorld): Promise<string[]> => {
    const { kafkaBrokers: brokers, postgresUrl } = servers;
    const { checks } = await verifyPipeline({ brokers, postgresUrl, spec: world.spec });
    return checks.flatMap(({ examples }) => examples);
  };

  beforeAll(async () => {
    worker = await startWorker(servers);
  });
  afterAll(async () => {
    await worker.drain();
  });

  it('to an offset, to a time and to none further reads again what lies behind; rows stay as they are, runs are kept', async () => {
    // A lease that would last ten minutes is ended for it.
    await inWorld(given({ options: { leaseMs: 600_000 } }), async (world) => {
      await sendTimed(world, 100);
      await world.start();
      await untilAt(world, 0, 100);
      const before = await everything(world);
      expect(await rewindTo(world, 30)).toEqual({
        partition: 0,
        run: 2,
        fromOffset: '100',
        toOffset: '30',
        reachedOffset: '100',
        isNew: true,
      });
      await untilAt(world, 0, 100);
      expect(await ask(world, { timeMs: DAY_MS + 59_001 })).toMatchObject({ run: 3, toOffset: '60' });
      await untilAt(world, 0, 100);
      // Behind the last message lies the end of the log.
      expect(await ask(world, { timeMs: DAY_MS + 99_001 })).toMatchObject({ run: 4, toOffset: '100' });
      expect(await ask(world, { timeMs: 0 })).toMatchObject({ run: 5, toOffset: '0' });
      await untilAt(world, 0, 100);
      expect(await runsOf(world)).toEqual([
        [0, 100, 90, 0, 10],
        [30, 100, 0, 63, 7],
        [60, 100, 0, 36, 4],
        [100, 100, 0, 0, 0],
        [0, 100, 0, 90, 10],
      ]);
      expect((await readRuns(world.pool, world.spec)).map(({ ended }) => ended?.why)).toEqual([
        WHY,
        WHY,
        WHY,
        WHY,
        undefined,
      ]);
      expect(await everything(world)).toEqual(before);
      expect(await differences(world)).toEqual([]);
      // It goes on to what nobody has read.
      await sendTimed(world, 10, 100);
      await untilAt(world, 0, 110);
      expect((await runsOf(world)).at(-1)).toEqual([0, 110, 9, 90, 11]);
      expect(await differences(world)).toEqual([]);
    });
  });

  it('under load, again and again, loses nothing and doubles nothing', async () => {
    await inWorld(given({ options: { leaseMs: 1_000 } }), async (world) => {
      await world.start();
      await sendTo(world, 0, 200);
      await untilAt(world, 0, 200);
      const batches = 20;
      const sending = async (): Promise<void> => {
        for (let batch = 1; batch < batches; batch += 1) await sendTo(world, 0, 200);
      };
      const rewinding = async (): Promise<void> => {
        for (let times = 0; times < 6; times += 1) {
          const at = (await readCheckpoint(world.pool, world.spec, 0))?.nextOffset ?? 0;
          await rewindTo(world, Math.floor(at / (times + 2)));
        }
      };
      await Promise.all([sending(), rewinding()]);
      await untilAt(world, 0, batches * 200);
      expect(await world.count('events')).toBe(batches * 200);
      expect((await runsOf(world)).length).toBeGreaterThanOrEqual(6);
      expect(await differences(world)).toEqual([]);
    });
  });

  it('of a paused partition leaves it paused at its new place, and resume reads from there', async () => {
    await inWorld(given(), async (world) => {
      await sendTimed(world, 50);
      await world.start();
      await untilAt(world, 0, 50);
      const handle = world.client.workflow.getHandle(partitionId(world.spec.topic, 0));
      await handle.executeUpdate('pause');
      expect(await rewindTo(world, 20)).toMatchObject({ run: 2, fromOffset: '50', toOffset: '20', isNew: true });
      const paused = await untilPhase(world, 0, 'paused');
      expect(paused).toMatchObject({ nextOffset: '20', pausedByPerson: true });
      // Asked for a second time it stands there already.
      expect(await rewindTo(world, 20)).toMatchObject({ run: 2, isNew: false });
      expect(await runsOf(world)).toEqual([
        [0, 50, 45, 0, 5],
        [20, 20, 0, 0, 0],
      ]);
      await handle.executeUpdate('resume');
      await untilAt(world, 0, 50);
      expect(await differences(world)).toEqual([]);
    });
  });

  it('asked for three times at once is carried out one after the other, and each gets its own answer', async () => {
    await inWorld(given(), async (world) => {
      await sendTimed(world, 50);
      await world.start();
      await untilAt(world, 0, 50);
      const answers = await Promise.all([10, 20, 30].map(async (to) => await rewindTo(world, to)));
      expect(answers.map(({ toOffset }) => toOffset).toSorted()).toEqual(['10', '20', '30']);
      expect(new Set(answers.map(({ run }) => run))).toEqual(new Set([2, 3, 4]));
      await untilAt(world, 0, 50);
      expect(await differences(world)).toEqual([]);
    });
  });

  it('is refused where nothing can be read, with the range that can, and the partition goes on as it was', async () => {
    await inWorld(given(), async (world) => {
      await sendTimed(world, 40);
      await world.start();
      await untilAt(world, 0, 40);
      await whilePaused(world, 0, async () => {
        await world.withAdmin(async (admin) => {
          await admin.fetchTopicOffsets(world.spec.topic);
          await admin.deleteTopicRecords({ topic: world.spec.topic, partitions: [{ partition: 0, offset: '15' }] });
        });
      });
      const from15to40 = 'choose an offset from 15 to 40\\.$';
      await expect(rewindTo(world, 14)).rejects.toMatchObject(
        refusal(new RegExp(`^Offset 14 of partition 0 of topic .* is gone: its log starts at 15; ${from15to40}`)),
      );
      await expect(rewindTo(world, 41)).rejects.toMatchObject(
        refusal(new RegExp(`^Offset 41 of partition 0 .* lies beyond the end of its log, 40; ${from15to40}`)),
      );
      await expect(ask(world, { offset: '-1' })).rejects.toMatchObject(refusal(/^give .*"offset": "1200"/));
      await expect(ask(world, { timeMs: Number.NaN })).rejects.toMatchObject(refusal(/^give /));
      expect(await runsOf(world)).toEqual([[0, 40, 36, 0, 4]]);
      // The oldest message that is left is what a time before all of them means.
      expect(await ask(world, { timeMs: DAY_MS - 1 })).toMatchObject({ toOffset: '15' });
      await sendTimed(world, 10, 40);
      await untilAt(world, 0, 50);
      expect((await runsOf(world)).at(-1)).toEqual([15, 50, 9, 22, 4]);
    });
  });

  it('does not go ahead of what was read, also while its messages wait', async () => {
    await inWorld(given(), async (world) => {
      await sendTimed(world, 20);
      await world.start();
      await untilAt(world, 0, 20);
      const handle = world.client.workflow.getHandle(partitionId(world.spec.topic, 0));
      await handle.executeUpdate('pause');
      await sendTimed(world, 20, 20);
      await expect(rewindTo(world, 30)).rejects.toMatchObject(
        refusal(/read up to offset 20: to go on at 30 would skip messages that nobody has read; .* from 0 to 20\.$/),
      );
      await handle.executeUpdate('resume');
      await untilAt(world, 0, 40);
      expect(await differences(world)).toEqual([]);
    });
  });

  it('lets a partition go on whose topic was made again, and its new messages are all taken in', async () => {
    await inWorld(given({ partitions: 2 }), async (world) => {
      const { topic } = world.spec;
      await sendTo(world, 0, 40);
      await world.start();
      await untilAt(world, 0, 40);
      await whilePaused(world, 0, async () => {
        await world.withAdmin(async (admin) => await admin.deleteTopics({ topics: [topic] }));
        await eventually(
          async () => (await ensureTopic({ brokers: servers.kafkaBrokers, topic, partitions: 2 })).created,
          { deadlineMs: 60_000, what: 'the topic is made anew' },
        );
        await sendTo(world, 0, 5);
      });
      const stopped = await untilPhase(world, 0, 'stopped: lost range');
      expect(stopped.message).toMatch(/its log ends at 5.*`weir partition rewind 0`/);
      await expect(rewindTo(world, 6)).rejects.toMatchObject(
        refusal(/end of its log, 5; choose an offset from 0 to 5/),
      );
      await rewindTo(world, 0);
      await untilAt(world, 0, 5);
      expect(await world.count('events')).toBe(45);
      expect(await world.state<PartitionState>(partitionId(topic, 0))).toMatchObject({
        phase: 'ingesting',
        failures: { count: 0 },
      });
    });
  });

  it('of a partition whose unread messages are gone is refused, and accepting the gap is what helps', async () => {
    await inWorld(given({ partitions: 2 }), async (world) => {
      await loseRange(world);
      await expect(rewindTo(world, 70)).rejects.toMatchObject(
        refusal(
          /^Nothing of partition 0 .* read up to offset 40, and its log now starts at 70; `weir partition accept-gap 0`/,
        ),
      );
      await untilPhase(world, 0, 'stopped: lost range');
      await world.client.workflow.getHandle(partitionId(world.spec.topic, 0)).executeUpdate('acceptGap');
      await untilAt(world, 0, 100);
      await rewindTo(world, 80);
      await untilAt(world, 0, 100);
      expect(await differences(world)).toEqual([]);
    });
  });

  it('of a stopping partition is refused with what starts it again', async () => {
    await inWorld(given(), async (world) => {
      await sendTimed(world, 20);
      await world.start();
      await untilAt(world, 0, 20);
      const outcomes = await Promise.allSettled([
        world.client.workflow.getHandle(pipelineId(world.spec.topic)).executeUpdate('stop'),
        ...[1, 2, 3, 4].map(async (to) => await rewindTo(world, to)),
      ]);
      // Each was either carried out before the end or told: none hangs, and the checkpoint is where an answer put it.
      const said = outcomes.flatMap((one) =>
        one.status === 'rejected' ? [JSON.stringify(one.reason.cause ?? one.reason.message)] : [],
      );
      for (const sentence of said) expect(sentence).toMatch(/stops with its pipeline|not found|completed|workflow/i);
      expect((await readCheckpoint(world.pool, world.spec, 0))?.run).toBeLessThanOrEqual(5);
    });
  });
});
