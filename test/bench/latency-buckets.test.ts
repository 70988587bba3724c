// Percentiles out of buckets, held against the sorted values themselves.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { BUCKET_GROWTH, LatencyBuckets } from '../../bench/latency-buckets.ts';

function bucketsOf(values: readonly number[]): LatencyBuckets {
  const buckets = new LatencyBuckets();
  for (const ms of values) {
    buckets.add(Math.floor(Math.log(ms) / Math.log(BUCKET_GROWTH)), { events: 1, maxMs: ms });
  }
  return buckets;
}

test('percentiles are within one per cent of the sorted values, and the largest is exact', () => {
  const values = fc.array(fc.double({ min: 0.1, max: 3_600_000, noNaN: true }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(values, (ms) => {
      const sorted = ms.toSorted((a, b) => a - b);
      const found = bucketsOf(ms).percentiles();
      expect(found.events).toBe(ms.length);
      expect(found.max).toBe(sorted.at(-1));
      for (const [name, share] of [
        ['p50', 0.5],
        ['p90', 0.9],
        ['p95', 0.95],
        ['p99', 0.99],
      ] as const) {
        const exact = sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
        expect(Math.abs(found[name] - exact) / exact).toBeLessThan(0.0101);
      }
    }),
  );
});

test('without events everything is 0', () => {
  expect(new LatencyBuckets().percentiles()).toEqual({ events: 0, p50: 0, p90: 0, p95: 0, p99: 0, max: 0 });
});
