// Crash point: the windows of a boundary are half written when the closer's session dies.
import { expect, test } from 'vitest';

import { closeNextPanes } from '../../postgres/close-windows.ts';
import { moveClosedThrough, readClock } from '../../postgres/closed-through.ts';
import { readResults } from '../support/result-recount.ts';
import { CrashWorld, START_MS } from './crash-world.ts';

test('a boundary of which some windows were written is written again as a whole', async () => {
  const world = await CrashWorld.ingested();
  const { spec, database } = world;
  // Ten minutes: every aggregate has a window that ends there.
  const throughMs = START_MS + 600_000;
  await moveClosedThrough(database.pool, spec, throughMs);
  await world.crashAt('device_stats', (pool) => closeNextPanes(pool, spec, { throughMs }));
  await world.untilQuiet();
  expect(await readClock(database.pool, spec)).toMatchObject({ panesThroughMs: null });
  expect((await readResults(database.pool, database.schema))['event_counts']).toEqual([]);
  await world.close(0.8);
  expect(await world.problemsInTheEnd()).toEqual([]);
});
