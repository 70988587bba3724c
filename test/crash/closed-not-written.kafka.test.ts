// Crash point: closed_through has moved, and the closer dies before it has written any pane.
import { expect, inject, test } from 'vitest';

import { createAwaitWatermark } from '../../activities/await-watermark.ts';
import { createCloseRange } from '../../activities/close-range.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { moveClosedThrough, readClock } from '../../postgres/closed-through.ts';
import { CrashWorld, START_MS, activityWorld } from './crash-world.ts';

test('what was closed but not written is found and written by the next closer, with the late events that came between', async () => {
  const world = await CrashWorld.open();
  const { spec } = world;
  const { pool } = world.database;
  const lease = world.lease();
  await world.sendWave(0);
  await world.untilIngested();
  // Further than the low watermark by now: event time alone gives the next closer no reason to write.
  const throughMs = START_MS + 540_000;
  await moveClosedThrough(pool, spec, throughMs);
  expect(await readClock(pool, spec)).toMatchObject({ closedThroughMs: throughMs, panesThroughMs: null });

  const metrics = openMetrics({ processMetrics: false }).close;
  const look = createAwaitWatermark({ pool, kafkaBrokers: inject('servers').kafkaBrokers, metrics });
  const input = { spec, leaseMs: 2_000, everyMs: 100, amendAfterMs: 60_000, endOffsets: null };
  const news = await activityWorld().run(look, input);
  expect(news).toMatchObject({ reason: 'closable', closeThroughMs: throughMs });
  await world.sendWave(1);
  await world.untilIngested();
  await lease.drain();
  await activityWorld().run(createCloseRange({ pool, metrics }), { spec, throughMs });
  expect(await readClock(pool, spec)).toMatchObject({ writtenThroughMs: throughMs });
  await world.close(0.6);
  expect(await world.problemsInTheEnd()).toEqual([]);
});
