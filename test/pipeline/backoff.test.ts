// The rule by which everything waits before it tries again.
import { assert, double, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { backoffWaitMs } from '../../pipeline/backoff.ts';

const LIMITS = { firstMs: 1_000, longestMs: 10_000 };

describe('the wait before the next try', () => {
  it('doubles from the first wait to the longest when chance takes nothing off', () => {
    const waits = [1, 2, 3, 4, 5, 6, 1_000].map((failures) => backoffWaitMs({ failures, ...LIMITS, chance: 0 }));
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
  });

  it('is shorter by at most half, and never longer than the longest, whatever chance says', () => {
    assert(
      property(
        integer({ min: 0, max: 10_000 }),
        double({ min: 0, max: 0.999_999, noNaN: true }),
        (failures, chance) => {
          const full = backoffWaitMs({ failures, ...LIMITS, chance: 0 });
          const waitMs = backoffWaitMs({ failures, ...LIMITS, chance });
          expect(waitMs).toBeLessThanOrEqual(full);
          expect(waitMs).toBeGreaterThanOrEqual(Math.floor(full / 2));
          expect(full).toBeLessThanOrEqual(LIMITS.longestMs);
          expect(Number.isInteger(waitMs)).toBe(true);
        },
      ),
    );
  });
});
