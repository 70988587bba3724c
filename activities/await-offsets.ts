// Watches the checkpoints until partitions that were rewound stand where they stood before.
import type pg from 'pg';

import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { PutBack } from '../pipeline/put-back.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { countPutBack } from '../postgres/put-back.ts';
import { toFailure } from './failures.ts';
import { keepLooking } from './lease.ts';

/** `offsets`: decimal strings by partition number. `why`: the reason that the rewinds gave; none to count what they put back. */
export type AwaitOffsetsInput = {
  readonly spec: PipelineSpec;
  readonly offsets: Readonly<Record<string, string>>;
  readonly why?: string | undefined;
  readonly leaseMs: number;
  readonly everyMs: number;
};

/**
 * `unread`: messages before those offsets that are not committed yet, and of which partition most are; null: none are.
 * `putBack`: null until all are committed.
 */
export type AwaitOffsetsResult = {
  readonly unread: number;
  readonly slowest: number | null;
  readonly putBack: PutBack | null;
  readonly reason: 'done' | 'lease-over' | 'drained';
};

/** The activity `awaitOffsets`. Reads only. */
export const createAwaitOffsets =
  ({ pool }: { readonly pool: pg.Pool }) =>
  async ({ spec, offsets, why, leaseMs, everyMs }: AwaitOffsetsInput): Promise<AwaitOffsetsResult> => {
    let unread = 0;
    let slowest: number | null = null;
    const look = async (): Promise<'done' | null> => {
      const left = (await readCheckpoints(pool, spec))
        .map(({ partition, nextOffset }) => ({ partition, count: Number(offsets[partition] ?? 0) - nextOffset }))
        .filter(({ count }) => count > 0)
        .toSorted((one, other) => other.count - one.count);
      unread = left.reduce((sum, { count }) => sum + count, 0);
      slowest = left[0]?.partition ?? null;
      return unread === 0 ? 'done' : null;
    };
    try {
      const reason = await keepLooking({ leaseMs, everyMs }, look, () => ({ unread, slowest }));
      const putBack = reason === 'done' && why !== undefined ? await countPutBack(pool, spec, { why, offsets }) : null;
      return { unread, slowest, putBack, reason };
    } catch (error) {
      throw toFailure(error);
    }
  };
