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

/** Partitions of which every message that was read has been judged again, and its event or its dead letter found. */
export type Found = { readonly events: ReadonlySet<number>; readonly letters: ReadonlySet<number> };

/** Before anything is judged again. */
const NOTHING_FOUND: Found = { events: new Set(), letters: new Set() };

/** Rows that two runs have counted: somebody had deleted them, and a later run put them back. */
type CountedTwice = { readonly events: number; readonly letters: number };

export type CheckedPartitions = { readonly checks: readonly Check[]; readonly countedTwice: CountedTwice };

/**
 * `runs`: all of them, with the present ones. Rows of a partition that was never read count against an expected 0. Counts tell
 * what each run did, so a row that was deleted and put back is in two of them: where nothing is missing, that is no difference.
 */
export function checkPartitions(
  runs: readonly PartitionRun[],
  rows: readonly PartitionRows[],
  found: Found = NOTHING_FOUND,
): CheckedPartitions {
  const counted = joinByPartition(runs, rows, found);
  return {
    checks: checksOf(runs, counted),
    countedTwice: {
      events: counted.reduce((total, { twice }) => total + twice.events, 0),
      letters: counted.reduce((total, { twice }) => total + twice.letters, 0),
    },
  };
}

function checksOf(runs: readonly PartitionRun[], counted: readonly Counted[]): Check[] {
  type Pair = { expected: number; found: number };
  const pairs = (pick: (one: Counted) => Pair): PartitionPair[] =>
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
      'a partition has as many rows in events as its runs counted, each row once',
      pairs(({ of, twice, rows: { events } }) => ({ expected: sum(of, 'recorded') - twice.events, found: events })),
    ),
    comparePartitions(
      'rejected',
      'a partition has as many rows in dead_letters as its runs counted, each message once',
      pairs(({ of, twice, rows: { deadLetters } }) => ({
        expected: letters(of) - twice.letters,
        found: deadLetters,
      })),
    ),
    comparePartitions(
      'late',
      'a partition has as many rows in late_events as its runs counted, each row once',
      pairs(({ of, twice, rows: { lateEvents } }) => ({ expected: sum(of, 'late') - twice.late, found: lateEvents })),
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

/** Dead letters that the runs have made. */
const letters = (runs: readonly PartitionRun[]): number =>
  sum(runs, 'rejected') - runs.reduce((again, { rejectedAgain }) => again + rejectedAgain, 0);

type Twice = CountedTwice & { readonly late: number };

/** What the runs counted beyond the rows, but no more than the runs after the first have counted themselves. */
function twiceOf(of: readonly PartitionRun[], rows: PartitionRows, found: Found): Twice {
  const later = of.filter(({ run }) => run > 1);
  const beyond = (count: (runs: readonly PartitionRun[]) => number, there: number): number =>
    Math.max(0, Math.min(count(of) - there, count(later)));
  const isFound = found.events.has(rows.partition);
  return {
    events: isFound ? beyond((runs) => sum(runs, 'recorded'), rows.events) : 0,
    late: isFound ? beyond((runs) => sum(runs, 'late'), rows.lateEvents) : 0,
    letters: found.letters.has(rows.partition) ? beyond(letters, rows.deadLetters) : 0,
  };
}

/** The runs `of` one partition, and its rows. */
type Counted = { readonly of: readonly PartitionRun[]; readonly rows: PartitionRows; readonly twice: Twice };

function joinByPartition(runs: readonly PartitionRun[], rows: readonly PartitionRows[], found: Found): Counted[] {
  const rowsOf = new Map(rows.map((one) => [one.partition, one]));
  const partitions = new Set([...runs.map(({ partition }) => partition), ...rowsOf.keys()]);
  return [...partitions]
    .toSorted((a, b) => a - b)
    .map((partition) => {
      const of = runs.filter((run) => run.partition === partition);
      const there = rowsOf.get(partition) ?? { partition, ...NO_ROWS };
      return { of, rows: there, twice: twiceOf(of, there, found) };
    });
}
