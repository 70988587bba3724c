// The model of shared commits does what postgres/shared-commits.ts does, and keeps its laws.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Cpu } from '../../bench/simulation/cpu.ts';
import { EventQueue } from '../../bench/simulation/event-queue.ts';
import { ASSUMPTIONS } from '../../bench/simulation/plan.ts';
import type { Costs } from '../../bench/simulation/plan.ts';
import { SharedCommits } from '../../bench/simulation/shared-commits.ts';

const COSTS: Costs = {
  workerPerEvent: 10,
  workerPerTurn: 200,
  postgresPerEvent: 5,
  postgresPerCheckpoint: 50,
  postgresPerTransaction: 300,
  brokerPerEvent: 1,
  closePerEvent: 10,
};

type Arrival = { readonly atMs: number; readonly events: number; readonly isLost?: boolean };
type Outcome = {
  /** Events of each batch, by transaction, in the order of their ends. */
  readonly transactions: number[][];
  /** When each arrival was done; once means a list of one. */
  readonly doneMs: number[][];
};

/** Lets batches of one worker and topic come when they do, and everything end. */
function commitAll(arrivals: readonly Arrival[], changes: { sharesCommits?: boolean; costs?: Costs } = {}): Outcome {
  const queue = new EventQueue();
  const outcome: Outcome = { transactions: [], doneMs: arrivals.map(() => []) };
  const commits = new SharedCommits({
    queue,
    costs: COSTS,
    assumptions: ASSUMPTIONS,
    sharesCommits: true,
    clock: { enter: (go) => go(), leave: () => {} },
    postgres: new Cpu(queue, 4),
    onTransaction: (events) => outcome.transactions.push([...events]),
    ...changes,
  });
  for (const [nth, { atMs, events, isLost = false }] of arrivals.entries()) {
    const done = (): void => void outcome.doneMs[nth]?.push(queue.nowMs);
    queue.after(atMs, () => commits.commit({ events, isWanted: () => !isLost, done }));
  }
  queue.runUntil(Infinity);
  return outcome;
}

const at = (atMs: number, ...events: readonly number[]): Arrival[] => events.map((each) => ({ atMs, events: each }));
const ascending = (all: readonly number[]): number[] => all.toSorted((one, other) => one - other);
const sum = (all: readonly number[]): number => all.reduce((total, each) => total + each, 0);

describe('small batches of one worker and topic', () => {
  it('that come while another one commits go in together', () => {
    expect(commitAll([...at(0, 1), ...at(0.1, 2, 3), ...at(0.2, 4)]).transactions).toEqual([[1], [2, 3, 4]]);
  });

  it('go in at once when nothing commits', () => {
    expect(commitAll([...at(0, 1), ...at(20, 2), ...at(40, 3)]).transactions).toEqual([[1], [2], [3]]);
  });

  it('are at most 64 in one transaction', () => {
    const { transactions } = commitAll([...at(0, 1), ...at(0.1, ...Array.from({ length: 130 }, () => 1))]);
    expect(transactions.map(({ length }) => length)).toEqual([1, 64, 64, 2]);
  });

  it('wait for no commit that takes longer than 50 ms, and share one connection', () => {
    const costs = { ...COSTS, postgresPerTransaction: 200_000 };
    const { transactions, doneMs } = commitAll([...at(0, 1), ...at(1, 2, 3), ...at(51, 4, 5)], { costs });
    expect(transactions).toEqual([[1], [2, 3], [4], [5]]);
    expect(doneMs[1]?.[0]).toBeGreaterThan(250);
    expect(doneMs[1]?.[0]).toBeLessThan(260);
    expect(doneMs[4]?.[0]).toBeLessThan(310);
  });
});

it('a batch of more than 500 events is shared with none, and waits for none', () => {
  const { transactions, doneMs } = commitAll([...at(0, 5), ...at(0.1, 500, 501, 6)]);
  expect(transactions.toSorted((one, other) => sum(one) - sum(other))).toEqual([[5], [501], [500, 6]]);
  expect(doneMs[2]?.[0]).toBeLessThan(doneMs[1]?.[0] ?? 0);
});

describe('batches of any size that come at any time', () => {
  const arrivals = fc.array(
    fc.record({
      atMs: fc.double({ min: 0, max: 20, noNaN: true }),
      events: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 400, max: 5_000 })),
      isLost: fc.boolean(),
    }),
    { maxLength: 200 },
  );
  const costs = fc.constantFrom(COSTS, { ...COSTS, postgresPerTransaction: 80_000 });

  it('are each committed once, unless their lease is gone, and none earlier than it can be', () => {
    fc.assert(
      fc.property(arrivals, costs, (given, prices) => {
        const { transactions, doneMs } = commitAll(given, { costs: prices });
        const wanted = given.filter(({ isLost }) => !isLost);
        expect(doneMs.map(({ length }) => length)).toEqual(given.map(({ isLost }) => (isLost ? 0 : 1)));
        expect(ascending(transactions.flat())).toEqual(ascending(wanted.map(({ events }) => events)));
        const least = (prices.postgresPerTransaction + prices.postgresPerCheckpoint) / 1000 + ASSUMPTIONS.flushMs;
        for (const [nth, { atMs }] of given.entries()) {
          for (const ms of doneMs[nth] ?? []) expect(ms).toBeGreaterThanOrEqual(atMs + least);
        }
      }),
    );
  });

  it('make no more transactions than each alone, and none of several with a large one', () => {
    fc.assert(
      fc.property(arrivals, costs, (given, prices) => {
        const shared = commitAll(given, { costs: prices }).transactions;
        const alone = commitAll(given, { costs: prices, sharesCommits: false }).transactions;
        expect(alone.every(({ length }) => length === 1)).toBe(true);
        expect(shared.length).toBeLessThanOrEqual(alone.length);
        const several = shared.filter(({ length }) => length > 1);
        expect(several.every((events) => Math.max(...events) <= 500 && events.length <= 64)).toBe(true);
      }),
    );
  });
});
