// A run of a partition: its counts since it was first read, or since it was last rewound. The conservation law holds in each.
import type { Checkpoint, Counts } from './checkpoint.ts';

/**
 * Run 1 begins with the first read, every rewind begins the next one. `firstOffset` to `nextOffset`: what the run has read.
 * `rejectedAgain`: of the rejected messages, those that were dead letters of an earlier run already. `acceptedGaps`: offsets
 * passed over because somebody accepted their loss. `ended` null: the present run, whose numbers are the checkpoint's.
 */
export type PartitionRun = {
  readonly partition: number;
  readonly run: number;
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly counts: Counts;
  readonly rejectedAgain: number;
  readonly acceptedGaps: number;
  readonly ended: { readonly atMs: number; readonly why: string } | null;
};

/** The offsets that a partition's runs have read, from the first to behind the last. */
export type ReadRange = Pick<Checkpoint, 'partition' | 'firstOffset' | 'nextOffset'>;

/** One range for each partition, by partition. */
export function readRanges(runs: readonly PartitionRun[]): ReadRange[] {
  const ranges = new Map<number, ReadRange>();
  for (const { partition, firstOffset, nextOffset } of runs) {
    const range = ranges.get(partition) ?? { partition, firstOffset, nextOffset };
    ranges.set(partition, {
      partition,
      firstOffset: Math.min(range.firstOffset, firstOffset),
      nextOffset: Math.max(range.nextOffset, nextOffset),
    });
  }
  return [...ranges.values()].toSorted((one, other) => one.partition - other.partition);
}
