// The seeded schedule of faults: round after round of all kinds in a drawn order, with drawn pauses between them.
import { draw, fraction, hashUnder } from '../../generator/seeded-chance.ts';
import type { Chance, Fault } from './fault.ts';

export type Turn = { readonly round: number; readonly fault: Fault; readonly chance: Chance; readonly calmMs: number };

const CALM_FROM_MS = 2_000;
const CALM_SPAN_MS = 6_000;

/** The turns of a seed, without end (with end only when every fault comes once); the same for the same faults. */
export function* scheduleOf(seed: number, faults: readonly Fault[]): Generator<Turn> {
  for (let round = 0; ; round += 1) {
    const key = hashUnder(seed, round);
    const turns = faults
      .map((fault, index) => ({ fault, index }))
      .filter(({ fault }) => round === 0 || !fault.once)
      .toSorted((one, other) => draw(key, one.index) - draw(key, other.index));
    if (turns.length === 0) return;
    for (const { fault, index } of turns) {
      const chance = fraction(key, 1_000 + index);
      yield { round, fault, chance, calmMs: Math.round(CALM_FROM_MS + fraction(key, 2_000 + index) * CALM_SPAN_MS) };
    }
  }
}
