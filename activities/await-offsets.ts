// Watches the checkpoints until partitions that were rewound stand where they stood before.
import type pg from 'pg';

import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { toFailure } from './failures.ts';
import { keepLooking } from './lease.ts';

/** `offsets`: decimal strings by partition number. */
export type AwaitOffsetsInput = {
  readonly spec: PipelineSpec;
  readonly offsets: Readonly<Record<string, string>>;
  readonly leaseMs: number;
  readonly everyMs: number;
};

/** `unread`: messages before those offsets that are not committed yet. */
export type AwaitOffsetsResult = { readonly unread: number; readonly reason: 'done' | 'lease-over' | 'drained' };

/** The activity `awaitOffsets`. Reads only. */
export const createAwaitOffsets =
  ({ pool }: { readonly pool: pg.Pool }) =>
  async ({ spec, offsets, leaseMs, everyMs }: AwaitOffsetsInput): Promise<AwaitOffsetsResult> => {
    let unread = 0;
    const look = async (): Promise<'done' | null> => {
      const checkpoints = await readCheckpoints(pool, spec);
      const left = checkpoints.map(({ partition, nextOffset }) => Number(offsets[partition] ?? 0) - nextOffset);
      unread = left.reduce((sum, behind) => sum + Math.max(0, behind), 0);
      return unread === 0 ? 'done' : null;
    };
    try {
      const reason = await keepLooking({ leaseMs, everyMs }, look, () => ({ unread }));
      return { unread, reason };
    } catch (error) {
      throw toFailure(error);
    }
  };
