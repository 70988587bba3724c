// What a fault is: something real that is done to a part of the running pipeline, and ends again.
import { setTimeout as wait } from 'node:timers/promises';

import type { ChaosWorld } from './chaos-world.ts';
import type { StruckWorker } from './struck-worker.ts';

/** `hit`: it met work that was going on. `endedAtMs`: when the disturbance itself was over (epoch ms). */
export type Injection = { readonly hit: boolean; readonly endedAtMs: number; readonly detail: string };

/** A number in [0, 1), seeded: what a fault may vary. */
export type Chance = number;

export type Fault = {
  readonly name: string;
  /** It cannot be undone, so it comes once a run. */
  readonly once?: true;
  /** Why this machine does not allow it; null where it does. */
  readonly whyNot?: () => string | null;
  /**
   * What the probes of the workers must have said: `ready: 'lost'`, some worker was not ready (503); `alive: 'unanswered'`,
   * some worker did not answer at all. For every fault besides: no `/healthz` says 503, and all are ready again afterwards.
   */
  readonly probes?: { readonly ready?: 'lost'; readonly alive?: 'unanswered' };
  readonly inject: (world: ChaosWorld, chance: Chance) => Promise<Injection>;
};

/** The faults that this machine allows, and a sentence for each of the others. */
export function allowedHere(wanted: readonly Fault[]): { faults: Fault[]; leftOut: string[] } {
  const judged = wanted.map((fault) => ({ fault, why: fault.whyNot?.() ?? null }));
  return {
    faults: judged.filter(({ why }) => why === null).map(({ fault }) => fault),
    leftOut: judged.flatMap(({ fault, why }) =>
      why === null ? [] : [`The fault "${fault.name}" is left out: ${why}.`],
    ),
  };
}

const MOVING_MS = 1_500;

/** Whether commits were seen just now: otherwise a fault meets nothing. */
export const isMoving = ({ watch }: ChaosWorld): boolean => watch.count(Date.now() - MOVING_MS) > 0;

/** The worker that commits most at present, and how much it did within half a second. */
export async function busiest({ workers }: ChaosWorld): Promise<{ victim: StruckWorker; commits: number }> {
  const before = await Promise.all(workers.map(async (worker) => await worker.commits()));
  await wait(500);
  const after = await Promise.all(workers.map(async (worker) => await worker.commits()));
  const [first, ...others] = workers.map((victim, index) => ({
    victim,
    commits: (after[index] ?? 0) - (before[index] ?? after[index] ?? 0),
  }));
  if (!first) throw new Error('There is no worker to strike.');
  return others.reduce((most, one) => (one.commits > most.commits ? one : most), first);
}
