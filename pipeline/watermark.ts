// The low watermark: how far event time has come in all partitions together. Windows before it may close.
// A partition is active while it has unread messages or was moving a moment ago, and holds the low watermark at its own
// watermark; idle once it has been read to the end for `idleAfterMs`, and leaves the minimum until messages arrive again.

import { PANE_MS, paneStart } from './pane.ts';

/**
 * How far one partition has been read. `endOffset` must have been looked up BEFORE the checkpoint was read: only then does
 * equality say that nothing was unread. `watermarkMs` null: no event of it was committed yet. `committedAtMs`: PostgreSQL's clock.
 */
export type PartitionProgress = {
  readonly partition: number;
  readonly nextOffset: number;
  readonly endOffset: number;
  readonly watermarkMs: number | null;
  readonly committedAtMs: number;
};

/** `nowMs` is PostgreSQL's clock too: worker clocks never decide. */
export type WatermarkInput = {
  readonly partitions: readonly PartitionProgress[];
  readonly latenessMs: number;
  readonly idleAfterMs: number;
  readonly maxFutureMs: number;
  readonly nowMs: number;
  /** End of the last window that holds an event; null: there is no event yet. */
  readonly lastWindowEndMs: number | null;
};

/** Why a partition holds the low watermark where it is. */
export type HoldReason = 'no-event-yet' | 'unread-messages' | 'read-to-the-end-recently';

/** `ms` null: unknown yet. `heldBackBy` null: all partitions are idle (or there is none), so the clock alone decides. */
export type LowWatermark = {
  readonly ms: number | null;
  readonly allIdle: boolean;
  readonly idlePartitions: readonly number[];
  readonly heldBackBy: { readonly partition: number; readonly reason: HoldReason } | null;
};

/** True when a partition was read to the end and nothing moved in it for `idleAfterMs`. */
export function isIdle(
  progress: Pick<PartitionProgress, 'nextOffset' | 'endOffset' | 'committedAtMs'>,
  clock: { readonly idleAfterMs: number; readonly nowMs: number },
): boolean {
  return progress.nextOffset === progress.endOffset && clock.nowMs - progress.committedAtMs >= clock.idleAfterMs;
}

/**
 * The minimum of the active partitions' watermarks; when all are idle, the wall clock less the lateness, so that windows
 * close without new data. But no further than the last window that holds an event: to follow the clock over empty time
 * closes nothing, and makes a history that is loaded into an idle topic late as a whole. Never past `nowMs + maxFutureMs`,
 * and null while an active partition has no watermark or, when all are idle, before the first event.
 */
export function lowWatermark(input: WatermarkInput): LowWatermark {
  const idle = input.partitions.filter((progress) => isIdle(progress, input));
  const idlePartitions = idle.map((progress) => progress.partition);
  const ceilingMs = input.nowMs + input.maxFutureMs;
  let slowest: PartitionProgress | null = null;
  for (const progress of input.partitions) {
    if (idle.includes(progress)) continue;
    if (slowest === null || (progress.watermarkMs ?? -Infinity) < (slowest.watermarkMs ?? -Infinity))
      slowest = progress;
  }
  if (slowest !== null) {
    const ms = slowest.watermarkMs === null ? null : Math.min(slowest.watermarkMs, ceilingMs);
    return {
      ms,
      allIdle: false,
      idlePartitions,
      heldBackBy: { partition: slowest.partition, reason: holdReason(slowest) },
    };
  }
  if (idle.length === 0) return { ms: null, allIdle: false, idlePartitions, heldBackBy: null };
  // A partition may have run ahead of the wall clock (events a little in the future): what it passed stays passed.
  const furthestMs = Math.max(...idle.map((progress) => progress.watermarkMs ?? -Infinity));
  const clockMs = Math.min(input.nowMs - input.latenessMs, input.lastWindowEndMs ?? -Infinity);
  const ms = Math.min(Math.max(clockMs, furthestMs), ceilingMs);
  return { ms: ms === -Infinity ? null : ms, allIdle: true, idlePartitions, heldBackBy: null };
}

function holdReason(progress: PartitionProgress): HoldReason {
  if (progress.watermarkMs === null) return 'no-event-yet';
  return progress.nextOffset < progress.endOffset ? 'unread-messages' : 'read-to-the-end-recently';
}

/** Event time is looked at a moment behind the boundary, for the batches on their way. */
const BEHIND_BOUNDARY_MS = 10;

/**
 * How long to wait for the next look at the low watermark (epoch ms; null: unknown): `everyMs`, or less when event time, if
 * it goes on as the clock does, passes the end of a pane before. Never much less: a boundary that is not passed then waits its turn.
 */
export function nextLookMs(lowWatermarkMs: number | null, everyMs: number): number {
  if (lowWatermarkMs === null) return everyMs;
  const untilMs = paneStart(lowWatermarkMs) + PANE_MS - lowWatermarkMs;
  return untilMs > 2 * BEHIND_BOUNDARY_MS && untilMs < everyMs ? untilMs + BEHIND_BOUNDARY_MS : everyMs;
}
