// Pace: when each message is due. An open loop: slow acknowledgements never lower the rate, they show as being behind.

/**
 * A stretch of constant rate: message `fromIndex` is due at `startMs`, the others follow at `rate` a second. A message's
 * due time is the time it tells, so the same segment and index always make the same bytes.
 */
export type Segment = {
  readonly fromIndex: number;
  readonly startMs: number;
  readonly rate: number;
};

/** Epoch ms at which message `index` of a segment is due. */
export function dueMs(segment: Segment, index: number): number {
  return Math.floor(segment.startMs + ((index - segment.fromIndex) * 1_000) / segment.rate);
}

/** Index after the last message that is due at `nowMs`; never before the segment's first. */
export function dueThrough(segment: Segment, nowMs: number): number {
  if (nowMs < segment.startMs) return segment.fromIndex;
  // Due times are cut to whole milliseconds, so everything due before the next one is due. The estimate may be off by one
  // where the division does not come out even; the due time itself decides.
  let index = segment.fromIndex + Math.ceil(((nowMs + 1 - segment.startMs) * segment.rate) / 1_000);
  while (index > segment.fromIndex && dueMs(segment, index - 1) > nowMs) index -= 1;
  while (dueMs(segment, index) <= nowMs) index += 1;
  return index;
}

/** How long ago the next message was due, in ms; 0 when it is not due yet. */
export function behindMs(segment: Segment, nextIndex: number, nowMs: number): number {
  return Math.max(0, nowMs - dueMs(segment, nextIndex));
}

/** Measures what really went out: messages a second over the last few seconds. */
export type RateMeter = { add(messages: number, nowMs: number): void; perSecond(nowMs: number): number };

const METER_SPAN_MS = 5_000;

/** A meter that began at `startedMs`; before five seconds have passed it averages over what there is. */
export function createRateMeter(startedMs: number): RateMeter {
  let sent: { readonly atMs: number; readonly messages: number }[] = [];
  let forgottenThroughMs = startedMs;
  return {
    add(messages, nowMs) {
      sent.push({ atMs: nowMs, messages });
    },
    perSecond(nowMs) {
      const sinceMs = Math.max(nowMs - METER_SPAN_MS, startedMs);
      if (sinceMs > forgottenThroughMs) {
        forgottenThroughMs = sinceMs;
        sent = sent.filter((batch) => batch.atMs > sinceMs);
      }
      const messages = sent.reduce((sum, batch) => sum + batch.messages, 0);
      return nowMs > sinceMs ? Math.round((messages * 10_000) / (nowMs - sinceMs)) / 10 : 0;
    },
  };
}
