// Crash point: packets between a lease and PostgreSQL vanish; no error ever comes.
import { expect, test } from 'vitest';

import { worldWithFirstWave } from './crash-world.ts';
import { wirePoint } from './wire-points.ts';

test('a lease whose commit gets no answer ends by itself while its heartbeats go on, and the next one goes on', async () => {
  const { world, lease } = await worldWithFirstWave();
  const stalled = world.proxy.stallAt(wirePoint('in mid-copy'));
  await world.sendWave(1);
  await stalled;
  const beatsBefore = lease.heartbeats.length;
  const startedMs = performance.now();
  await expect(lease.over).rejects.toThrow(/has left a statement without an answer for 10 s/);
  expect(performance.now() - startedMs).toBeLessThan(20_000);
  expect(lease.heartbeats.length - beatsBefore).toBeGreaterThan(5);
  const next = world.lease({ pastProxy: true });
  await world.untilIngested();
  await next.drain();
  await world.proxy.heal();
  expect(await world.problemsInTheEnd()).toEqual([]);
});
