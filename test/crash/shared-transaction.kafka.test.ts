// Crash points of a transaction of several partitions: the line breaks at each point of the bytes, and behind the commit.
import { expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { LINE_BROKEN } from './crash-world.ts';
import { untilInCopy, untilQuiet } from './session-waits.ts';
import { SharedWorld, TOGETHER } from './shared-world.ts';
import { wirePoint } from './wire-points.ts';
import type { WirePoint } from './wire-points.ts';

const EACH_BROKEN = TOGETHER.map(() => expect.stringMatching(LINE_BROKEN));

/** What PostgreSQL has reached when everything before the point has come. */
const REACHED: Record<WirePoint, (world: SharedWorld) => Promise<void>> = {
  'before the transaction': async () => {},
  'after advance_checkpoint': async ({ database }) => await untilInCopy(database, { table: 'events', withRows: false }),
  'in mid-copy': async ({ database }) => await untilInCopy(database, { table: 'events', withRows: false }),
  'before commit': async ({ database }) => await untilInCopy(database, { table: 'events', withRows: true }),
};

test.each(['before the transaction', 'after advance_checkpoint', 'in mid-copy', 'before commit'] as const)(
  'no partition of a transaction moves when its line breaks %s, and each comes again by itself',
  async (point) => {
    const world = await SharedWorld.open();
    const before = await world.progress();
    const stalled = world.proxy.stallAt(wirePoint(point));
    await world.sendTheRest();
    await stalled;
    await REACHED[point](world);
    world.proxy.cut();
    expect(await world.endsOfShared()).toEqual(EACH_BROKEN);
    await untilQuiet(world.database);
    expect(await world.progress()).toEqual(before);
    await world.proxy.heal();
    expect(await world.problemsInTheEnd()).toEqual([]);
  },
);

test('every partition of a transaction whose reply was lost has moved, and none goes in again', async () => {
  const world = await SharedWorld.open();
  const before = await world.progress();
  world.proxy.dropReplies();
  await world.sendTheRest();
  const haveMoved = async (): Promise<boolean> =>
    (await world.progress()).every(({ nextOffset }, index) => nextOffset > (before[index]?.nextOffset ?? 0));
  await eventually(haveMoved, { deadlineMs: 30_000, what: 'the batches are committed' });
  const after = await world.progress();
  await world.proxy.heal();
  expect(await world.endsOfShared()).toEqual(EACH_BROKEN);
  expect(await world.progress()).toEqual(after);
  expect(await world.problemsInTheEnd()).toEqual([]);
});
