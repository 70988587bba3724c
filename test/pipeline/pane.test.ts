// Panes: minutes of event time, aligned to the UTC epoch.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { PANE_MS, paneStart } from '../../pipeline/pane.ts';

const at = (text: string): number => Date.parse(text);

describe('the pane of an instant', () => {
  it('starts on the boundary for an event on the boundary', () => {
    expect(paneStart(at('2026-11-01T10:05:00.000Z'))).toBe(at('2026-11-01T10:05:00Z'));
    expect(paneStart(at('2026-11-01T10:04:59.999Z'))).toBe(at('2026-11-01T10:04:00Z'));
  });

  it('goes down before 1970 too', () => {
    expect(paneStart(-1)).toBe(-PANE_MS);
    expect(paneStart(-PANE_MS)).toBe(-PANE_MS);
    expect(paneStart(0)).toBe(0);
  });

  it('always holds the instant', () => {
    fc.assert(
      fc.property(fc.integer({ min: -4e13, max: 4e13 }), (instantMs) => {
        const start = paneStart(instantMs);
        expect(Math.abs(start % PANE_MS)).toBe(0);
        expect(start <= instantMs && instantMs < start + PANE_MS).toBe(true);
      }),
    );
  });
});
