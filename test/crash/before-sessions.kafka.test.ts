// Crash point: panes and windows are written, and the closer's session dies in the transaction behind them, which closes sessions.
import { expect, test } from 'vitest';

import { closeNextPanes } from '../../postgres/close-windows.ts';
import { moveClosedThrough, readClock } from '../../postgres/closed-through.ts';
import { countSessions } from '../../postgres/read-sessions.ts';
import { resultDifferences } from '../support/verified-results.ts';
import { CrashWorld, START_MS } from './crash-world.ts';

test('windows stay, sessions stay open, and the next closer closes these though no pane is left to it', async () => {
  const world = await CrashWorld.ingested();
  const { database } = world;
  const spec = { ...world.spec, sessionGapMs: 60_000 };
  const { pool, schema } = database;
  const throughMs = START_MS + 600_000;
  await moveClosedThrough(pool, spec, throughMs);
  await world.crashAt('funnel', (ofCloser) => closeNextPanes(ofCloser, spec, { throughMs }));
  await world.untilQuiet();
  expect(await readClock(pool, spec)).toMatchObject({ panesThroughMs: throughMs, writtenThroughMs: null });
  expect(await resultDifferences({ pool, schema, spec })).toEqual([]);
  const between = await countSessions(pool, schema);
  await closeNextPanes(pool, spec, { throughMs });
  expect(await readClock(pool, spec)).toMatchObject({ panesThroughMs: throughMs, writtenThroughMs: throughMs });
  const after = await countSessions(pool, schema);
  expect(after.closed).toBeGreaterThan(between.closed);
  expect(after.closed + after.open).toBe(between.closed + between.open);
  expect(await resultDifferences({ pool, schema, spec })).toEqual([]);
});
