// A histogram of a metrics page, as prom-client really writes it, and what is worked out from it.
import { Histogram, Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';

import { bucketsOf, observations, observedBetween, percentile, together, valueOf } from '../../bench/bucket-counts.ts';

function histogram() {
  const registry = new Registry();
  const seconds = new Histogram({
    name: 'took_seconds',
    help: 'A histogram.',
    labelNames: ['partition'],
    buckets: [0.01, 0.1, 1],
    registers: [registry],
  });
  return {
    observe: seconds.observe.bind(seconds),
    read: async () => bucketsOf(await registry.metrics(), 'took_seconds'),
  };
}

const counts = (...of: readonly (readonly [number, number])[]) => of.map(([upTo, count]) => ({ upTo, count }));

describe('a histogram of a page', () => {
  test('has the observations of all its label sets', async () => {
    const { observe, read } = histogram();
    observe({ partition: '0' }, 0.005);
    observe({ partition: '1' }, 0.005);
    observe({ partition: '1' }, 0.5);
    observe({ partition: '1' }, 5);
    expect(await read()).toEqual(counts([0.01, 2], [0.1, 0], [1, 1], [Infinity, 1]));
  });

  test('is empty when the page does not have it', () => {
    expect(bucketsOf('', 'took_seconds')).toEqual([]);
    expect(percentile([], 0.5)).toBeNull();
  });

  test('between two readings holds only what was observed between them', async () => {
    const { observe, read } = histogram();
    observe({ partition: '0' }, 0.005);
    const before = await read();
    observe({ partition: '0' }, 0.05);
    observe({ partition: '7' }, 0.5);
    expect(observedBetween(before, await read())).toEqual(counts([0.01, 0], [0.1, 1], [1, 1], [Infinity, 0]));
  });

  test('of a process that began anew counts from there', () => {
    const before = counts([1, 100], [Infinity, 3]);
    expect(observedBetween(before, counts([1, 4], [Infinity, 0]))).toEqual(counts([1, 4], [Infinity, 0]));
  });

  test('can be added to another', () => {
    const sum = together([counts([1, 2], [Infinity, 0]), counts([1, 3], [Infinity, 1])]);
    expect(sum).toEqual(counts([1, 5], [Infinity, 1]));
    expect(observations(sum)).toBe(6);
  });
});

describe('a percentile', () => {
  test('lies where its bucket is, in proportion', () => {
    const of = counts([0.01, 50], [0.1, 40], [1, 10], [Infinity, 0]);
    expect(percentile(of, 0.25)).toBeCloseTo(0.005, 9);
    expect(percentile(of, 0.5)).toBeCloseTo(0.01, 9);
    expect(percentile(of, 0.7)).toBeCloseTo(0.055, 9);
    expect(percentile(of, 1)).toBeCloseTo(1, 9);
  });

  test('passes over empty buckets', () => {
    expect(percentile(counts([0.01, 0], [0.1, 0], [1, 2], [Infinity, 0]), 0.5)).toBeCloseTo(0.55, 9);
  });

  test('beyond the last bound is that bound', () => {
    expect(percentile(counts([1, 1], [Infinity, 9]), 0.99)).toBe(1);
  });
});

describe('a plain metric of a page', () => {
  test('is the sum of its label sets', () => {
    const page = 'heap_bytes 12\ntotal{partition="0"} 3\ntotal{partition="1"} 4\ntotal_other 9\n';
    expect(valueOf(page, 'heap_bytes')).toBe(12);
    expect(valueOf(page, 'total')).toBe(7);
    expect(valueOf(page, 'absent')).toBeNull();
  });
});
