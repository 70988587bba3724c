// Leases spread over worker processes: they leave a dead worker, come to a new one, and otherwise stay where they are.
import { describe, inject, it } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { eventsFrom, freshTaskQueues, inWorld } from '../workflows/pipeline-world.ts';
import type { PipelineWorld } from '../workflows/pipeline-world.ts';
import { WorkerGroup } from './worker-group.ts';

const DAY = '2026-11-01T10:00:00.000Z';
/** Leases don't end by themselves while a test lasts: what moves was given back or lost its worker. */
const LONG_LEASE = { leaseMs: 600_000 };
const LOOK_EVERY_MS = 1_000;

async function withGroup(
  partitions: number,
  work: (world: PipelineWorld, group: WorkerGroup) => Promise<void>,
): Promise<void> {
  const given = { servers: inject('servers'), taskQueues: freshTaskQueues(), partitions, options: LONG_LEASE };
  await inWorld(given, async (world) => {
    const group = new WorkerGroup(world, { partitions, lookEveryMs: LOOK_EVERY_MS });
    try {
      await work(world, group);
    } finally {
      await group.end();
    }
  });
}

const untilHeld = async (group: WorkerGroup, pids: readonly number[]): Promise<number[]> =>
  await eventually(async () => await group.shares(pids), { deadlineMs: 60_000, what: 'all leases are held by them' });

const untilSpread = async (group: WorkerGroup, pids: readonly number[]): Promise<void> => {
  await eventually(
    async () => {
      const shares = await group.shares(pids);
      return shares !== null && Math.max(...shares) - Math.min(...shares) <= 1;
    },
    // A worker with nothing to do asks once a minute, which is what proves that it lives.
    { deadlineMs: 100_000, what: `the workers hold equally many leases` },
  );
};

describe('leases', { timeout: 240_000 }, () => {
  it('go to the other worker when one is killed, and spread again over a new one; every event is there once', async ({
    expect,
  }) => {
    await withGroup(4, async (world, group) => {
      const first = await group.start();
      const second = await group.start();
      await world.start();
      await world.send(eventsFrom(DAY, 200));
      await untilSpread(group, [first, second]);
      await group.kill(second);
      const sending = world.send(eventsFrom(DAY, 200));
      expect(await untilHeld(group, [first])).toEqual([4]);
      await sending;
      await world.untilIngested(400);
      const third = await group.start();
      await untilSpread(group, [first, third]);
      await world.send(eventsFrom(DAY, 200));
      await world.untilIngested(600);
      expect(await world.count('events')).toBe(600);
    });
  });

  it('of six partitions come to a second and a third worker, and stay where they are once they are spread', async ({
    expect,
  }) => {
    await withGroup(6, async (world, group) => {
      const pids = [await group.start()];
      await world.start();
      expect(await untilHeld(group, pids)).toEqual([6]);
      pids.push(await group.start());
      await untilSpread(group, pids);
      pids.push(await group.start());
      await untilSpread(group, pids);
      expect(await group.shares(pids)).toEqual([2, 2, 2]);
      const holders = await group.holders();
      const { given } = group;
      await world.send(eventsFrom(DAY, 300));
      await world.untilIngested(300);
      await group.looks(pids, 5);
      expect(await group.holders()).toEqual(holders);
      expect(group.given).toBe(given);
      expect(await world.count('events')).toBe(300);
    });
  });

  it('are never given back by a worker that is alone, also not when its only colleague has died', async ({
    expect,
  }) => {
    await withGroup(4, async (world, group) => {
      const first = await group.start();
      await world.start();
      await untilHeld(group, [first]);
      await group.looks([first], 5);
      expect(group.given).toBe(0);
      const second = await group.start();
      await untilSpread(group, [first, second]);
      await group.kill(second);
      await untilHeld(group, [first]);
      const { given } = group;
      await group.looks([first], 8);
      expect(group.given).toBe(given);
    });
  });
});
