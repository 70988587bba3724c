// Where a partition is to be read from again, what came of it, and why that may be refused. Pure.

/** `offset`: decimal string. `timeMs`: epoch ms; the first message whose Kafka timestamp is not earlier. */
export type RewindTarget = { readonly offset: string } | { readonly timeMs: number };

/** `why`: one sentence for people, kept with the run that ends. */
export type RewindRequest = { readonly target: RewindTarget; readonly why: string };

/**
 * What a rewind did, offsets as decimal strings. `run` is the present one, which begins at `toOffset`. `fromOffset`: where the
 * partition stood. `reachedOffset`: the furthest that any run has come. `isNew` false: the partition stood there already.
 */
export type RewoundPartition = {
  readonly partition: number;
  readonly run: number;
  readonly fromOffset: string;
  readonly toOffset: string;
  readonly reachedOffset: string;
  readonly isNew: boolean;
};

/** The partition cannot be read from there: another target may do. */
export class RewindRefusedError extends Error {
  override readonly name: string = 'RewindRefusedError';
}

/** A partition's log, and the furthest that any run of the partition has come. */
export type RewindBounds = {
  readonly topic: string;
  readonly partition: number;
  readonly logStartOffset: number;
  readonly endOffset: number;
  readonly reachedOffset: number;
};

/**
 * Where a target leads, given the offset that Kafka found for it. A time leads no further than anybody has read: who names one
 * that lies ahead wants nothing read again, and nothing skipped.
 */
export function offsetOf(target: RewindTarget, found: { atOffset: number; reachedOffset: number }): number {
  return 'timeMs' in target ? Math.min(found.atOffset, found.reachedOffset) : found.atOffset;
}

/** Why the partition cannot be read from `toOffset`, in one sentence that names what can be chosen; null when it can. */
export function rewindRefusal(toOffset: number, bounds: RewindBounds): string | null {
  const { topic, partition, logStartOffset, endOffset, reachedOffset } = bounds;
  const lastOffset = Math.min(endOffset, reachedOffset);
  if (lastOffset < logStartOffset) {
    return `Nothing of partition ${partition} of topic ${topic} can be read again: it was read up to offset ${reachedOffset}, and its log now starts at ${logStartOffset}; \`weir partition accept-gap ${partition}\` lets it go on there.`;
  }
  if (toOffset >= logStartOffset && toOffset <= lastOffset) return null;
  const choose = `choose an offset from ${logStartOffset} to ${lastOffset}`;
  if (toOffset < logStartOffset) {
    return `Offset ${toOffset} of partition ${partition} of topic ${topic} is gone: its log starts at ${logStartOffset}; ${choose}.`;
  }
  if (toOffset > endOffset) {
    return `Offset ${toOffset} of partition ${partition} of topic ${topic} lies beyond the end of its log, ${endOffset}; ${choose}.`;
  }
  return `Partition ${partition} of topic ${topic} was read up to offset ${reachedOffset}: to go on at ${toOffset} would skip messages that nobody has read; ${choose}.`;
}

/** What is wrong with a request that came as JSON, in one sentence; null when nothing is. */
export function badRewindRequest(request: unknown): string | null {
  const said = JSON.stringify(request) ?? 'nothing';
  const usage = `give {"target": {"offset": "1200"} or {"timeMs": 1795394071000}, "why": a sentence}, not ${said.slice(0, 200)}`;
  if (!isRecord(request) || !isRecord(request['target']) || typeof request['why'] !== 'string') return usage;
  const { offset, timeMs } = request['target'];
  if (offset === undefined) return Number.isSafeInteger(timeMs) ? null : usage;
  return timeMs === undefined && typeof offset === 'string' && isOffset(offset) ? null : usage;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isOffset(text: string): boolean {
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text));
}
