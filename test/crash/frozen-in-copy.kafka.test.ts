// Crash point: a worker freezes in the middle of a COPY, its connection open and its transaction too.
import { expect, test } from 'vitest';

import { worldWithFirstWave } from './crash-world.ts';
import { wirePoint } from './wire-points.ts';

test('a lease that freezes in mid-copy does not hold up the next one, and commits nothing when it wakes', async () => {
  const { world, lease } = await worldWithFirstWave();
  const stalled = world.proxy.stallAt(wirePoint('in mid-copy'));
  await world.sendWave(1);
  await stalled;
  await world.untilInCopy('events');
  const next = world.lease({ pastProxy: true });
  await world.untilIngested();
  await next.drain();
  await world.proxy.heal();
  await expect(lease.over).rejects.toThrow(/terminat|ECONNRESET/);
  expect(await world.problemsInTheEnd()).toEqual([]);
});
