// What a rewind would do to the partitions of a topic, looked up before anything is done.
import { partitionOffsetsAt } from '../kafka/topics.ts';
import type { OffsetsAtTime } from '../kafka/topics.ts';
import { offsetOf, rewindRefusal } from '../pipeline/rewind-target.ts';
import type { RewindTarget } from '../pipeline/rewind-target.ts';
import type { Settings } from '../pipeline/settings.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { addressesOf } from './addresses.ts';
import { withPool } from './with-servers.ts';

/** `refusal`: why it cannot be done, in one sentence. `reachedOffset`: the furthest that any run of the partition has come. */
export type RewindPlan = {
  readonly partition: number;
  readonly run: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly reachedOffset: number;
  readonly log: OffsetsAtTime;
  readonly refusal: string | null;
};

/** The plan of each partition that has a checkpoint and a log, by number. */
export async function planRewind(settings: Settings, target: RewindTarget): Promise<RewindPlan[]> {
  const { topic } = settings;
  const { brokers } = addressesOf(settings).kafka;
  const logs = await partitionOffsetsAt({ brokers, topic }, target);
  const checkpoints = await withPool(settings, async (pool) => await readCheckpoints(pool, settings));
  return checkpoints.flatMap(({ partition, run, nextOffset, ...checkpoint }) => {
    const log = logs.find((one) => one.partition === partition);
    if (!log) return [];
    const reachedOffset = Math.max(nextOffset, checkpoint.reachedOffset);
    const toOffset = offsetOf(target, { ...log, reachedOffset });
    const refusal = rewindRefusal(toOffset, { ...log, topic, reachedOffset });
    return [{ partition, run, fromOffset: nextOffset, toOffset, reachedOffset, log, refusal }];
  });
}

/** Messages that would be read again, as far as the log still holds them. */
export function messagesAgain({ toOffset, reachedOffset, log }: RewindPlan): number {
  return Math.max(0, Math.min(reachedOffset, log.endOffset) - toOffset);
}
