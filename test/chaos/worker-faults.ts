// Faults of worker processes: killed, frozen, drained, blocked, out of memory, with a wrong clock, of an older build.
import { setTimeout as wait } from 'node:timers/promises';

import { eventually } from '../support/eventually.ts';
import { busiest } from './fault.ts';
import type { Fault, Injection } from './fault.ts';
import type { ChaosWorld } from './chaos-world.ts';
import { OLDER_BUILD_FAULT } from './older-build-fault.ts';
import type { StruckWorker } from './struck-worker.ts';

/** Strikes the worker that commits most. */
async function strikeBusiest(world: ChaosWorld, strike: (victim: StruckWorker) => Promise<void>): Promise<Injection> {
  const { victim, commits } = await busiest(world);
  await strike(victim);
  return { hit: commits > 0, endedAtMs: Date.now(), detail: `${victim.name}, ${commits} commits in 0.5 s before` };
}

const OUT_OF_MEMORY_WITHIN_MS = 60_000;

/** The worker that commits most fills its heap beside its work until V8 ends it. */
async function exhaust(world: ChaosWorld): Promise<Injection> {
  const { victim, commits } = await busiest(world);
  const before = await victim.commits();
  let last = before;
  victim.hoard();
  await eventually(
    async () => {
      last = (await victim.commits()) ?? last;
      return !victim.isRunning;
    },
    { deadlineMs: OUT_OF_MEMORY_WITHIN_MS, what: 'the worker runs out of memory' },
  );
  const { diedOfMemory } = victim;
  victim.start();
  const meanwhile = (last ?? 0) - (before ?? 0);
  return {
    hit: commits > 0 && meanwhile > 0 && diedOfMemory,
    endedAtMs: Date.now(),
    detail: `${victim.name}, ${meanwhile} commits while its heap filled`,
  };
}

export const WORKER_FAULTS: readonly Fault[] = [
  {
    name: 'worker SIGKILL',
    probes: { alive: 'unanswered' },
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
    probes: { alive: 'unanswered' },
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
    probes: { alive: 'unanswered' },
    inject: async (world) =>
      await strikeBusiest(world, async (victim) => {
        victim.block(15_000);
        await wait(15_000);
      }),
  },
  { name: 'worker out of memory', inject: exhaust },
  OLDER_BUILD_FAULT,
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
