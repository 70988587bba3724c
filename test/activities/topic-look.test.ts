// What a look at event time says to the metrics.
import { expect, test } from 'vitest';

import { topicLook } from '../../activities/topic-look.ts';
import { AGGREGATES } from '../../pipeline/aggregates.ts';

const MINUTE_MS = 60_000;
const partition = { partition: 0, nextOffset: 10, logStartOffset: 0, endOffset: 10, watermarkMs: 1, committedAtMs: 1 };
const LOOK = {
  lowWatermarkMs: 62 * MINUTE_MS,
  closedThroughMs: 60 * MINUTE_MS,
  closeThroughMs: null,
  fromMs: 60 * MINUTE_MS,
  newestMs: 63 * MINUTE_MS + 1,
  lateWaiting: 3,
  checkpoints: 2,
  partitions: [partition, { ...partition, partition: 1, nextOffset: 4, logStartOffset: 5 }],
  low: { ms: 62 * MINUTE_MS, allIdle: false, idlePartitions: [0], heldBackBy: null },
};

test('windows are overdue by what may be closed and is not written', () => {
  expect(topicLook(LOOK).overdueMs).toBe(0);
  expect(topicLook({ ...LOOK, closeThroughMs: 62 * MINUTE_MS }).overdueMs).toBe(2 * MINUTE_MS);
});

test('nothing is overdue and nothing is open before the first event', () => {
  const look = topicLook({ ...LOOK, fromMs: null, newestMs: null, closeThroughMs: null });
  expect(look.overdueMs).toBe(0);
  expect(Object.values(look.openWindows)).toEqual(AGGREGATES.map(() => 0));
});

test('a window is open from its start on, until it is written', () => {
  // Written to 1:00, the newest event just after 1:03: four single minutes; windows of five minutes from 0:56 to 1:03; and so on.
  expect(topicLook(LOOK).openWindows).toEqual({
    event_counts: 4,
    user_activity: 8,
    purchase_metrics: 1,
    session_metrics: 1,
    device_stats: 1,
  });
});

test('a partition is lost when its log starts behind what it reads next', () => {
  expect(topicLook(LOOK).partitions).toEqual([
    { partition: 0, isIdle: true, isLost: false },
    { partition: 1, isIdle: false, isLost: true },
  ]);
});
