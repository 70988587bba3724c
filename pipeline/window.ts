// A window: a span of event time made of whole panes. Start inclusive, end exclusive, aligned to the UTC epoch.
import { assert } from './ensure.ts';
import { PANE_MS } from './pane.ts';

/** How an aggregate cuts event time. Tumbling is sliding by its own length: every instant lies in length / slide windows. */
export type WindowKind = {
  readonly kind: 'tumbling' | 'sliding';
  readonly lengthMs: number;
  readonly slideMs: number;
};

/** One window (or any stretch of event time): `startMs` belongs to it, `endMs` does not. */
export type Span = { readonly startMs: number; readonly endMs: number };

/** Windows of `lengthMs` side by side. Throws unless they are made of whole panes. */
export function tumbling(lengthMs: number): WindowKind {
  return { ...sliding(lengthMs, lengthMs), kind: 'tumbling' };
}

/** Windows of `lengthMs` that start every `slideMs`. Throws unless both are whole panes and the slide divides the length. */
export function sliding(lengthMs: number, slideMs: number): WindowKind {
  assert(
    slideMs > 0 && slideMs % PANE_MS === 0 && lengthMs > 0 && lengthMs % slideMs === 0,
    `A window of ${lengthMs} ms by ${slideMs} ms is not made of whole panes; use multiples of ${PANE_MS} ms.`,
  );
  return { kind: 'sliding', lengthMs, slideMs };
}

/** The windows that hold the instant `atMs`, earliest first. An instant's windows are also its pane's. */
export function windowsOf(window: WindowKind, atMs: number): Span[] {
  const lastStartMs = Math.floor(atMs / window.slideMs) * window.slideMs;
  return windowsEndingIn(window, { startMs: lastStartMs, endMs: lastStartMs + window.lengthMs });
}

/** The windows whose end lies after `span.startMs` and not after `span.endMs`: those that closing the span completes. */
export function windowsEndingIn(window: WindowKind, span: Span): Span[] {
  const windows: Span[] = [];
  const firstEndMs = (Math.floor(span.startMs / window.slideMs) + 1) * window.slideMs;
  for (let endMs = firstEndMs; endMs <= span.endMs; endMs += window.slideMs) {
    windows.push({ startMs: endMs - window.lengthMs, endMs });
  }
  return windows;
}

/** How many windows have begun by `atMs` and end after `fromMs`, whether or not they hold an event. */
export function countOpenWindows(
  { lengthMs, slideMs }: WindowKind,
  { fromMs, atMs }: { readonly fromMs: number; readonly atMs: number },
): number {
  return Math.max(0, Math.floor(atMs / slideMs) - Math.floor((fromMs - lengthMs) / slideMs));
}

/** End of the last window that holds the instant `atMs`: once event time is past it, nothing of that instant is open. */
export function lastWindowEndOf(window: WindowKind, atMs: number): number {
  return Math.floor(atMs / window.slideMs) * window.slideMs + window.lengthMs;
}

/** The same stretches of time in as few spans as possible, in order. */
export function mergeSpans(spans: readonly Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of spans.toSorted((one, other) => one.startMs - other.startMs)) {
    const last = merged.at(-1);
    if (last === undefined || span.startMs > last.endMs) merged.push(span);
    else merged[merged.length - 1] = { startMs: last.startMs, endMs: Math.max(last.endMs, span.endMs) };
  }
  return merged;
}
