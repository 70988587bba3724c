// Minute boundaries that the low watermark passes: when each was passed, and when what ends there was written, look by look.
import { PANE_MS, paneStart } from '../pipeline/pane.ts';

/**
 * One look at event time: `lowMs` (low watermark) as seen at `lowAtMs`, and `writtenMs` (results are readable up to there) as
 * seen at `writtenAtMs`. Event times in epoch ms, null before the first; instants in ms of one clock of any origin.
 */
export type Look = {
  readonly lowMs: number | null;
  readonly lowAtMs: number;
  readonly writtenMs: number | null;
  readonly writtenAtMs: number;
};

/** The low watermark was first seen at or past `boundaryMs` (epoch ms); `tookMs` later its results were first seen written. */
export type Pass = { readonly boundaryMs: number; readonly tookMs: number };

/** Both moments are seen by the same looks, each late by less than the time between two of them. */
export class BoundaryPasses {
  #passedMs: number | null = null;
  #takesMore = true;
  #waiting: { readonly boundaryMs: number; readonly atMs: number }[] = [];

  /** Boundaries that were passed and not written at the look before. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** What is passed from now on is not measured; what waits still is. */
  takeNoMore(): void {
    this.#takesMore = false;
  }

  /** Boundaries whose results this look was the first to see. */
  look({ lowMs, lowAtMs, writtenMs, writtenAtMs }: Look): Pass[] {
    if (lowMs !== null) this.#pass(paneStart(lowMs), lowAtMs);
    const isWritten = (boundaryMs: number): boolean => writtenMs !== null && boundaryMs <= writtenMs;
    const passes = this.#waiting
      .filter(({ boundaryMs }) => isWritten(boundaryMs))
      .map(({ boundaryMs, atMs }) => ({ boundaryMs, tookMs: writtenAtMs - atMs }));
    this.#waiting = this.#waiting.filter(({ boundaryMs }) => !isWritten(boundaryMs));
    return passes;
  }

  #pass(throughMs: number, atMs: number): void {
    // What had passed before the first look did so nobody knows when.
    const before = this.#passedMs ?? throughMs;
    for (let boundaryMs = before + PANE_MS; this.#takesMore && boundaryMs <= throughMs; boundaryMs += PANE_MS) {
      this.#waiting.push({ boundaryMs, atMs });
    }
    this.#passedMs = Math.max(before, throughMs);
  }
}
