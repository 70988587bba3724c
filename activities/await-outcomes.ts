// Watches a replay until the pipeline has said what became of each letter, or has read past all of them.
import type pg from 'pg';

import { partitionOffsets } from '../kafka/topics.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { formatOffset } from '../pipeline/offset.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { countUndecided } from '../postgres/replayed-letters.ts';
import { toFailure } from './failures.ts';
import { keepLooking } from './lease.ts';

/** `ends`: where the topic ended behind the replay, offsets (decimal strings) by partition; null: look now. */
export type AwaitOutcomesInput = {
  readonly spec: PipelineSpec;
  readonly replay: string;
  readonly ends: Readonly<Record<string, string>> | null;
  readonly leaseMs: number;
  readonly everyMs: number;
};

/** `unread`: messages before `ends` that are not committed yet. `passed`: none is, and letters are undecided all the same. */
export type AwaitOutcomesResult = {
  readonly undecided: number;
  readonly unread: number;
  readonly ends: Readonly<Record<string, string>>;
  readonly reason: 'done' | 'passed' | 'lease-over' | 'drained';
};

/** Of the time, the most that looking may take. */
const LOOKING_SHARE = 0.1;

/** The activity `awaitOutcomes`. Reads only. */
export const createAwaitOutcomes =
  ({ pool, kafkaBrokers }: { readonly pool: pg.Pool; readonly kafkaBrokers: readonly string[] }) =>
  async ({ spec, replay, ends: known, leaseMs, everyMs }: AwaitOutcomesInput): Promise<AwaitOutcomesResult> => {
    let undecided = 0;
    let unread = 0;
    let nextLookMs = 0;
    try {
      const ends = known ?? (await presentEnds(kafkaBrokers, spec.topic));
      const look = async (): Promise<'done' | 'passed' | null> => {
        const startMs = performance.now();
        if (startMs < nextLookMs) return null;
        // The checkpoints first: what they have passed has its outcome in the same commit.
        unread = unreadBefore(ends, await readCheckpoints(pool, spec));
        undecided = await countUndecided(pool, spec.schema, replay);
        nextLookMs = startMs + (performance.now() - startMs) / LOOKING_SHARE;
        if (undecided === 0) return 'done';
        return unread === 0 ? 'passed' : null;
      };
      const reason = await keepLooking({ leaseMs, everyMs }, look, () => ({ undecided, unread }));
      return { undecided, unread, ends, reason };
    } catch (error) {
      throw toFailure(error);
    }
  };

async function presentEnds(brokers: readonly string[], topic: string): Promise<Record<string, string>> {
  const offsets = await partitionOffsets({ brokers, topic });
  return Object.fromEntries(offsets.map(({ partition, endOffset }) => [String(partition), formatOffset(endOffset)]));
}

type Position = { readonly partition: number; readonly nextOffset: number };

/** A partition without a checkpoint has nothing read yet. */
function unreadBefore(ends: Readonly<Record<string, string>>, checkpoints: readonly Position[]): number {
  const next = new Map(checkpoints.map(({ partition, nextOffset }) => [String(partition), nextOffset]));
  return Object.entries(ends).reduce(
    (sum, [partition, end]) => sum + Math.max(0, Number(end) - (next.get(partition) ?? 0)),
    0,
  );
}
