// Faults of worker processes: killed, frozen, drained, blocked, with a wrong clock.
import { setTimeout as wait } from 'node:timers/promises';

import { busiest } from './fault.ts';
import type { Fault, Injection } from './fault.ts';
import type { ChaosWorld } from './chaos-world.ts';
import type { StruckWorker } from './struck-worker.ts';

/** Strikes the worker that commits most. */
async function strikeBusiest(world: ChaosWorld, strike: (victim: StruckWorker) => Promise<void>): Promise<Injection> {
  const { victim, commits } = await busiest(world);
  await strike(victim);
  return { hit: commits > 0, endedAtMs: Date.now(), detail: `${victim.name}, ${commits} commits in 0.5 s before` };
}

export const WORKER_FAULTS: readonly Fault[] = [
  {
    name: 'worker SIGKILL',
    inject: async (world) =>
      await strikeBusiest(world, async (victim) => {
        victim.signal('SIGKILL');
        await victim.ended();
        victim.start();
      }),
  },
  {
    // Longer than the heartbeat timeout: when it wakes, its partitions and its batch belong to others.
    name: 'worker SIGSTOP (zombie)',
    inject: async (world, chance) =>
      await strikeBusiest(world, async (victim) => {
        victim.signal('SIGSTOP');
        await wait(15_000 + chance * 3_000);
        victim.signal('SIGCONT');
      }),
  },
  {
    name: 'worker SIGTERM',
    inject: async (world) =>
      await strikeBusiest(world, async (victim) => {
        victim.signal('SIGTERM');
        await victim.ended();
        victim.start();
      }),
  },
  {
    name: 'event loop blocked',
    inject: async (world) =>
      await strikeBusiest(world, async (victim) => {
        victim.block(15_000);
        await wait(15_000);
      }),
  },
  {
    name: 'clock 10 min ahead',
    inject: async (world, chance) =>
      await strikeBusiest(world, async (victim) => {
        victim.signal('SIGKILL');
        await victim.ended();
        victim.start({ clockAheadMs: 600_000 });
        await wait(30_000 + chance * 10_000);
        victim.signal('SIGKILL');
        await victim.ended();
        victim.start();
      }),
  },
  {
    name: 'generator SIGKILL',
    inject: async ({ generator, watch }) => {
      const hit = watch.count(Date.now() - 1_500) > 0;
      generator.signal('SIGKILL');
      await generator.ended();
      generator.start();
      return { hit, endedAtMs: Date.now(), detail: generator.name };
    },
  },
];
