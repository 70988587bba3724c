// Crash point: the checkpoint has moved inside the transaction, and the line breaks before the first row.
import { expect, test } from 'vitest';

import { LINE_BROKEN, worldWithFirstWave } from './crash-world.ts';
import { wirePoint } from './wire-points.ts';

test('a checkpoint that moved without its rows moves back', async () => {
  const { world, lease } = await worldWithFirstWave();
  const stalled = world.proxy.stallAt(wirePoint('after advance_checkpoint'));
  await world.sendWave(1);
  await stalled;
  // PostgreSQL has run advance_checkpoint: it waits for the rows of the COPY behind it.
  await world.untilInCopy('events');
  world.proxy.cut();
  await expect(lease.over).rejects.toThrow(LINE_BROKEN);
  await world.untilQuiet();
  expect((await world.checkpoint()).nextOffset).toBe(1_000);
  await world.proxy.heal();
  expect(await world.problemsInTheEnd()).toEqual([]);
});
