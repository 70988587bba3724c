// One partition's life on real servers: leases end and begin without a loss, whoever holds them, and a lost range is loud.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, inject, it } from 'vitest';

import { partitionId } from '../../pipeline/ids.ts';
import { ensureCheckpoint } from '../../postgres/checkpoints.ts';
import type { PartitionState } from '../../workflows/commands.ts';
import { eventually } from '../support/eventually.ts';
import { eventsFrom, freshTaskQueues, inWorld, startWorker } from './pipeline-world.ts';
import type { PipelineWorld, TestWorker } from './pipeline-world.ts';

const DAY = '2026-11-01T10:00:00.000Z';
const PROGRAM = fileURLToPath(new URL('./worker-program.ts', import.meta.url));
const LONG_LEASE = { leaseMs: 600_000 };

const stateOf = async (world: PipelineWorld, partition = 0): Promise<PartitionState> =>
  await world.state<PartitionState>(partitionId(world.spec.topic, partition));

const untilPhase = async (world: PipelineWorld, phase: PartitionState['phase']): Promise<PartitionState> =>
  await eventually(
    async () => {
      const state = await stateOf(world);
      return state.phase === phase && state;
    },
    { deadlineMs: 60_000, what: `partition 0 is ${phase}` },
  );

describe.concurrent('ingestPartition', { timeout: 120_000 }, () => {
  const servers = inject('servers');
  let worker: TestWorker;
  const given = (more: object = {}) => ({ servers, taskQueues: worker.taskQueues, partitions: 1, ...more });

  beforeAll(async () => {
    worker = await startWorker(servers);
  });
  afterAll(async () => {
    await worker.drain();
  });

  it('renews its lease again and again, each from the checkpoint where the last one ended', async ({ expect }) => {
    await inWorld(given({ options: { leaseMs: 300 } }), async (world) => {
      await world.start();
      for (let batch = 1; batch <= 5; batch += 1) {
        await world.send(eventsFrom(DAY, 20));
        await world.untilIngested(batch * 20);
      }
      const state = await eventually(
        async () => {
          const now = await stateOf(world);
          return now.nextOffset === '100' && now;
        },
        { deadlineMs: 60_000, what: 'a lease has ended at the end of the log' },
      );
      expect(state.lease).toBeGreaterThan(1);
      expect(state.failures.count).toBe(0);
      expect(await world.count('events')).toBe(100);
    });
  });

  it('stops in plain sight when the log no longer holds the next offset, and reads on only when told', async ({
    expect,
  }) => {
    await inWorld(given(), async (world) => {
      await ensureCheckpoint(world.pool, world.spec, { partition: 0, firstOffset: 0 });
      await world.send(eventsFrom(DAY, 50));
      await world.withAdmin(async (admin) => {
        const partitions = [{ partition: 0, offset: '30' }];
        // Makes kafkajs look up the leader that deleteTopicRecords needs.
        await admin.fetchTopicOffsets(world.spec.topic);
        await admin.deleteTopicRecords({ topic: world.spec.topic, partitions });
      });
      await world.start();
      const lost = await untilPhase(world, 'stopped: lost range');
      expect(lost.message).toMatch(/Offsets 0 to 29 .* are gone.*accept-gap 0.*resume 0/);
      expect(await world.count('events')).toBe(0);
      const { lease } = lost;
      await world.client.workflow.getHandle(partitionId(world.spec.topic, 0)).executeUpdate('resume');
      await eventually(async () => (await stateOf(world)).lease > lease, { deadlineMs: 60_000, what: 'another try' });
      await untilPhase(world, 'stopped: lost range');
      expect(await world.count('events')).toBe(0);
    });
  });

  it('backs off with the reason in sight while its checkpoint cannot be taken, and goes on by itself', async ({
    expect,
  }) => {
    await inWorld(given({ options: { leaseMs: 1_000 } }), async (world) => {
      await world.start();
      await world.send(eventsFrom(DAY, 20));
      await world.untilIngested(20);
      await world.pool.query(`alter table "${world.spec.schema}".checkpoints rename to hidden`);
      const waiting = await untilPhase(world, 'backing-off');
      expect(waiting.message).toMatch(/does not exist.*tried again by itself/);
      await world.send(eventsFrom(DAY, 20));
      await world.pool.query(`alter table "${world.spec.schema}".hidden rename to checkpoints`);
      await world.untilIngested(40);
      expect(await world.count('events')).toBe(40);
    });
  });

  it('drains a lease that would last ten minutes when its partition is paused', async ({ expect }) => {
    await inWorld(given({ options: LONG_LEASE }), async (world) => {
      await world.start();
      await world.send(eventsFrom(DAY, 30));
      await world.untilIngested(30);
      const handle = world.client.workflow.getHandle(partitionId(world.spec.topic, 0));
      const paused = await handle.executeUpdate<PartitionState, []>('pause');
      expect(paused).toMatchObject({ phase: 'paused', nextOffset: '30', failures: { count: 0 } });
      expect(paused.lastCounts).toMatchObject({ recorded: 30 });
    });
  });
});

describe('a worker process', { timeout: 120_000 }, () => {
  const servers = inject('servers');

  it('asked to end in mid-lease commits what it has, loses nothing, and the next one goes on', async ({ expect }) => {
    const taskQueues = freshTaskQueues();
    await inWorld({ servers, taskQueues, partitions: 2, options: LONG_LEASE }, async (world) => {
      const first = startProgram(world);
      await world.start();
      await world.send(eventsFrom(DAY, 200));
      await world.untilIngested(100);
      // Messages keep coming while it drains.
      const sending = world.send(eventsFrom(DAY, 300));
      first.kill('SIGTERM');
      const [code] = await once(first, 'exit');
      expect(code).toBe(0);
      await sending;
      const drained = await world.ingested();
      const second = startProgram(world);
      await world.untilIngested(500);
      const lease = await eventually(async () => await stateOf(world), { deadlineMs: 60_000, what: 'the state' });
      second.kill('SIGTERM');
      await once(second, 'exit');
      expect(drained).toBeGreaterThanOrEqual(100);
      expect(await world.count('events')).toBe(500);
      // Draining is no failure: the lease was renewed at once.
      expect(lease.failures.count).toBe(0);
    });
  });

  it('waits for a Temporal that is not there, says so, and ends when asked', async ({ expect }) => {
    const lines: string[] = [];
    const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM], {
      env: {
        ...process.env,
        PLACE: JSON.stringify({
          servers: { ...servers, temporalAddress: '127.0.0.1:1' },
          taskQueues: freshTaskQueues(),
        }),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.on('data', (data: Buffer) => lines.push(...data.toString().split('\n')));
    const waiting = await eventually(() => lines.find((line) => line.includes('Trying again')), {
      deadlineMs: 60_000,
      what: 'the worker says what it waits for',
    });
    expect(waiting).toMatch(/Temporal at 127\.0\.0\.1:1 does not answer .* WEIR_TEMPORAL_ADDRESS/);
    expect(lines.join('\n')).not.toMatch(/ at .*\.(ts|js):\d+/);
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
  });
});

function startProgram({ servers, taskQueues }: PipelineWorld): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', PROGRAM], {
    env: { ...process.env, PLACE: JSON.stringify({ servers, taskQueues }) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
