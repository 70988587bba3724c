// A long table gone through in stretches of event time, each about as much as one statement compares in a second.
import type { Span } from '../pipeline/window.ts';

const HOUR_MS = 3_600_000;
/** Event time looked at at once: grown and shrunk so that one statement takes about a second, whatever the event rate. */
const STRETCH_MS = { first: HOUR_MS, least: HOUR_MS / 6, most: 720 * HOUR_MS };
const QUICK_MS = 300;
const SLOW_MS = 3000;

export type Walk = {
  /** Stretches begin where `next` says and are made of whole steps. */
  readonly stepMs: number;
  /** The last stretch ends here. */
  readonly stopMs: number;
  /** The first place at or after `fromMs` (null: of all) that something begins at; null: there is none. */
  readonly next: (fromMs: number | null) => Promise<number | null>;
  readonly visit: (stretch: Span) => Promise<void>;
  readonly onProgress: (done: number, of: number) => void;
};

/** Visits every stretch that holds something, in order: empty time costs nothing. */
export async function walkStretches({ stepMs, stopMs, next, visit, onProgress }: Walk): Promise<void> {
  let stretchMs = STRETCH_MS.first;
  const firstMs = (await next(null)) ?? stopMs;
  let startMs = firstMs;
  while (startMs < stopMs) {
    const endMs = Math.min(startMs + Math.ceil(stretchMs / stepMs) * stepMs, stopMs);
    const began = performance.now();
    await visit({ startMs, endMs });
    const tookMs = performance.now() - began;
    if (tookMs < QUICK_MS) stretchMs = Math.min(stretchMs * 2, STRETCH_MS.most);
    if (tookMs > SLOW_MS) stretchMs = Math.max(stretchMs / 2, STRETCH_MS.least);
    onProgress(endMs - firstMs, stopMs - firstMs);
    startMs = (await next(endMs)) ?? stopMs;
  }
}
