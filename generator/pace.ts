// Pace: when each message is due. An open loop: slow acknowledgements never lower the rate, they show as being behind.
import { factorAt, workClock } from './profile.ts';
import type { Profile, WorkClock } from './profile.ts';

/**
 * A stretch of one wanted rate: message `fromIndex` is due at `startMs`, the others follow at `rate` a second, or at what a
 * profile makes of it. A message's due time is the time it tells, so the same segment and index always make the same bytes.
 */
export type Segment = {
  readonly fromIndex: number;
  readonly startMs: number;
  readonly rate: number;
  /** By what the rate is multiplied as time passes; absent: by 1. */
  readonly profile?: Profile | null;
  /**
   * How much of a message's distance still has to pass before the first one is due (0 to 1, absent: 0): what a change of the
   * rate found on its way, so that no change ever sends a message early.
   */
  readonly firstAfter?: number;
};

/** Epoch ms at which message `index` of a segment is due. */
export function dueMs(segment: Segment, index: number): number {
  const steadyMs = ((index - segment.fromIndex + (segment.firstAfter ?? 0)) * 1_000) / segment.rate;
  const clock = clockOf(segment);
  return Math.floor(clock === null ? segment.startMs + steadyMs : clock.timeOf(steadyMs));
}

/** Index after the last message that is due at `nowMs`; never before the segment's first. */
export function dueThrough(segment: Segment, nowMs: number): number {
  if (nowMs < segment.startMs) return segment.fromIndex;
  // Due times are cut to whole milliseconds, so everything due before the next one is due. The estimate may be off by one
  // where the division does not come out even; the due time itself decides.
  let index = Math.max(segment.fromIndex, Math.ceil(positionAt(segment, nowMs + 1)));
  while (index > segment.fromIndex && dueMs(segment, index - 1) > nowMs) index -= 1;
  while (dueMs(segment, index) <= nowMs) index += 1;
  return index;
}

/** How far the schedule is at a moment, in messages and parts of one: message i is due when it reaches i. */
export function positionAt(segment: Segment, nowMs: number): number {
  const passedMs = clockOf(segment)?.workAt(nowMs) ?? nowMs - segment.startMs;
  return segment.fromIndex - (segment.firstAfter ?? 0) + (passedMs * segment.rate) / 1_000;
}

/** Messages a second that the schedule asks for at a moment. */
export function targetRate({ rate, profile }: Segment, nowMs: number): number {
  return profile ? rate * factorAt(profile, nowMs) : rate;
}

const clocks = new WeakMap<Segment, WorkClock>();

function clockOf(segment: Segment): WorkClock | null {
  if (!segment.profile) return null;
  const known = clocks.get(segment);
  if (known) return known;
  const clock = workClock(segment.profile, segment.startMs);
  clocks.set(segment, clock);
  return clock;
}

/** How long ago the next message was due, in ms; 0 when it is not due yet. */
export function behindMs(segment: Segment, nextIndex: number, nowMs: number): number {
  return Math.max(0, nowMs - dueMs(segment, nextIndex));
}

/** Measures what really went out: messages and bytes a second over the last few seconds. */
export type RateMeter = {
  add(sent: { readonly messages: number; readonly bytes: number }, nowMs: number): void;
  perSecond(nowMs: number): { readonly messages: number; readonly bytes: number };
};

const METER_SPAN_MS = 5_000;

/** A meter that began at `startedMs`; before five seconds have passed it averages over what there is. */
export function createRateMeter(startedMs: number): RateMeter {
  let sent: { readonly atMs: number; readonly messages: number; readonly bytes: number }[] = [];
  let forgottenThroughMs = startedMs;
  return {
    add(batch, nowMs) {
      sent.push({ ...batch, atMs: nowMs });
    },
    perSecond(nowMs) {
      const sinceMs = Math.max(nowMs - METER_SPAN_MS, startedMs);
      if (sinceMs > forgottenThroughMs) {
        forgottenThroughMs = sinceMs;
        sent = sent.filter((batch) => batch.atMs > sinceMs);
      }
      if (nowMs <= sinceMs) return { messages: 0, bytes: 0 };
      const rate = (of: 'messages' | 'bytes'): number =>
        Math.round((sent.reduce((sum, batch) => sum + batch[of], 0) * 10_000) / (nowMs - sinceMs)) / 10;
      return { messages: rate('messages'), bytes: Math.round(rate('bytes')) };
    },
  };
}
