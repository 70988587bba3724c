// The summary of a soak says what grew and what did not.
import { describe, expect, test } from 'vitest';

import type { SoakSample } from '../../bench/soak-sample.ts';
import { summarizeSoak } from '../../bench/soak-summary.ts';
import type { Interval } from '../../bench/soak-summary.ts';

/** A sample of a minute; commits of it all took less than `commitMs`. */
function interval(minute: number, { commitMs, workerMiB }: { commitMs: number; workerMiB: number }): Interval {
  const sample: SoakSample = {
    atSeconds: minute * 60,
    lag: { offsets: 100 + minute, seconds: 0.1 },
    producedPerSecond: 5000,
    committedPerSecond: 5000,
    commitMs: { count: 10, p50: commitMs / 2, p99: commitMs },
    readableMs: { events: 10, p50: 20, p90: 20, p95: 60, p99: 80, max: 100, resolution: 4 },
    memoryMiB: { worker: workerMiB, broker: null },
    heapUsedMiB: { worker: 100, generator: 80 },
    deadRows: 50 * minute,
    autovacuums: 2,
    tables: {},
    walMiB: 10,
    databaseMib: 1000 + minute,
    windows: {
      closed: 2,
      delayMs: { count: 2, p50: 200, p99: 400 },
      transactionMs: { count: 1, p50: 100, p99: 100 },
    },
    loadAverage: 1,
    cpuMicrosecondsPerEvent: { worker: 50 },
  };
  return { sample, commits: [{ upTo: commitMs / 1000, count: 10 }] };
}

const minutes = (length: number) => Array.from({ length }, (_, index) => index + 1);

describe('a soak of an hour', () => {
  const summary = summarizeSoak(
    minutes(60).map((minute) => interval(minute, { commitMs: minute > 45 ? 40 : 20, workerMiB: 400 + minute * 2 })),
  );

  test('in which memory grew by two MiB a minute says 120 MiB an hour, from the third minute on', () => {
    const worker = summary?.memory['worker'];
    expect(worker).toMatchObject({ startMiB: 404, endMiB: 520, maxMiB: 520 });
    expect(worker?.slopeMiBPerHour).toBeCloseTo(120, 6);
  });

  test('in which commits became slower shows it between its first and its last quarter', () => {
    expect(summary?.commitP99Ms.firstQuarter).toBeCloseTo(19.8, 6);
    expect(summary?.commitP99Ms.lastQuarter).toBeCloseTo(39.6, 6);
    expect(summary?.commitP99Ms.slopePerHour).toBeGreaterThan(10);
  });

  test('has the largest lag and its slope, and sums over all samples', () => {
    expect(summary?.lagOffsets.max).toBe(160);
    expect(summary?.lagOffsets.slopePerHour).toBeCloseTo(60, 6);
    expect(summary).toMatchObject({
      samples: 60,
      minutes: 60,
      autovacuums: 120,
      walMiB: 600,
      committedPerSecond: 5000,
    });
  });

  test('says nothing of a process that runs elsewhere', () => {
    expect(summary?.memory['broker']).toEqual({ startMiB: null, endMiB: null, maxMiB: null, slopeMiBPerHour: null });
  });
});

test('a soak that ended after one sample has figures and no slopes', () => {
  const summary = summarizeSoak([interval(1, { commitMs: 20, workerMiB: 400 })]);
  expect(summary?.memory['worker']).toEqual({ startMiB: 400, endMiB: 400, maxMiB: 400, slopeMiBPerHour: null });
  expect(summary?.lagOffsets.slopePerHour).toBeNull();
});

test('a soak without a sample has no summary', () => {
  expect(summarizeSoak([])).toBeNull();
});
