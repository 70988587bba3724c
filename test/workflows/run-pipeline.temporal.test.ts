// A pipeline's life on real servers: it starts what it needs, obeys, heals what dies, and continues as new.
import { afterAll, beforeAll, describe, inject, it } from 'vitest';

import { must } from '../../pipeline/ensure.ts';
import { CONSUMER_GROUP, lettersId, offsetsId, partitionId, pipelineId, windowsId } from '../../pipeline/ids.ts';
import { ensureCheckpoint } from '../../postgres/checkpoints.ts';
import type { PartitionState, PipelineState } from '../../workflows/commands.ts';
import { eventually } from '../support/eventually.ts';
import { eventsFrom, inWorld, startWorker } from './pipeline-world.ts';
import type { PipelineWorld, TestWorker } from './pipeline-world.ts';

const DAY = '2026-11-01T10:00:00.000Z';

/** How often a workflow has continued as new. */
async function continuations(world: PipelineWorld, id: string): Promise<number> {
  let runs = 0;
  const query = `WorkflowId = '${id}' and ExecutionStatus = 'ContinuedAsNew'`;
  for await (const _ of world.client.workflow.list({ query })) runs += 1;
  return runs;
}

/** Sum of the offsets that the consumer group has committed for the world's topic. */
async function publishedOffsets(world: PipelineWorld): Promise<number> {
  return await world.withAdmin(async (admin) => {
    const [of] = await admin.fetchOffsets({ groupId: CONSUMER_GROUP, topics: [world.spec.topic] });
    return must(of, 'the topic').partitions.reduce((sum, { offset }) => sum + Number(offset), 0);
  });
}

const statusOf = async (world: PipelineWorld, id: string): Promise<string> =>
  (await world.client.workflow.getHandle(id).describe()).status.name;

const stateOf = async (world: PipelineWorld): Promise<PipelineState> =>
  await world.state<PipelineState>(pipelineId(world.spec.topic));

describe.concurrent('runPipeline', { timeout: 120_000 }, () => {
  const servers = inject('servers');
  let worker: TestWorker;
  const given = (more: object = {}) => ({ servers, taskQueues: worker.taskQueues, ...more });

  beforeAll(async () => {
    worker = await startWorker(servers);
  });
  afterAll(async () => {
    await worker.drain();
  });

  it('keeps one workflow per partition, the closer and the publishers alive, and ingests what the topic holds', async ({
    expect,
  }) => {
    await inWorld(given({ partitions: 3 }), async (world) => {
      await world.send(eventsFrom(DAY, 300));
      await world.start();
      await world.untilIngested(300);
      const state = await stateOf(world);
      expect(state.phase).toBe('running');
      expect(state.children).toEqual([
        ...world.partitionIds(3),
        windowsId(world.spec.topic),
        offsetsId(world.spec.topic),
        lettersId(world.spec.topic),
      ]);
      expect(await world.count('events')).toBe(300);
    });
  });

  it('publishes the checkpoints as offsets of the Kafka group, so that its own tools see the lag', async ({
    expect,
  }) => {
    await inWorld(given(), async (world) => {
      await world.send(eventsFrom(DAY, 100));
      await world.start();
      await world.untilIngested(100);
      const published = await eventually(
        async () => {
          const offsets = await publishedOffsets(world);
          return offsets >= 100 && offsets;
        },
        { deadlineMs: 60_000, what: 'the offsets of all messages published' },
      );
      expect(published).toBe(100);
    });
  });

  it('pauses: every partition has committed and rests when pause answers; resume goes on from there', async ({
    expect,
  }) => {
    await inWorld(given(), async (world) => {
      await world.send(eventsFrom(DAY, 100));
      const handle = await world.start();
      await world.untilIngested(100);
      const paused = await handle.executeUpdate<PipelineState, []>('pause');
      expect(paused.phase).toBe('paused');
      expect(paused.partitions.map(({ phase }) => phase)).toEqual(['paused', 'paused']);
      const partition = world.client.workflow.getHandle(partitionId(world.spec.topic, 0));
      expect((await partition.describe()).raw.pendingActivities).toEqual([]);
      await world.send(eventsFrom(DAY, 50));
      const before = await world.ingested();
      const resumed = await handle.executeUpdate<PipelineState, []>('resume');
      expect(before).toBe(100);
      expect(resumed.phase).toBe('running');
      await world.untilIngested(150);
    });
  });

  it('lets a partition that a person paused rest on when the pipeline resumes', async ({ expect }) => {
    await inWorld(given(), async (world) => {
      const handle = await world.start();
      const id = partitionId(world.spec.topic, 1);
      await eventually(async () => (await world.state<PartitionState>(id)).phase === 'ingesting', {
        deadlineMs: 60_000,
        what: 'the partition ingests',
      });
      const one = await world.client.workflow.getHandle(id).executeUpdate<PartitionState, []>('pause');
      expect(one.phase).toBe('paused');
      await handle.executeUpdate<PipelineState, []>('pause');
      const resumed = await handle.executeUpdate<PipelineState, []>('resume');
      expect(resumed.partitions.map(({ phase }) => phase)).toEqual(['ingesting', 'paused']);
      const again = await world.client.workflow.getHandle(id).executeUpdate<PartitionState, []>('resume');
      expect(again.pausedByPerson).toBe(false);
      await world.send(eventsFrom(DAY, 40));
      await world.untilIngested(40);
    });
  });

  it('stops: it answers when every child has ended, and a new start goes on from the checkpoints', async ({
    expect,
  }) => {
    await inWorld(given(), async (world) => {
      await world.send(eventsFrom(DAY, 60));
      const handle = await world.start();
      await world.untilIngested(60);
      const stopped = await handle.executeUpdate<PipelineState, []>('stop');
      expect(stopped.phase).toBe('stopped');
      for (const id of stopped.children) expect(await statusOf(world, id), id).toBe('COMPLETED');
      expect((await handle.result()).phase).toBe('stopped');
      await world.send(eventsFrom(DAY, 60));
      await world.start();
      await world.untilIngested(120);
      expect(await world.count('events')).toBe(120);
    });
  });

  it('restarts a child that was terminated', async ({ expect }) => {
    await inWorld(given(), async (world) => {
      await world.start();
      const id = partitionId(world.spec.topic, 0);
      await eventually(async () => (await statusOf(world, id)) === 'RUNNING', {
        deadlineMs: 60_000,
        what: 'the child runs',
      });
      await world.client.workflow.getHandle(id).terminate('A test pulls the plug.');
      await world.send(eventsFrom(DAY, 40));
      await world.untilIngested(40);
      expect((await stateOf(world)).restarts).toBe(1);
    });
  });

  it('accepts the children of a pipeline that was terminated, and tells them what holds now', async ({ expect }) => {
    await inWorld(given(), async (world) => {
      const first = await world.start();
      await world.send(eventsFrom(DAY, 40));
      await world.untilIngested(40);
      await first.terminate('A test pulls the plug.');
      const handle = await world.start();
      await eventually(async () => (await stateOf(world)).phase === 'running', {
        deadlineMs: 60_000,
        what: 'the second pipeline runs',
      });
      expect((await handle.executeUpdate<PipelineState, []>('pause')).phase).toBe('paused');
      const stopped = await handle.executeUpdate<PipelineState, []>('stop');
      for (const id of stopped.children) expect(await statusOf(world, id), id).toBe('COMPLETED');
    });
  });

  it('finds a partition that was added', async ({ expect }) => {
    await inWorld(given({ partitions: 1 }), async (world) => {
      await world.start();
      await world.send(eventsFrom(DAY, 20));
      await world.untilIngested(20);
      await world.withAdmin(async (admin) => {
        await admin.createPartitions({ topicPartitions: [{ topic: world.spec.topic, count: 3 }] });
      });
      await eventually(async () => (await stateOf(world)).partitions.length === 3, {
        deadlineMs: 60_000,
        what: 'three partitions known',
      });
      await world.send(eventsFrom(DAY, 100));
      await world.untilIngested(120);
      expect(await world.count('checkpoints')).toBe(3);
    });
  });

  it('shows why it cannot look, waits, and goes on by itself when the cause is gone', async ({ expect }) => {
    await inWorld(given({ migrated: false }), async (world) => {
      await world.send(eventsFrom(DAY, 20));
      await world.start();
      const waiting = await eventually(
        async () => {
          const state = await stateOf(world);
          return state.phase === 'backing-off' && state;
        },
        { deadlineMs: 60_000, what: 'the pipeline backs off' },
      );
      expect(waiting.message).toMatch(/does not exist/);
      await world.migrate();
      await world.untilIngested(20);
      expect((await stateOf(world)).failures.count).toBe(0);
    });
  });

  it('refuses a schema that holds the checkpoints of another topic, with one sentence', async ({ expect }) => {
    await inWorld(given(), async (world) => {
      await ensureCheckpoint(
        world.pool,
        { schema: world.spec.schema, topic: 'another' },
        { partition: 0, firstOffset: 0 },
      );
      const handle = await world.start();
      await expect(handle.result()).rejects.toMatchObject({
        cause: { message: expect.stringMatching(/already holds the events of topic another: give topic/) },
      });
      expect(await world.count('checkpoints')).toBe(1);
    });
  });

  it('continues as new, and so do its children, while everything stays alive and nothing is lost', async ({
    expect,
  }) => {
    await inWorld(given({ options: { turnsPerRun: 2, leaseMs: 400, lookEveryMs: 300 } }), async (world) => {
      const handle = await world.start();
      const firstRun = (await handle.describe()).runId;
      for (let batch = 1; batch <= 5; batch += 1) {
        await world.send(eventsFrom(DAY, 40));
        await world.untilIngested(batch * 40);
      }
      const ids = [pipelineId, windowsId, offsetsId, lettersId].map((id) => id(world.spec.topic));
      for (const id of [...ids, ...world.partitionIds(2)]) {
        await eventually(async () => (await continuations(world, id)) >= 2, {
          deadlineMs: 60_000,
          what: `${id} continued twice`,
        });
      }
      expect((await handle.describe()).memo).toEqual({ spec: world.spec });
      expect((await handle.describe()).runId).not.toBe(firstRun);
      expect((await handle.executeUpdate<PipelineState, []>('pause')).phase).toBe('paused');
      expect((await handle.executeUpdate<PipelineState, []>('stop')).phase).toBe('stopped');
      expect(await world.count('events')).toBe(200);
      expect((await stateOf(world)).restarts).toBe(0);
    });
  });
});
