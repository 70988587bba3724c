// Guarantee 8 on real servers: a lost range stops its partition alone, in plain sight, until somebody accepts the loss.
import { afterAll, beforeAll, describe, inject, it } from 'vitest';

import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import { ensureTopic } from '../../kafka/topics.ts';
import { partitionId, pipelineId } from '../../pipeline/ids.ts';
import type { AcceptedGap } from '../../pipeline/lost-range.ts';
import { acceptGap, readGaps } from '../../postgres/gaps.ts';
import type { PartitionState, PipelineState } from '../../workflows/commands.ts';
import { eventually } from '../support/eventually.ts';
import { deleteBefore, loseRange, sendTo, untilAt, untilPhase, whilePaused } from './lose-range.ts';
import { inWorld, startWorker } from './pipeline-world.ts';
import type { PipelineWorld, TestWorker } from './pipeline-world.ts';

const refusal = (sentence: RegExp, expect: Expect): object => ({
  cause: { message: expect.stringMatching(sentence) },
});
type Expect = { stringMatching(sentence: RegExp): unknown };

const accept = async (world: PipelineWorld): Promise<AcceptedGap> =>
  await world.client.workflow.getHandle(partitionId(world.spec.topic, 0)).executeUpdate<AcceptedGap, []>('acceptGap');

describe.concurrent('a partition whose next messages are gone from Kafka', { timeout: 120_000 }, () => {
  const servers = inject('servers');
  let worker: TestWorker;
  const given = (more: object = {}) => ({ servers, taskQueues: worker.taskQueues, partitions: 2, ...more });

  beforeAll(async () => {
    worker = await startWorker(servers);
  });
  afterAll(async () => {
    await worker.drain();
  });

  it('stops alone and names the offsets and the command; accepted, it goes on from the log start, and all is accounted for', async ({
    expect,
  }) => {
    await inWorld(given(), async (world) => {
      const { topic } = world.spec;
      const lost = await loseRange(world);
      expect(lost.lostRange).toEqual({ fromOffset: '40', toOffset: '70', lost: '30' });
      const sentence =
        /^Offsets 40 to 69 of partition 0 .* are gone: .* starts at 70; .*`weir partition accept-gap 0`\. Nothing is read/;
      expect(lost.message).toMatch(sentence);
      const reported = await eventually(
        async () => {
          const { partitions } = await world.state<PipelineState>(pipelineId(topic));
          return partitions.find(({ phase }) => phase === 'stopped: lost range');
        },
        { deadlineMs: 30_000, what: 'the pipeline knows' },
      );
      expect(reported).toMatchObject({ partition: 0, message: expect.stringMatching(sentence) });
      await untilAt(world, 1, 100);
      await sendTo(world, 1, 10);
      await untilAt(world, 1, 110);
      await untilAt(world, 0, 40);

      expect(await accept(world)).toEqual({ partition: 0, fromOffset: '40', toOffset: '70', lost: '30' });
      await untilAt(world, 0, 100);
      expect(await world.state<PartitionState>(partitionId(topic, 0))).toMatchObject({
        phase: 'ingesting',
        lostRange: null,
        failures: { count: 0 },
      });
      expect(await world.count('events')).toBe(40 + 30 + 110);
      const { kafkaBrokers, postgresUrl } = servers;
      const verification = await verifyPipeline({ brokers: kafkaBrokers, postgresUrl, spec: world.spec });
      expect(verification.checks.flatMap(({ examples }) => examples)).toEqual([]);
      expect(verification).toMatchObject({ clean: true, coverage: { acceptedGaps: 30 } });
    });
  });

  it('loses what is gone when the loss is accepted, not what was gone when it stopped', async ({ expect }) => {
    await inWorld(given(), async (world) => {
      await loseRange(world);
      await deleteBefore(world, 0, 85);
      expect(await accept(world)).toMatchObject({ fromOffset: '40', toOffset: '85', lost: '45' });
      await untilAt(world, 0, 100);
      expect(await world.count('events where kafka_partition = 0')).toBe(40 + 15);
    });
  });

  it('stops again when its log start moves on once more, and each range is accepted by itself', async ({ expect }) => {
    await inWorld(given(), async (world) => {
      await loseRange(world);
      await accept(world);
      await untilAt(world, 0, 100);
      await whilePaused(world, 0, async () => {
        await sendTo(world, 0, 20);
        await deleteBefore(world, 0, 120);
      });
      const again = await untilPhase(world, 0, 'stopped: lost range');
      expect(again.lostRange).toEqual({ fromOffset: '100', toOffset: '120', lost: '20' });
      await accept(world);
      // Nothing is left of the log: it goes on at its end.
      await sendTo(world, 0, 5);
      await untilAt(world, 0, 125);
      const gaps = await readGaps(world.pool, world.spec);
      expect(gaps.map(({ fromOffset, toOffset }) => [fromOffset, toOffset])).toEqual([
        [40, 70],
        [100, 120],
      ]);
    });
  });

  it('answers with the gap that is recorded when it is accepted twice at once, or again after a lost answer', async ({
    expect,
  }) => {
    await inWorld(given(), async (world) => {
      await loseRange(world);
      await acceptGap(world.pool, world.spec, { partition: 0, logStartOffset: 70 });
      const answers = await Promise.all([accept(world), accept(world)]);
      const gap = { partition: 0, fromOffset: '40', toOffset: '70', lost: '30' };
      expect(answers).toEqual([gap, gap]);
      expect(await readGaps(world.pool, world.spec)).toHaveLength(1);
      await untilAt(world, 0, 100);
    });
  });

  it('refuses while nothing is lost, and says how the partition is', async ({ expect }) => {
    await inWorld(given(), async (world) => {
      await sendTo(world, 0, 10);
      await world.start();
      await untilAt(world, 0, 10);
      await expect(accept(world)).rejects.toMatchObject(
        refusal(
          /^partition 0 is ingesting, and only one that has stopped on a lost range .*"weir partition list" shows/,
          expect,
        ),
      );
      expect(await readGaps(world.pool, world.spec)).toEqual([]);
    });
  });

  it('refuses for a topic that was made anew with fewer messages, which no gap repairs', async ({ expect }) => {
    await inWorld(given(), async (world) => {
      const { topic } = world.spec;
      const { kafkaBrokers: brokers } = servers;
      await sendTo(world, 0, 40);
      await world.start();
      await untilAt(world, 0, 40);
      await whilePaused(world, 0, async () => {
        await world.withAdmin(async (admin) => await admin.deleteTopics({ topics: [topic] }));
        await eventually(async () => (await ensureTopic({ brokers, topic, partitions: 2 })).created, {
          deadlineMs: 60_000,
          what: 'the topic is made anew',
        });
        await sendTo(world, 0, 5);
      });
      const stopped = await untilPhase(world, 0, 'stopped: lost range');
      expect(stopped.lostRange).toBeNull();
      expect(stopped.message).toMatch(/was read up to offset 40, but its log ends at 5/);
      await expect(accept(world)).rejects.toMatchObject(
        refusal(
          /^accepting a gap cannot repair this: .*offset 40, but its log ends at 5: the topic was made again/,
          expect,
        ),
      );
      expect(await readGaps(world.pool, world.spec)).toEqual([]);
      await untilAt(world, 0, 40);
    });
  });
});
