// The checks of guarantee 2 that need no topic: each run's offsets are accounted for, and the runs' counts are the rows.
import { unaccountedOffsets } from './checkpoint.ts';
import type { Counts } from './checkpoint.ts';
import { comparePartitions } from './check.ts';
import type { Check, PartitionPair } from './check.ts';
import type { PartitionRun } from './partition-run.ts';

/** Rows that name a partition as their source, in the same snapshot as the checkpoints. */
export type PartitionRows = {
  readonly partition: number;
  readonly events: number;
  readonly deadLetters: number;
  readonly lateEvents: number;
  /** Of events and dead letters: those whose offset no run of the partition has read. */
  readonly outsideCheckpoint: number;
};

const NO_ROWS = { events: 0, deadLetters: 0, lateEvents: 0, outsideCheckpoint: 0 };

/** `runs`: all of them, with the present ones. Rows of a partition that was never read count against an expected 0. */
export function checkPartitions(runs: readonly PartitionRun[], rows: readonly PartitionRows[]): Check[] {
  const counted = joinByPartition(runs, rows);
  const pairs = (pick: (one: Counted) => { expected: number; found: number }): PartitionPair[] =>
    counted.map((one) => {
      const { expected, found } = pick(one);
      return { partition: one.rows.partition, expected, found };
    });
  return [
    comparePartitions(
      'offsets',
      'in each run, next - first offset = recorded + duplicate + rejected + skipped, and gaps accepted as lost',
      runs.map((run) => {
        const expected = run.nextOffset - run.firstOffset;
        const found = expected - unaccountedOffsets(run) + run.acceptedGaps;
        return { partition: run.partition, run: run.run, expected, found };
      }),
    ),
    comparePartitions(
      'recorded',
      'a partition has as many rows in events as its runs counted',
      pairs(({ of, rows: { events } }) => ({ expected: sum(of, 'recorded'), found: events })),
    ),
    comparePartitions(
      'rejected',
      'a partition has as many rows in dead_letters as its runs counted, each message once',
      pairs(({ of, rows: { deadLetters } }) => ({
        expected: sum(of, 'rejected') - of.reduce((again, { rejectedAgain }) => again + rejectedAgain, 0),
        found: deadLetters,
      })),
    ),
    comparePartitions(
      'late',
      'a partition has as many rows in late_events as its runs counted',
      pairs(({ of, rows: { lateEvents } }) => ({ expected: sum(of, 'late'), found: lateEvents })),
    ),
    comparePartitions(
      'unread offsets',
      'no event or dead letter names an offset that its partition has not read',
      pairs(({ rows: { outsideCheckpoint } }) => ({ expected: 0, found: outsideCheckpoint })),
    ),
  ];
}

const sum = (runs: readonly PartitionRun[], count: keyof Counts): number =>
  runs.reduce((total, { counts }) => total + counts[count], 0);

/** The runs `of` one partition, and its rows. */
type Counted = { readonly of: readonly PartitionRun[]; readonly rows: PartitionRows };

function joinByPartition(runs: readonly PartitionRun[], rows: readonly PartitionRows[]): Counted[] {
  const rowsOf = new Map(rows.map((one) => [one.partition, one]));
  const partitions = new Set([...runs.map(({ partition }) => partition), ...rowsOf.keys()]);
  return [...partitions]
    .toSorted((a, b) => a - b)
    .map((partition) => ({
      of: runs.filter((run) => run.partition === partition),
      rows: rowsOf.get(partition) ?? { partition, ...NO_ROWS },
    }));
}
