// Attendance: who comes into the shop when. Keeps a block's sessions to people who are awake and not in the shop already.
import { awakeShare } from './day-rhythm.ts';
import { fraction } from './seeded-chance.ts';
import { activeShopper, comesLater, shopperHash, zoneHoursOf } from './shoppers.ts';
import type { Group, Population } from './shoppers.ts';

/** Times and lengths in places from the start of the block's span. `hash`: the session's. */
type Wish = { readonly hash: number; readonly group: Group; readonly from: number; readonly lasts: number };

/** `haste`: by what the time at every step is multiplied, 1 or less. `until`: from when on the shopper may come again. */
type Visit = { readonly shopper: number; readonly from: number; readonly until: number; readonly haste: number };

/** `free`: when they may come; `rested`: when they like to; `closes`: by when they must have left. */
type Candidate = {
  readonly shopper: number;
  readonly free: number;
  readonly rested: number;
  readonly closes: number;
};

const DRAW = { candidate: 2_000, awake: 3_000 } as const;
const CANDIDATES = 16;
/** Share of a block's span for which somebody who has left stays away at least. */
const REST = 1 / 64;

export class Attendance {
  readonly #population: Population;
  readonly #block: number;
  readonly #places: number;
  readonly #leaves = new Map<number, number>();

  constructor(of: { readonly population: Population; readonly block: number; readonly places: number }) {
    this.#population = of.population;
    this.#block = of.block;
    this.#places = of.places;
  }

  /** Finds somebody for a session. Where all are busy, somebody comes as soon as possible, and hurries to be out in time. */
  admit(wish: Wish, hour: number): Visit {
    let best: Candidate | null = null;
    let asleep = 0;
    for (let nth = 0; nth < CANDIDATES; nth++) {
      const shopper = activeShopper(this.#population, wish.group, fraction(wish.hash, DRAW.candidate + nth));
      if (shopper < 0) continue;
      const hash = shopperHash(this.#population, shopper);
      asleep = shopper;
      if (!isAwake(hash, wish, { nth, hour })) continue;
      const candidate = this.#candidate(shopper, hash);
      const { free, rested, closes } = candidate;
      if (rested <= wish.from && wish.from + wish.lasts < closes) return this.#enter(candidate, wish);
      if (best === null || free < best.free) best = candidate;
    }
    return this.#enter(best ?? this.#candidate(asleep, shopperHash(this.#population, asleep)), wish);
  }

  #candidate(shopper: number, hash: number): Candidate {
    const half = this.#places / 2;
    const closes = this.#places + (comesLater(hash, this.#block + 1) ? half : 0);
    const left = this.#leaves.get(shopper);
    if (left !== undefined) return { shopper, free: left, rested: left + this.#places * REST, closes };
    const opens = comesLater(hash, this.#block) ? half : 0;
    return { shopper, free: opens, rested: opens, closes };
  }

  #enter({ shopper, free, closes }: Candidate, { from: wanted, lasts }: Wish): Visit {
    const from = Math.max(wanted, free);
    const room = closes - from;
    // Half the room at most, so that there is some for the next: even a world of one shopper goes on.
    const haste = lasts === 0 || lasts < room ? 1 : room / 2 / lasts;
    const until = from + lasts * haste;
    this.#leaves.set(shopper, until);
    return { shopper, from, until, haste };
  }
}

function isAwake(ofShopper: number, { hash, group }: Wish, { nth, hour }: { nth: number; hour: number }): boolean {
  return group === 'bots' || fraction(hash, DRAW.awake + nth) < awakeShare(hour, zoneHoursOf(ofShopper));
}
