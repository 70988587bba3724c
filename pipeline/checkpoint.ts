// A checkpoint: where a partition's ingestion stands. PostgreSQL holds it; it moves only together with the rows it covers.
import type { RejectionReason } from './rejection.ts';

/** What became of the offsets of a partition or a micro-batch. `late` events are among the recorded ones. */
export type Counts = {
  readonly recorded: number;
  readonly duplicate: number;
  readonly late: number;
  readonly rejected: number;
  readonly skipped: number;
};

/**
 * One row of `checkpoints`. `epoch` is the fence: only the holder of the newest may commit. `watermarkMs` is null until
 * the first event. `committedAtMs` is PostgreSQL's clock at the last commit. `run` is 1 until the partition is rewound; first
 * offset and counts are those of the present run. `reachedOffset`: offsets below it were read by earlier runs; 0 in run 1.
 */
export type Checkpoint = {
  readonly topic: string;
  readonly partition: number;
  readonly run: number;
  readonly reachedOffset: number;
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly epoch: number;
  readonly watermarkMs: number | null;
  readonly committedAtMs: number;
  readonly counts: Counts;
};

export type RejectionCounts = Readonly<Partial<Record<RejectionReason, number>>>;

/**
 * The conservation law (guarantee 2): offsets passed over, less what became of them. Zero, always, but for the offsets that
 * were accepted as lost (table `gaps`).
 */
export function unaccountedOffsets(checkpoint: Pick<Checkpoint, 'firstOffset' | 'nextOffset' | 'counts'>): number {
  const { recorded, duplicate, rejected, skipped } = checkpoint.counts;
  return checkpoint.nextOffset - checkpoint.firstOffset - (recorded + duplicate + rejected + skipped);
}
