// Outages that last: a server, or all of them, gone for half an hour. By name only; a run of everything does without them.
import { setTimeout as wait } from 'node:timers/promises';

import type { ServerName } from '../../local/home-folder.ts';
import type { ChaosWorld } from './chaos-world.ts';
import { isMoving } from './fault.ts';
import type { Fault, Injection } from './fault.ts';

const GONE_MS = 30 * 60_000;

async function takeAway(world: ChaosWorld, servers: readonly ServerName[]): Promise<Injection> {
  const hit = isMoving(world);
  for (const server of servers) {
    world.stack.signal(server, 'SIGKILL');
    await world.stack.ended(server);
  }
  await wait(GONE_MS);
  await world.stack.startAgain();
  return { hit, endedAtMs: Date.now(), detail: `${servers.join(', ')} killed, started again after 30 min` };
}

export const LONG_OUTAGE_FAULTS: readonly Fault[] = [
  ...(['postgres', 'kafka', 'temporal'] as const).map((server): Fault => ({
    name: `${server} gone 30 min`,
    probes: { ready: 'lost' },
    inject: async (world) => await takeAway(world, [server]),
  })),
  {
    name: 'all servers gone 30 min',
    probes: { ready: 'lost' },
    inject: async (world) => await takeAway(world, ['postgres', 'kafka', 'temporal']),
  },
];
