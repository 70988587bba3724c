// The simulation keeps the laws that any installation keeps, and stays near what was measured.
import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';

import { simulate } from '../../bench/simulate.ts';
import type { Simulated } from '../../bench/simulate.ts';
import { compare, fittedCosts } from '../../bench/simulation/calibrate.ts';
import { readMeasured } from '../../bench/simulation/measured-costs.ts';
import type { Plan } from '../../bench/simulation/plan.ts';
import { temporalLoad } from '../../bench/simulation/temporal-load.ts';

const measured = readMeasured();
const costs = fittedCosts(measured, 'shop');

const SMALL: Plan = {
  rate: 4_000,
  partitions: 8,
  topics: 2,
  workers: 2,
  shards: 2,
  shardCores: 1,
  sharedCores: null,
  background: {},
  skew: 0.2,
  seed: 1,
  warmUpSeconds: 1,
  seconds: 4,
  latenessSeconds: 5,
  leastTurnMs: 5,
  sharesCommits: true,
  history: null,
  closes: true,
  outage: null,
  workerDiesAt: null,
};

/** Each message was committed once: the commits, added up, are what the checkpoints say. Of a plan without warm-up. */
function expectOnce(found: Simulated, seconds: number): void {
  expect(Math.round(found.eventsPerSecond * seconds)).toBe(found.committed);
  expect(found.committed + found.backlog.events).toBe(found.produced);
}

const busiest = ({ utilization: { workers, postgres } }: Simulated): number => Math.max(workers.most, postgres.most);

const anyPlan = fc.record({
  rate: fc.integer({ min: 10, max: 200_000 }),
  partitions: fc.integer({ min: 1, max: 12 }),
  workers: fc.integer({ min: 1, max: 4 }),
  shards: fc.integer({ min: 1, max: 3 }),
  skew: fc.double({ min: 0, max: 0.9, noNaN: true }),
  seed: fc.integer({ min: 0, max: 1_000_000 }),
  sharedCores: fc.constantFrom(null, 2),
});
const FEW = { numRuns: 12 };

describe('any installation', () => {
  it('loses nothing and makes nothing up: what is not committed is left over', () => {
    fc.assert(
      fc.property(anyPlan, (changes) => {
        const found = simulate({ ...SMALL, ...changes }, costs);
        expect(found.committed + found.backlog.events).toBe(found.produced);
        expect(found.backlog.events).toBeGreaterThanOrEqual(0);
        expect(Math.abs(found.produced - changes.rate * 5)).toBeLessThanOrEqual(changes.partitions + 1);
      }),
      FEW,
    );
  });

  it('is busy for as long as its events, turns and transactions cost, and never for longer than there is', () => {
    fc.assert(
      fc.property(anyPlan, (changes) => {
        const found = simulate({ ...SMALL, ...changes, skew: 0, closes: false }, costs);
        expect(busiest(found)).toBeLessThanOrEqual(1.001);
        if (found.backlog.seconds > 0.1 || found.eventsPerSecond < 100) return;
        const transactions = found.transactionsPerSecond / found.eventsPerSecond;
        const of = (perEvent: number, perBatch: number, perTransaction: number): number =>
          perEvent + perBatch / found.eventsPerBatch + perTransaction * transactions;
        const worker = of(costs.workerPerEvent, costs.workerPerTurn, 0);
        expect(found.microsecondsPerEvent['worker'] ?? 0).toBeCloseTo(worker, -Math.log10(worker * 0.05));
        const postgres = of(costs.postgresPerEvent, costs.postgresPerCheckpoint, costs.postgresPerTransaction);
        expect(found.microsecondsPerEvent['commits'] ?? 0).toBeCloseTo(postgres, -Math.log10(postgres * 0.05));
      }),
      FEW,
    );
  });

  it('gives the same result for the same plan, and another one for another seed', () => {
    expect(simulate(SMALL, costs)).toEqual(simulate(SMALL, costs));
    expect(simulate({ ...SMALL, seed: 2 }, costs)).not.toEqual(simulate(SMALL, costs));
  });

  it('makes no more transactions than with each batch alone, and as many as batches there', () => {
    fc.assert(
      fc.property(anyPlan, (changes) => {
        const shared = simulate({ ...SMALL, ...changes }, costs);
        const alone = simulate({ ...SMALL, ...changes, sharesCommits: false }, costs);
        expect(alone.transactionsPerSecond).toBe(alone.batchesPerSecond);
        expect(shared.transactionsPerSecond).toBeLessThanOrEqual(shared.batchesPerSecond);
        expect(shared.transactionsPerSecond).toBeLessThanOrEqual(alone.transactionsPerSecond * 1.1);
      }),
      FEW,
    );
  });

  it('shares nothing where each worker has one partition of a topic', () => {
    const plan = { ...SMALL, partitions: 4, topics: 2, workers: 4 };
    expect(simulate(plan, costs)).toEqual(simulate({ ...plan, sharesCommits: false }, costs));
  });

  it('commits each partition no oftener than its turns allow', () => {
    const { batchesPerSecond } = simulate({ ...SMALL, rate: 20_000, workers: 8, shardCores: 8 }, costs);
    const most = (SMALL.partitions * 1_000) / SMALL.leastTurnMs;
    expect(batchesPerSecond).toBeLessThanOrEqual(most * 1.01);
    expect(batchesPerSecond).toBeGreaterThan(most * 0.8);
  });
});

describe('more events a second', () => {
  it('never leave the busiest part with less to do', () => {
    const shares = [100, 400, 1_600, 6_400, 25_600, 102_400, 409_600].map((rate) =>
      busiest(simulate({ ...SMALL, rate }, costs)),
    );
    for (const [nth, share] of shares.entries()) expect(share).toBeGreaterThanOrEqual((shares[nth - 1] ?? 0) - 0.01);
    expect(shares.at(-1)).toBeGreaterThan(0.95);
  });

  it('than it can carry are left over, and older every second', () => {
    const rate = 1_000_000;
    const short = simulate({ ...SMALL, rate }, costs);
    const long = simulate({ ...SMALL, rate, seconds: 8 }, costs);
    expect(short.backlog.seconds).toBeGreaterThan(2);
    expect(long.backlog.seconds).toBeGreaterThan(short.backlog.seconds + 2);
    expect(long.eventsPerSecond).toBeCloseTo(short.eventsPerSecond, -4);
  });

  it('make larger commits where commits are what takes the time', () => {
    const of = (rate: number): number => simulate({ ...SMALL, rate }, costs).eventsPerBatch;
    expect(of(40_000)).toBeGreaterThan(of(4_000) * 3);
  });
});

describe('a history', () => {
  it('is committed and closed whole, however long the closes take', () => {
    const found = simulate({ ...SMALL, warmUpSeconds: 0, history: 200_000 }, costs);
    expect(found.committed).toBe(found.produced);
    expect(Math.abs(found.produced - 200_000)).toBeLessThanOrEqual(SMALL.partitions);
    expect(found.history.closed).toBeGreaterThanOrEqual(found.history.ingested);
    const closing = (found.produced * costs.closePerEvent) / SMALL.topics / 1e6;
    expect(found.history.closed).toBeGreaterThan(closing);
  });
});

describe('a fault', () => {
  it('of all servers is caught up with, the later the longer it was', () => {
    const after = [5, 20].map((seconds) => {
      const plan = { ...SMALL, warmUpSeconds: 0, seconds: 60, closes: false, outage: { at: 2.003, seconds } };
      const found = simulate(plan, costs);
      expectOnce(found, 60);
      return found.caughtUpAfter ?? Infinity;
    });
    expect(after[0]).toBeGreaterThan(0);
    expect(after[1]).toBeGreaterThanOrEqual(after[0] ?? Infinity);
    expect(after[1]).toBeLessThan(30);
  });

  it('of a worker stops its partitions for the heartbeat timeout and a wait, as long as was measured', () => {
    const found = simulate({ ...SMALL, warmUpSeconds: 0, seconds: 40, workerDiesAt: 5.003 }, costs);
    expect(found.lagMs.max).toBeGreaterThan(9_000);
    expect(found.lagMs.max).toBeLessThan(12_500);
    expect(found.caughtUpAfter).toBeLessThan(15);
    expectOnce(found, 40);
  });
});

test('CPU time and catch-up of the model stay within a third of what was measured', () => {
  const off = compare(measured)
    .filter(({ unit }) => unit !== 'ms')
    .map(({ what, modelled, measured: actual }) => ({ what, ratio: modelled / actual }));
  expect(off.length).toBeGreaterThan(8);
  expect(off.filter(({ ratio }) => ratio < 2 / 3 || ratio > 4 / 3)).toEqual([]);
});

test('what Temporal is asked grows with partitions and topics, and heartbeats are most of it', () => {
  const of = (partitions: number, topics = 1) => temporalLoad({ partitions, topics, amends: false });
  expect(of(2_000, 2).actions).toBeCloseTo(of(1_000).actions * 2, 3);
  const heartbeats = 1_000 * 3_600;
  expect(of(1_000).actions).toBeGreaterThan(heartbeats);
  expect(of(1_000).actions).toBeLessThan(heartbeats * 1.1);
});
