// The checks of a partition's counts, by numbers that were worked out by hand.
import { expect, test } from 'vitest';

import { checkPartitions } from '../../pipeline/check-partitions.ts';
import type { PartitionRows } from '../../pipeline/check-partitions.ts';
import type { Checkpoint } from '../../pipeline/checkpoint.ts';

const checkpoint = (partition: number, changes: Partial<Checkpoint> = {}): Checkpoint => ({
  topic: 'orders',
  partition,
  run: 1,
  reachedOffset: 0,
  firstOffset: 100,
  nextOffset: 110,
  epoch: 1,
  watermarkMs: null,
  committedAtMs: 0,
  counts: { recorded: 6, duplicate: 2, late: 1, rejected: 1, skipped: 1 },
  ...changes,
});

const rows = (partition: number, changes: Partial<PartitionRows> = {}): PartitionRows => ({
  partition,
  events: 6,
  deadLetters: 1,
  lateEvents: 1,
  outsideCheckpoint: 0,
  acceptedGaps: 0,
  ...changes,
});

const differing = (checkpoints: Checkpoint[], counted: PartitionRows[]): Record<string, number> =>
  Object.fromEntries(
    checkPartitions(checkpoints, counted).flatMap(({ name, differences }) =>
      differences > 0 ? [[name, differences]] : [],
    ),
  );

test('a partition whose offsets and rows are accounted for has no difference', () => {
  expect(differing([checkpoint(0)], [rows(0)])).toEqual({});
});

test('one event too many in a partition does not make up for one missing in another', () => {
  expect(differing([checkpoint(0), checkpoint(1)], [rows(0, { events: 7 }), rows(1, { events: 5 })])).toEqual({
    recorded: 2,
  });
});

test('offsets that were accepted as lost are accounted for', () => {
  expect(differing([checkpoint(0, { nextOffset: 115 })], [rows(0)])).toEqual({ offsets: 5 });
  expect(differing([checkpoint(0, { nextOffset: 115 })], [rows(0, { acceptedGaps: 5 })])).toEqual({});
});

test('rows of a partition that has no checkpoint are differences', () => {
  expect(differing([checkpoint(0)], [rows(0), rows(7, { outsideCheckpoint: 7 })])).toEqual({
    recorded: 6,
    rejected: 1,
    late: 1,
    'unread offsets': 7,
  });
});

test('a partition without any row is held against its counts', () => {
  expect(differing([checkpoint(0)], [])).toEqual({ recorded: 6, rejected: 1, late: 1 });
});
