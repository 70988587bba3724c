// Crash point: all rows are in PostgreSQL, and the line breaks before the end of the statement that commits them.
import { expect, test } from 'vitest';

import { LINE_BROKEN, worldWithFirstWave } from './crash-world.ts';
import { wirePoint } from './wire-points.ts';

test('rows that are all there but not committed are rolled back and come again', async () => {
  const { world, lease } = await worldWithFirstWave();
  const stalled = world.proxy.stallAt(wirePoint('before commit'));
  await world.sendWave(1);
  await stalled;
  await world.untilInCopy('dead_letters', { withRows: true });
  world.proxy.cut();
  await expect(lease.over).rejects.toThrow(LINE_BROKEN);
  await world.untilQuiet();
  expect((await world.checkpoint()).nextOffset).toBe(1_000);
  await world.proxy.heal();
  expect(await world.problemsInTheEnd()).toEqual([]);
});
