// Crash point: half of the rows are sent, and the line breaks.
import { expect, test } from 'vitest';

import { LINE_BROKEN, worldWithFirstWave } from './crash-world.ts';
import { wirePoint } from './wire-points.ts';

test('half a batch is no batch', async () => {
  const { world, lease } = await worldWithFirstWave();
  const stalled = world.proxy.stallAt(wirePoint('in mid-copy'));
  await world.sendWave(1);
  await stalled;
  await world.untilInCopy('events');
  world.proxy.cut();
  await expect(lease.over).rejects.toThrow(LINE_BROKEN);
  await world.untilQuiet();
  expect((await world.checkpoint()).nextOffset).toBe(1_000);
  await world.proxy.heal();
  expect(await world.problemsInTheEnd()).toEqual([]);
});
