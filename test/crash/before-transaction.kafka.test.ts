// Crash point: the batch is encoded, and the line breaks before PostgreSQL hears of it.
import { expect, test } from 'vitest';

import { LINE_BROKEN, worldWithFirstWave } from './crash-world.ts';
import { wirePoint } from './wire-points.ts';

test('a batch that never reached PostgreSQL is read and committed again, and takes none of its own events for duplicates', async () => {
  const { world, lease } = await worldWithFirstWave();
  world.proxy.cutAt(wirePoint('before the transaction'));
  await world.sendWave(1);
  await expect(lease.over).rejects.toThrow(LINE_BROKEN);
  expect((await world.checkpoint()).nextOffset).toBe(1_000);
  expect(await world.problemsInTheEnd()).toEqual([]);
});
