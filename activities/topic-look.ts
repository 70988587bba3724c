// What a look at a topic's event time says to the metrics. Arithmetic on what was read anyway.
import type { TopicLook } from '../observability/close-metrics.ts';
import { AGGREGATES } from '../pipeline/aggregates.ts';
import type { LowWatermark, PartitionProgress } from '../pipeline/watermark.ts';
import { countOpenWindows } from '../pipeline/window.ts';

/** `logStartOffset`: looked up before the checkpoint was read, like the end. */
export type ObservedPartition = PartitionProgress & { readonly logStartOffset: number };

/** Event times are epoch ms. */
type Observed = Pick<TopicLook, 'lowWatermarkMs' | 'closedThroughMs' | 'lateWaiting' | 'checkpoints'> & {
  /** Boundary to close up to; null: there is nothing to close. */
  readonly closeThroughMs: number | null;
  /** Where the results stand, before the first close the first event; null: there is no event. */
  readonly fromMs: number | null;
  readonly newestMs: number | null;
  readonly partitions: readonly ObservedPartition[];
  readonly low: LowWatermark;
};

export function topicLook({ closeThroughMs, fromMs, newestMs, partitions, low, ...observed }: Observed): TopicLook {
  const { lowWatermarkMs, closedThroughMs, lateWaiting, checkpoints } = observed;
  const open = (window: (typeof AGGREGATES)[number]['window']): number =>
    fromMs === null || newestMs === null ? 0 : countOpenWindows(window, { fromMs, atMs: newestMs });
  return {
    lowWatermarkMs,
    closedThroughMs,
    lateWaiting,
    checkpoints,
    overdueMs: closeThroughMs === null || fromMs === null ? 0 : Math.max(0, closeThroughMs - fromMs),
    openWindows: Object.fromEntries(AGGREGATES.map(({ name, window }) => [name, open(window)])),
    partitions: partitions.map(({ partition, nextOffset, logStartOffset }) => ({
      partition,
      isIdle: low.idlePartitions.includes(partition),
      isLost: nextOffset < logStartOffset,
    })),
  };
}
