// A block of sessions: the same number of steps in every block, so that where each stands in the world follows from its block.
//
// The world's time runs in places: a block spans as many as it has steps, and its sessions begin evenly spread over its span.
// None ends later than half a span after it, so a span holds steps of its own block and of the one before, and nothing else:
// any place of the world is known from two blocks, each made from the seed and its number alone.
// That nobody is in two sessions at once needs no look at other blocks either: by the hash of shopper and block, half of the
// shoppers come from the start of a span and have left before it, the others come from its middle and may stay until then.
import type { GeneratorSpec } from './generator-spec.ts';
import { fraction, hashUnder } from './seeded-chance.ts';
import { Attendance } from './attendance.ts';
import { delayMs } from './disorder.ts';
import type { Scale } from './scale.ts';
import { hasBots } from './shoppers.ts';
import type { Group } from './shoppers.ts';
import { createSteps, walkInto } from './walk.ts';
import type { Steps } from './walk.ts';
import type { World } from './world.ts';

/**
 * Steps in the order of their sessions; `toldAt`: when each is told, in places from the start of the span, below twice a span.
 * `happensAt`: when each happens, for those that are told later than that and -1 for the others; null where none is.
 * `order`: steps in the order in which they are told, of which the first `within` are told within the block's own span.
 * `places`: the place in the world at which each step is told, -1 until the timeline has found it.
 */
export type SessionBlock = {
  readonly number: number;
  readonly steps: Steps;
  readonly sessionOf: Uint32Array;
  readonly happensAt: Float64Array | null;
  readonly toldAt: Float64Array;
  readonly order: Uint32Array;
  readonly within: number;
  readonly places: Float64Array;
  readonly sessions: readonly Session[];
};

/** `firstStep` to, not including, `endStep`. `hash` decides everything else about it. `stretch`: how its dwell times went by. */
export type Session = {
  readonly shopper: number;
  readonly hash: number;
  readonly firstStep: number;
  readonly endStep: number;
  readonly stretch: number;
};

const DRAW = { group: 1_000, start: 1_001 } as const;
/** Share of the sessions that are a bot's. */
const BOTS = 0.01;
/** A place is cut in so many, so that place and step fit one number, by which to sort. */
const PLACE_PARTS = 1_024;
/**
 * Of the delay that was asked for at most, since busy stretches of a span take longer than their places: what would be told
 * later than asked for must be cut there, and would happen after what followed it in its session.
 */
const LONGEST_DELAY = 0.8;
const MOST_STEPS_OF_BLOCK = 131_072;

/** `hourAt`: hour of the day in UTC at a place of the world. */
export type BlockSetting = {
  readonly world: World;
  readonly spec: GeneratorSpec;
  readonly scale: Scale;
  readonly hourAt: (place: number) => number;
};

/** Block `number` of a world. */
export function createBlock(setting: BlockSetting, number: number): SessionBlock {
  const { scale, spec } = setting;
  const steps = createSteps(scale.places);
  const walks = walksOf(setting, { number, steps });
  const toldAt = new Float64Array(scale.places);
  const sessionOf = new Uint32Array(scale.places);
  const sessions = sessionsOf(setting, { number, steps, walks, toldAt, sessionOf });
  const happensAt = spec.disorder > 0 ? delayed(setting, number, toldAt) : null;
  const order = orderOf(toldAt);
  let within = 0;
  while (within < order.length && (toldAt[order[within] ?? 0] ?? 0) < scale.places) within += 1;
  const places = new Float64Array(scale.places).fill(-1);
  return { number, steps, sessionOf, happensAt, toldAt, order, within, places, sessions };
}

type Walk = { readonly hash: number; readonly group: Group; readonly firstStep: number; readonly endStep: number };

/** Walks until the block is full; the last one is cut off: somebody leaves. */
function walksOf({ world, spec }: BlockSetting, { number, steps }: { number: number; steps: Steps }): Walk[] {
  const walks: Walk[] = [];
  const key = hashUnder(world.key ^ 0x73657373, number);
  const bots = hasBots(world.population) ? BOTS : 0;
  const places = steps.kind.length;
  for (let firstStep = 0; firstStep < places;) {
    const hash = hashUnder(key, walks.length);
    const uniform = fraction(hash, DRAW.group);
    const group = uniform < bots ? 'bots' : uniform >= 1 - spec.late ? 'travellers' : 'people';
    const room = places - firstStep;
    const endStep = firstStep + walkInto(steps, { from: firstStep, room }, { chance: hash, isBot: group === 'bots' });
    walks.push({ hash, group, firstStep, endStep });
    firstStep = endStep;
  }
  return walks;
}

type Unplaced = {
  readonly number: number;
  readonly steps: Steps;
  readonly walks: readonly Walk[];
  readonly toldAt: Float64Array;
  readonly sessionOf: Uint32Array;
};

/** Gives each walk somebody to go it and a time to begin, and each of its steps a time. */
function sessionsOf(setting: BlockSetting, { number, steps, walks, toldAt, sessionOf }: Unplaced): Session[] {
  const { scale, hourAt } = setting;
  const attendance = new Attendance({ population: setting.world.population, block: number, places: scale.places });
  return walks.map(({ hash, group, firstStep, endStep }, nth) => {
    const from = ((nth + fraction(hash, DRAW.start)) / walks.length) * scale.places;
    let dwellMs = 0;
    for (let step = firstStep; step < endStep - 1; step++) dwellMs += steps.dwellMs[step] ?? 0;
    const wish = { hash, group, from, lasts: dwellMs * scale.placesPerMs };
    const visit = attendance.admit(wish, hourAt(number * scale.places + from));
    const stretch = scale.placesPerMs * visit.haste;
    let at = visit.from;
    for (let step = firstStep; step < endStep; step++) {
      sessionOf[step] = nth;
      // Adding up step by step rounds otherwise than the whole did: by a bit, the next visit could begin before this one ends.
      toldAt[step] = Math.min(at, visit.until);
      at += (steps.dwellMs[step] ?? 0) * stretch;
    }
    return { shopper: visit.shopper, hash, firstStep, endStep, stretch };
  });
}

/** Moves the telling of some steps behind their happening, and returns when those happen. */
function delayed({ world, spec, scale }: BlockSetting, number: number, toldAt: Float64Array): Float64Array {
  const key = hashUnder(world.key ^ 0x64697372, number);
  const placesPerMs = spec.rate / 1_000;
  const most = Math.floor(Math.min((0.499 * scale.places) / placesPerMs, LONGEST_DELAY * spec.disorderMs));
  const happensAt = new Float64Array(toldAt.length).fill(-1);
  for (let step = 0; step < toldAt.length; step++) {
    const ms = Math.min(delayMs(spec, hashUnder(key, step)), most);
    if (ms <= 0) continue;
    const at = toldAt[step] ?? 0;
    happensAt[step] = at;
    toldAt[step] = at + ms * placesPerMs;
  }
  return happensAt;
}

/** Steps by the time they are told; at the same time, as they stand. */
function orderOf(toldAt: Float64Array): Uint32Array {
  const keys = new Float64Array(toldAt.length);
  for (let step = 0; step < toldAt.length; step++) {
    const part = Math.floor((toldAt[step] ?? 0) * PLACE_PARTS);
    toldAt[step] = part / PLACE_PARTS;
    keys[step] = part * MOST_STEPS_OF_BLOCK + step;
  }
  keys.sort();
  const order = new Uint32Array(keys.length);
  for (let nth = 0; nth < keys.length; nth++) order[nth] = (keys[nth] ?? 0) % MOST_STEPS_OF_BLOCK;
  return order;
}
