// The low watermark: what holds it, what does not, and what it never passes.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isIdle, lowWatermark, nextLookMs } from '../../pipeline/watermark.ts';
import type { PartitionProgress, WatermarkInput } from '../../pipeline/watermark.ts';

const NOW = Date.parse('2026-11-01T12:00:00Z');

/** A partition that is being read: watermark a minute ago, unread messages. */
function reading(partition: number, changes: Partial<PartitionProgress> = {}): PartitionProgress {
  return { partition, nextOffset: 50, endOffset: 100, watermarkMs: NOW - 60_000, committedAtMs: NOW - 10, ...changes };
}

function idle(partition: number, changes: Partial<PartitionProgress> = {}): PartitionProgress {
  return reading(partition, { nextOffset: 100, committedAtMs: NOW - 30_000, ...changes });
}

function input(partitions: readonly PartitionProgress[], lastWindowEndMs: number | null = NOW): WatermarkInput {
  return { partitions, latenessMs: 300_000, idleAfterMs: 30_000, maxFutureMs: 120_000, nowMs: NOW, lastWindowEndMs };
}

describe('while partitions are read', () => {
  it('is the slowest one, which is named with its reason', () => {
    const low = lowWatermark(input([reading(0), reading(1, { watermarkMs: NOW - 90_000 }), reading(2)]));
    expect(low).toEqual({
      ms: NOW - 90_000,
      allIdle: false,
      idlePartitions: [],
      heldBackBy: { partition: 1, reason: 'unread-messages' },
    });
  });

  it('leaves idle partitions out of the minimum', () => {
    const low = lowWatermark(
      input([reading(0), idle(1, { watermarkMs: NOW - 3_600_000 }), idle(2, { watermarkMs: null })]),
    );
    expect(low).toMatchObject({ ms: NOW - 60_000, allIdle: false, idlePartitions: [1, 2] });
  });

  it('is unknown while one of them has no event yet', () => {
    const low = lowWatermark(input([reading(0), reading(1, { watermarkMs: null })]));
    expect(low).toMatchObject({ ms: null, heldBackBy: { partition: 1, reason: 'no-event-yet' } });
  });

  it('never passes the wall clock by more than is allowed of the future', () => {
    expect(lowWatermark(input([reading(0, { watermarkMs: NOW + 86_400_000 })])).ms).toBe(NOW + 120_000);
  });

  it('is held by one that was read to the end a moment ago', () => {
    const low = lowWatermark(input([idle(0, { committedAtMs: NOW - 29_999 })]));
    expect(low).toMatchObject({ ms: NOW - 60_000, heldBackBy: { partition: 0, reason: 'read-to-the-end-recently' } });
  });
});

describe('when all partitions are idle', () => {
  it('follows the wall clock less the lateness', () => {
    const low = lowWatermark(input([idle(0, { watermarkMs: NOW - 7_200_000 }), idle(1, { watermarkMs: null })]));
    expect(low).toEqual({ ms: NOW - 300_000, allIdle: true, idlePartitions: [0, 1], heldBackBy: null });
  });

  it('ends with the last window that holds an event, so that a history loaded later is not late', () => {
    const quiet = [idle(0, { watermarkMs: NOW - 7_200_000 }), idle(1, { watermarkMs: null })];
    expect(lowWatermark(input(quiet, NOW - 6_000_000)).ms).toBe(NOW - 6_000_000);
  });

  it('is unknown before the first event, however long the topic was idle', () => {
    const empty = idle(0, { nextOffset: 0, endOffset: 0, watermarkMs: null, committedAtMs: 0 });
    expect(lowWatermark(input([empty], null))).toMatchObject({ ms: null, allIdle: true });
  });

  it('stays at the furthest partition where that is ahead of the clock less the lateness', () => {
    expect(lowWatermark(input([idle(0), idle(1, { watermarkMs: NOW - 1_000 })])).ms).toBe(NOW - 1_000);
  });

  it('still does not pass the wall clock by more than is allowed of the future', () => {
    expect(lowWatermark(input([idle(0, { watermarkMs: NOW + 86_400_000 })])).ms).toBe(NOW + 120_000);
  });
});

describe('idleness', () => {
  it('needs both the end of the log and time without a commit', () => {
    const clock = { idleAfterMs: 30_000, nowMs: NOW };
    expect(isIdle(idle(0), clock)).toBe(true);
    expect(isIdle(idle(0, { endOffset: 101 }), clock)).toBe(false);
    expect(isIdle(idle(0, { committedAtMs: NOW - 29_999 }), clock)).toBe(false);
    expect(isIdle(idle(0, { nextOffset: 0, endOffset: 0, watermarkMs: null }), clock)).toBe(true);
  });

  it('is not claimed of a topic without partitions', () => {
    expect(lowWatermark(input([]))).toEqual({ ms: null, allIdle: false, idlePartitions: [], heldBackBy: null });
  });
});

describe('whatever the partitions say', () => {
  const progress = fc.record({
    nextOffset: fc.integer({ min: 0, max: 3 }),
    endOffset: fc.integer({ min: 0, max: 3 }),
    watermarkMs: fc.option(fc.integer({ min: NOW - 4_000_000, max: NOW + 4_000_000 })),
    committedAtMs: fc.integer({ min: NOW - 60_000, max: NOW + 5_000 }),
  });
  const partitions = fc
    .array(progress, { maxLength: 6 })
    .map((list) => list.map((one, partition) => ({ ...one, partition })));

  it('the low watermark never exceeds that of a partition that is not idle', () => {
    fc.assert(
      fc.property(partitions, (list) => {
        const all = input(list);
        const low = lowWatermark(all);
        for (const one of list.filter((candidate) => !isIdle(candidate, all))) {
          expect(low.ms ?? -Infinity).toBeLessThanOrEqual(one.watermarkMs ?? -Infinity);
        }
        expect(low.ms ?? -Infinity).toBeLessThanOrEqual(NOW + all.maxFutureMs);
      }),
    );
  });

  it('an active partition is named exactly when the clock does not decide', () => {
    fc.assert(
      fc.property(partitions, (list) => {
        const all = input(list);
        const low = lowWatermark(all);
        const active = list.filter((candidate) => !isIdle(candidate, all)).map(({ partition }) => partition);
        expect(low.heldBackBy === null).toBe(active.length === 0);
        expect(active.includes(low.heldBackBy?.partition ?? -1)).toBe(active.length > 0);
        expect(low.allIdle).toBe(list.length > 0 && active.length === 0);
        expect([...active, ...low.idlePartitions].toSorted((one, other) => one - other)).toEqual(
          list.map(({ partition }) => partition),
        );
      }),
    );
  });
});

describe('the next look at the low watermark', () => {
  const BOUNDARY = Date.parse('2026-11-01T10:01:00Z');

  it.each([
    ['is due after the usual time while the boundary is far', BOUNDARY - 10_000, 250],
    ['is due a moment after event time should pass the boundary', BOUNDARY - 100, 110],
    [
      'is not hurried when the boundary was to be passed by now, so that a partition that stands costs no more',
      BOUNDARY - 10,
      250,
    ],
    ['is due after the usual time on the boundary', BOUNDARY, 250],
  ])('%s', (_, lowWatermarkMs, waitMs) => {
    expect(nextLookMs(lowWatermarkMs, 250)).toBe(waitMs);
  });

  it('is due after the usual time before the first event', () => {
    expect(nextLookMs(null, 250)).toBe(250);
  });
});
