// The checks of guarantee 2 that need no topic: each partition's offsets are accounted for, and its counts are its rows.
import type { Checkpoint } from './checkpoint.ts';
import { unaccountedOffsets } from './checkpoint.ts';
import { comparePartitions } from './check.ts';
import type { Check, PartitionPair } from './check.ts';

/** Rows that name a partition as their source, in the same snapshot as the checkpoints. */
export type PartitionRows = {
  readonly partition: number;
  readonly events: number;
  readonly deadLetters: number;
  readonly lateEvents: number;
  /** Of events and dead letters: those whose offset the partition has not read. */
  readonly outsideCheckpoint: number;
  /** Offsets read over because somebody accepted their loss. */
  readonly acceptedGaps: number;
};

const NO_ROWS = { events: 0, deadLetters: 0, lateEvents: 0, outsideCheckpoint: 0, acceptedGaps: 0 };

/** Rows of a partition without a checkpoint count against an expected 0. */
export function checkPartitions(checkpoints: readonly Checkpoint[], rows: readonly PartitionRows[]): Check[] {
  const counted = joinByPartition(checkpoints, rows);
  const pairs = (pick: (one: Counted) => { expected: number; found: number }): PartitionPair[] =>
    counted.map((one) => {
      const { expected, found } = pick(one);
      return { partition: one.rows.partition, expected, found };
    });
  return [
    comparePartitions(
      'offsets',
      'next - first offset = recorded + duplicate + rejected + skipped, and gaps accepted as lost',
      pairs(({ checkpoint, rows: { acceptedGaps } }) => {
        if (!checkpoint) return { expected: 0, found: 0 };
        const expected = checkpoint.nextOffset - checkpoint.firstOffset;
        return { expected, found: expected - unaccountedOffsets(checkpoint) + acceptedGaps };
      }),
    ),
    comparePartitions(
      'recorded',
      'a partition has as many rows in events as it counted',
      pairs(({ checkpoint, rows: { events } }) => ({ expected: checkpoint?.counts.recorded ?? 0, found: events })),
    ),
    comparePartitions(
      'rejected',
      'a partition has as many rows in dead_letters as it counted',
      pairs(({ checkpoint, rows: { deadLetters } }) => ({
        expected: checkpoint?.counts.rejected ?? 0,
        found: deadLetters,
      })),
    ),
    comparePartitions(
      'late',
      'a partition has as many rows in late_events as it counted',
      pairs(({ checkpoint, rows: { lateEvents } }) => ({ expected: checkpoint?.counts.late ?? 0, found: lateEvents })),
    ),
    comparePartitions(
      'unread offsets',
      'no event or dead letter names an offset that its partition has not read',
      pairs(({ rows: { outsideCheckpoint } }) => ({ expected: 0, found: outsideCheckpoint })),
    ),
  ];
}

type Counted = { readonly checkpoint: Checkpoint | null; readonly rows: PartitionRows };

function joinByPartition(checkpoints: readonly Checkpoint[], rows: readonly PartitionRows[]): Counted[] {
  const rowsOf = new Map(rows.map((one) => [one.partition, one]));
  const checkpointOf = new Map(checkpoints.map((one) => [one.partition, one]));
  return [...new Set([...checkpointOf.keys(), ...rowsOf.keys()])]
    .toSorted((a, b) => a - b)
    .map((partition) => ({
      checkpoint: checkpointOf.get(partition) ?? null,
      rows: rowsOf.get(partition) ?? { partition, ...NO_ROWS },
    }));
}
