// The checks of a partition's counts, by numbers that were worked out by hand.
import { expect, test } from 'vitest';

import { checkPartitions } from '../../pipeline/check-partitions.ts';
import type { PartitionRows } from '../../pipeline/check-partitions.ts';
import { readRanges } from '../../pipeline/partition-run.ts';
import type { PartitionRun } from '../../pipeline/partition-run.ts';

const run = (partition: number, changes: Partial<PartitionRun> = {}): PartitionRun => ({
  partition,
  run: 1,
  firstOffset: 100,
  nextOffset: 110,
  counts: { recorded: 6, duplicate: 2, late: 1, rejected: 1, skipped: 1 },
  rejectedAgain: 0,
  acceptedGaps: 0,
  ended: null,
  ...changes,
});

const rows = (partition: number, changes: Partial<PartitionRows> = {}): PartitionRows => ({
  partition,
  events: 6,
  deadLetters: 1,
  lateEvents: 1,
  outsideCheckpoint: 0,
  ...changes,
});

const differing = (runs: PartitionRun[], counted: PartitionRows[]): Record<string, number> =>
  Object.fromEntries(
    checkPartitions(runs, counted).checks.flatMap(({ name, differences }) =>
      differences > 0 ? [[name, differences]] : [],
    ),
  );

test('a partition whose offsets and rows are accounted for has no difference', () => {
  expect(differing([run(0)], [rows(0)])).toEqual({});
});

test('one event too many in a partition does not make up for one missing in another', () => {
  expect(differing([run(0), run(1)], [rows(0, { events: 7 }), rows(1, { events: 5 })])).toEqual({
    recorded: 2,
  });
});

test('offsets that were accepted as lost are accounted for', () => {
  expect(differing([run(0, { nextOffset: 115 })], [rows(0)])).toEqual({ offsets: 5 });
  expect(differing([run(0, { nextOffset: 115, acceptedGaps: 5 })], [rows(0)])).toEqual({});
});

test('rows of a partition that was never read are differences', () => {
  expect(differing([run(0)], [rows(0), rows(7, { outsideCheckpoint: 7 })])).toEqual({
    recorded: 6,
    rejected: 1,
    late: 1,
    'unread offsets': 7,
  });
});

test('a partition without any row is held against its counts', () => {
  expect(differing([run(0)], [])).toEqual({ recorded: 6, rejected: 1, late: 1 });
});

/** The second run of a partition: read again from its first offset, up to a bit further. */
const again = (changes: Partial<PartitionRun> = {}): PartitionRun =>
  run(0, {
    run: 2,
    nextOffset: 113,
    counts: { recorded: 2, duplicate: 8, late: 0, rejected: 2, skipped: 1 },
    rejectedAgain: 1,
    ...changes,
  });

test('over several runs, rows are held against what all runs recorded, and a letter counts once', () => {
  const ended = run(0, { ended: { atMs: 1, why: 'because' } });
  expect(differing([ended, again()], [rows(0, { events: 8, deadLetters: 2 })])).toEqual({});
  expect(differing([ended, again({ rejectedAgain: 0 })], [rows(0, { events: 8, deadLetters: 2 })])).toEqual({
    rejected: 1,
  });
});

const found = { events: new Set([0]), letters: new Set([0]) };
const NO_DIFFERENCES = [0, 0, 0, 0, 0];

/** Runs of partition 0 that counted 6 + 2 events, 1 + 2 late ones, 1 + 1 letters, where the rows are those given. */
const countedAs = (there: Partial<PartitionRows>, proof = found) => {
  const { checks, countedTwice } = checkPartitions(
    [
      run(0, { ended: { atMs: 1, why: 'because' } }),
      again({
        nextOffset: 110,
        counts: { ...run(0).counts, recorded: 2, late: 2, duplicate: 6 },
        rejectedAgain: 0,
      }),
    ],
    [rows(0, there)],
    proof,
  );
  return { differences: checks.map(({ differences }) => differences), countedTwice };
};

test('rows in the counts of two runs are no difference where every message of the partition was found', () => {
  const there = { events: 7, lateEvents: 1, deadLetters: 1 };
  expect(countedAs(there)).toEqual({ differences: NO_DIFFERENCES, countedTwice: { events: 1, letters: 1 } });
  expect(countedAs(there, { events: new Set(), letters: new Set([0]) })).toEqual({
    differences: [0, 1, 0, 2, 0],
    countedTwice: { events: 0, letters: 1 },
  });
  expect(countedAs(there, { events: new Set([0]), letters: new Set([1]) })).toEqual({
    differences: [0, 0, 1, 0, 0],
    countedTwice: { events: 1, letters: 0 },
  });
});

test('more rows missing than later runs have counted are differences, and so are rows that no run has counted', () => {
  expect(countedAs({ events: 5, lateEvents: 3, deadLetters: 2 }).differences).toEqual([0, 1, 0, 0, 0]);
  expect(countedAs({ events: 9, lateEvents: 3, deadLetters: 3 }).differences).toEqual([0, 1, 1, 0, 0]);
  expect(checkPartitions([run(0)], [rows(0, { events: 5 })], found).checks[1]).toMatchObject({ differences: 1 });
});

test('offsets are accounted for in each run by itself, and the run that is not is named', () => {
  const ended = run(0, { nextOffset: 109, ended: { atMs: 1, why: 'because' } });
  const { checks } = checkPartitions([ended, again({ nextOffset: 114 })], [rows(0, { events: 8, deadLetters: 2 })]);
  expect(checks[0]).toMatchObject({ name: 'offsets', differences: 2 });
  expect(checks[0]?.examples).toEqual([
    'Partition 0: 9 expected, 10 found.',
    'Partition 0, run 2: 14 expected, 13 found.',
  ]);
});

test('what was read reaches from the first to the last offset of any run', () => {
  expect(readRanges([run(1), run(0), again({ firstOffset: 50, nextOffset: 60 })])).toEqual([
    { partition: 0, firstOffset: 50, nextOffset: 110 },
    { partition: 1, firstOffset: 100, nextOffset: 110 },
  ]);
});
