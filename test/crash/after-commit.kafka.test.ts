// Crash point: PostgreSQL has committed, and its reply is lost.
import { expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { CrashWorld, LINE_BROKEN } from './crash-world.ts';

test('a commit whose reply was lost stands, and is not done again', async () => {
  const world = await CrashWorld.open();
  const lease = world.lease();
  await world.sendWave(0);
  await world.untilIngested();
  world.proxy.dropReplies();
  await world.sendWave(1);
  const hasMoved = async (): Promise<boolean> => (await world.checkpoint()).nextOffset > 1_000;
  await eventually(hasMoved, { deadlineMs: 30_000, what: 'the batch is committed' });
  const { nextOffset, counts } = await world.checkpoint();
  await world.proxy.heal();
  await expect(lease.over).rejects.toThrow(LINE_BROKEN);
  expect(await world.checkpoint()).toMatchObject({ nextOffset, counts });
  await world.close(0.8);
  expect(await world.problemsInTheEnd()).toEqual([]);
});
