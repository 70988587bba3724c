// Boundaries that a low watermark passes, on looks made by hand.
import { describe, expect, test } from 'vitest';

import { BoundaryPasses } from '../../bench/boundary-passes.ts';

const NOON = Date.UTC(2026, 5, 1, 12);
const MINUTE_MS = 60_000;
/** Seconds after noon; both parts of a look at one instant. */
const look = (atMs: number, lowSeconds: number | null, writtenSeconds: number | null) => ({
  lowMs: lowSeconds === null ? null : NOON + lowSeconds * 1000,
  lowAtMs: atMs,
  writtenMs: writtenSeconds === null ? null : NOON + writtenSeconds * 1000,
  writtenAtMs: atMs,
});

describe('a boundary', () => {
  test('takes from the look that first saw it passed to the one that first saw it written', () => {
    const passes = new BoundaryPasses();
    expect(passes.look(look(0, 50, 0))).toEqual([]);
    expect(passes.look(look(100, 60, 0))).toEqual([]);
    expect(passes.look(look(400, 61, 0))).toEqual([]);
    expect(passes.look(look(500, 61, 60))).toEqual([{ boundaryMs: NOON + MINUTE_MS, tookMs: 400 }]);
    expect(passes.look(look(600, 62, 60))).toEqual([]);
  });

  test('that was passed before the first look is not measured', () => {
    const passes = new BoundaryPasses();
    passes.look(look(0, 61, 0));
    expect(passes.look(look(10, 61, 60))).toEqual([]);
  });

  test('that was passed before the low watermark was known is not measured', () => {
    const passes = new BoundaryPasses();
    passes.look(look(0, null, null));
    passes.look(look(10, 61, null));
    expect(passes.waiting).toBe(0);
  });

  test('that one look saw passed and written took what lies between the two parts of the look', () => {
    const passes = new BoundaryPasses();
    passes.look(look(0, 50, 0));
    expect(passes.look({ ...look(10, 60, 60), writtenAtMs: 12 })).toEqual([
      { boundaryMs: NOON + MINUTE_MS, tookMs: 2 },
    ]);
  });

  test('is one of several when the low watermark jumps, and each is written in its own time', () => {
    const passes = new BoundaryPasses();
    passes.look(look(0, 0, 0));
    passes.look(look(10, 130, 0));
    expect(passes.waiting).toBe(2);
    expect(passes.look(look(20, 130, 60))).toEqual([{ boundaryMs: NOON + MINUTE_MS, tookMs: 10 }]);
    expect(passes.look(look(30, 130, 120))).toEqual([{ boundaryMs: NOON + 2 * MINUTE_MS, tookMs: 20 }]);
  });

  test('that was passed after the end is not measured, one that waits still is', () => {
    const passes = new BoundaryPasses();
    passes.look(look(0, 0, 0));
    passes.look(look(10, 60, 0));
    passes.takeNoMore();
    expect(passes.look(look(20, 120, 0))).toEqual([]);
    expect(passes.waiting).toBe(1);
    expect(passes.look(look(30, 120, 120))).toEqual([{ boundaryMs: NOON + MINUTE_MS, tookMs: 20 }]);
  });
});
