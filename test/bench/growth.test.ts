// What a step of growth did, out of two readings, and the last step beside the first.
import { describe, expect, test } from 'vitest';

import { lastToFirst } from '../../bench/growth-ratios.ts';
import type { GrowthStep } from '../../bench/growth-ratios.ts';
import { differenceOf } from '../../bench/growth-work.ts';
import type { Work } from '../../bench/growth-work.ts';

const work = (given: Partial<Work> = {}): Work => ({
  commits: [
    { upTo: 0.01, count: 10 },
    { upTo: Infinity, count: 0 },
  ],
  closeSeconds: 4,
  panes: 2,
  closedEvents: 1_000,
  ...given,
});

const step = (given: Partial<GrowthStep>): GrowthStep => ({
  nth: 1,
  rows: 0,
  seconds: { ingested: 1, closed: 2 },
  eventsPerSecond: { ingested: 200, closed: 100 },
  commitMs: { count: 1, p50: 1, p99: 4 },
  panesClosed: 1,
  eventsClosed: 1,
  closeMsPerPane: 1,
  closeMicrosecondsPerEvent: 5,
  cpuMicrosecondsPerEvent: {},
  bytes: { eventTable: 0, eventIndexes: 0, facts: 0, results: 0 },
  ...given,
});

describe('the work of a step', () => {
  test('is what was added since the reading before', () => {
    const commits = [
      { upTo: 0.01, count: 110 },
      { upTo: Infinity, count: 0 },
    ];
    const after = work({ commits, closeSeconds: 5, panes: 6, closedEvents: 501_000 });
    expect(differenceOf(work(), after)).toEqual({
      commitMs: { count: 100, p50: 5, p99: 9.9 },
      panesClosed: 4,
      eventsClosed: 500_000,
      closeMsPerPane: 250,
      closeMicrosecondsPerEvent: 2,
    });
  });

  test('without closes has no times of closing', () => {
    expect(differenceOf(work(), work())).toMatchObject({
      commitMs: { count: 0, p99: null },
      closeMsPerPane: null,
      closeMicrosecondsPerEvent: null,
    });
  });
});

describe('the last step', () => {
  test('is divided by the first, whatever lies between', () => {
    const steps = [
      step({}),
      step({ eventsPerSecond: { ingested: 1, closed: 1 } }),
      step({ eventsPerSecond: { ingested: 180, closed: 80 }, closeMicrosecondsPerEvent: 6 }),
    ];
    expect(lastToFirst(steps)).toEqual({
      eventsPerSecond: { ingested: 0.9, closed: 0.8 },
      commitP99Ms: 1,
      closeMicrosecondsPerEvent: 1.2,
    });
  });

  test('is compared with nothing where a figure is missing', () => {
    expect(lastToFirst([step({ closeMicrosecondsPerEvent: null }), step({})])).toMatchObject({
      closeMicrosecondsPerEvent: null,
    });
    expect(lastToFirst([])).toMatchObject({ eventsPerSecond: { ingested: null, closed: null } });
  });
});
