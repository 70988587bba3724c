// Windows: which of them an event belongs to, and which of them a boundary completes.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { PANE_MS, paneStart } from '../../pipeline/pane.ts';
import {
  countOpenWindows,
  lastWindowEndOf,
  mergeSpans,
  sliding,
  tumbling,
  windowsEndingIn,
  windowsOf,
} from '../../pipeline/window.ts';
import type { Span, WindowKind } from '../../pipeline/window.ts';

const at = (text: string): number => Date.parse(text);
const minutes = (count: number): number => count * PANE_MS;
const texts = (spans: readonly Span[]): string[] =>
  spans.map(
    ({ startMs, endMs }) =>
      `${new Date(startMs).toISOString().slice(11, 16)}-${new Date(endMs).toISOString().slice(11, 16)}`,
  );

const anyWindow: fc.Arbitrary<WindowKind> = fc
  .tuple(fc.integer({ min: 1, max: 15 }), fc.integer({ min: 1, max: 12 }))
  .map(([slide, slides]) => sliding(minutes(slide * slides), minutes(slide)));
const anyInstant = fc.integer({ min: -4e13, max: 4e13 });

describe('membership', () => {
  it('of an event on the boundary is in the next tumbling window only', () => {
    expect(texts(windowsOf(tumbling(minutes(10)), at('2026-11-01T10:10:00.000Z')))).toEqual(['10:10-10:20']);
    expect(texts(windowsOf(tumbling(minutes(10)), at('2026-11-01T10:09:59.999Z')))).toEqual(['10:00-10:10']);
  });

  it('of an event is in five windows of 5 minutes that slide by one', () => {
    const five = ['10:00-10:05', '10:01-10:06', '10:02-10:07', '10:03-10:08', '10:04-10:09'];
    expect(texts(windowsOf(sliding(minutes(5), minutes(1)), at('2026-11-01T10:04:00.000Z')))).toEqual(five);
    expect(texts(windowsOf(sliding(minutes(5), minutes(1)), at('2026-11-01T10:04:59.999Z')))).toEqual(five);
  });

  it('does not change where a country changes its clocks', () => {
    // Europe left summer time at 2026-10-25T01:00Z, North America at 2026-11-01T06:00Z.
    for (const change of ['2026-10-25T01:00:00Z', '2026-11-01T06:00:00Z']) {
      const [window] = windowsOf(tumbling(minutes(10)), at(change));
      expect(window).toEqual({ startMs: at(change), endMs: at(change) + minutes(10) });
    }
  });

  it('is in exactly length / slide windows, each of which holds the event and starts on a multiple of the slide', () => {
    fc.assert(
      fc.property(anyWindow, anyInstant, (window, instantMs) => {
        const spans = windowsOf(window, instantMs);
        expect(new Set(spans.map(({ startMs }) => startMs)).size).toBe(window.lengthMs / window.slideMs);
        for (const { startMs, endMs } of spans) {
          expect(endMs - startMs).toBe(window.lengthMs);
          expect(Math.abs(startMs % window.slideMs)).toBe(0);
          expect(startMs <= instantMs && instantMs < endMs).toBe(true);
        }
      }),
    );
  });

  it('is that of its pane', () => {
    fc.assert(
      fc.property(anyWindow, anyInstant, (window, instantMs) => {
        expect(windowsOf(window, instantMs)).toEqual(windowsOf(window, paneStart(instantMs)));
      }),
    );
  });

  it('ends with the last window', () => {
    fc.assert(
      fc.property(anyWindow, anyInstant, (window, instantMs) => {
        expect(lastWindowEndOf(window, instantMs)).toBe(windowsOf(window, instantMs).at(-1)?.endMs);
      }),
    );
  });
});

describe('closing a span', () => {
  it('completes the windows that end in it, the one at its end included', () => {
    const span = { startMs: at('2026-11-01T10:09:00Z'), endMs: at('2026-11-01T10:10:00Z') };
    expect(texts(windowsEndingIn(tumbling(minutes(10)), span))).toEqual(['10:00-10:10']);
    expect(texts(windowsEndingIn(sliding(minutes(5), minutes(1)), span))).toEqual(['10:05-10:10']);
    expect(windowsEndingIn(tumbling(minutes(10)), { startMs: span.endMs, endMs: span.endMs + minutes(9) })).toEqual([]);
    expect(windowsEndingIn(tumbling(minutes(1)), { startMs: span.endMs, endMs: span.endMs })).toEqual([]);
  });

  it('in any number of steps completes each window exactly once', () => {
    const steps = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(anyWindow, fc.integer({ min: -5000, max: 5000 }), steps, (window, startPane, lengths) => {
        const startMs = minutes(startPane);
        let fromMs = startMs;
        const found: Span[] = [];
        for (const length of lengths) {
          found.push(...windowsEndingIn(window, { startMs: fromMs, endMs: fromMs + minutes(length) }));
          fromMs += minutes(length);
        }
        expect(found).toEqual(windowsEndingIn(window, { startMs, endMs: fromMs }));
      }),
    );
  });
});

describe('a window kind', () => {
  it('is refused unless it is made of whole panes', () => {
    expect(() => tumbling(90_000)).toThrow('whole panes');
    expect(() => sliding(minutes(5), minutes(2))).toThrow('whole panes');
    expect(() => tumbling(0)).toThrow('whole panes');
  });
});

describe('merging spans', () => {
  const pane = fc
    .integer({ min: -30, max: 30 })
    .map((index) => ({ startMs: minutes(index), endMs: minutes(index + 1) }));

  it('keeps every pane, and no other, in spans that do not touch', () => {
    fc.assert(
      fc.property(fc.array(pane, { maxLength: 30 }), (panes) => {
        const merged = mergeSpans(panes);
        const inside = merged.flatMap((span) => windowsEndingIn(tumbling(PANE_MS), span).map(({ startMs }) => startMs));
        expect(inside).toEqual([...new Set(panes.map(({ startMs }) => startMs))].toSorted((one, other) => one - other));
        for (const [index, span] of merged.entries()) {
          expect(span.startMs).toBeGreaterThan(merged[index - 1]?.endMs ?? -Infinity);
        }
      }),
    );
  });
});

describe('open windows', () => {
  it('are as many as end behind the boundary and have begun by the instant', () => {
    fc.assert(
      fc.property(anyWindow, anyInstant, fc.integer({ min: -200, max: 200 }), (window, fromMs, ahead) => {
        const atMs = fromMs + ahead * PANE_MS;
        const ending = windowsEndingIn(window, { startMs: fromMs, endMs: lastWindowEndOf(window, atMs) });
        expect(countOpenWindows(window, { fromMs, atMs })).toBe(ending.length);
      }),
    );
  });
});
