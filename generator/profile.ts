// A profile: by what a generator's rate is multiplied as time passes, and the exact integral of that, as pure functions of time.
import { must } from '../pipeline/ensure.ts';

/**
 * steady: the rate itself. daily: a day's curve around it, low at night and twice as high in the evening. burst: a flash sale,
 * twenty times the rate for two of every thirty minutes. ramp: climbs from nothing, then holds. quiet-night: falls to nothing
 * from midnight to six, so that one partition after the other runs idle, and stays so until the morning.
 */
export const PROFILE_NAMES = ['steady', 'daily', 'burst', 'ramp', 'quiet-night'] as const;
export type ProfileName = (typeof PROFILE_NAMES)[number];

/**
 * Plain JSON. `beganMs`: when its generator began, epoch ms; bursts and climbs begin there, days follow the clock (UTC).
 * `lengthMs`: how long a round is: the day of daily and quiet-night, the thirty minutes of burst, the climb of ramp; null: as
 * long as is usual.
 */
export type Profile = { readonly name: ProfileName; readonly beganMs: number; readonly lengthMs: number | null };

/** A stretch of a round: its share of the length, and the factor at its two ends, straight in between. */
type Piece = readonly [share: number, from: number, to: number];

/** By the hour, in UTC; they add up to 24, so that the rate is the mean of the day. */
const DAY_CURVE = [
  0.45, 0.3, 0.2, 0.15, 0.15, 0.2, 0.35, 0.6, 0.85, 1, 1.1, 1.2, 1.4, 1.25, 1.2, 1.2, 1.25, 1.45, 1.6, 1.85, 2, 1.85,
  1.45, 0.95,
];

type Shape = {
  readonly usualMs: number;
  readonly byClock: boolean;
  readonly repeats: boolean;
  readonly pieces: readonly Piece[];
};

const DAY_MS = 86_400_000;
const SHAPES: Record<ProfileName, Shape> = {
  steady: { usualMs: DAY_MS, byClock: true, repeats: true, pieces: [[1, 1, 1]] },
  daily: {
    usualMs: DAY_MS,
    byClock: true,
    repeats: true,
    pieces: DAY_CURVE.map((from, hour) => [1 / 24, from, hourly(hour + 1)]),
  },
  burst: {
    usualMs: 1_800_000,
    byClock: false,
    repeats: true,
    pieces: [
      [1 / 30, 1, 1],
      [2 / 30, 20, 20],
      [27 / 30, 1, 1],
    ],
  },
  ramp: { usualMs: 600_000, byClock: false, repeats: false, pieces: [[1, 0, 1]] },
  'quiet-night': {
    usualMs: DAY_MS,
    byClock: true,
    repeats: true,
    pieces: [
      [6 / 24, 0, 0],
      [3 / 24, 0, 1],
      [12 / 24, 1, 1],
      [3 / 24, 1, 0],
    ],
  },
};

function hourly(hour: number): number {
  return must(DAY_CURVE[hour % 24], 'a factor for every hour');
}

/** The most that a profile ever multiplies the rate by. */
export function peakFactor(name: ProfileName): number {
  return Math.max(...SHAPES[name].pieces.flatMap(([, from, to]) => [from, to]));
}

/** A profile with its place in time: where its rounds begin, and how long they are. */
type Rounds = { readonly originMs: number; readonly lengthMs: number } & Pick<Shape, 'repeats' | 'pieces'>;

function roundsOf({ name, beganMs, lengthMs }: Profile): Rounds {
  const { byClock, usualMs, repeats, pieces } = SHAPES[name];
  return { originMs: byClock ? 0 : beganMs, lengthMs: lengthMs ?? usualMs, repeats, pieces };
}

/** By what the rate is multiplied at `atMs`. */
export function factorAt(profile: Profile, atMs: number): number {
  const rounds = roundsOf(profile);
  const { pieces, repeats } = rounds;
  const { withinMs, round } = roundOf(rounds, atMs);
  if (!repeats && round !== 0) return round < 0 ? first(pieces)[1] : last(pieces)[2];
  let beganMs = 0;
  for (const [share, from, to] of pieces) {
    const lengthMs = share * rounds.lengthMs;
    if (withinMs < beganMs + lengthMs) return from + ((to - from) * (withinMs - beganMs)) / lengthMs;
    beganMs += lengthMs;
  }
  return last(pieces)[2];
}

/**
 * A clock that runs as fast as the profile's factor, from `startMs` on: `workAt` is the integral of the factor over the time
 * since, in ms of steady rate; `timeOf` its inverse, the last moment at which no more than `work` was done (so that what
 * becomes due with a night begins with the morning). Only basic arithmetic and square roots: the same bits everywhere.
 */
export type WorkClock = { workAt(atMs: number): number; timeOf(work: number): number };

type Stretch = {
  readonly fromMs: number;
  readonly lengthMs: number;
  readonly fromWork: number;
  readonly factor: number;
  readonly slope: number;
};

/** The work clock of a profile from `startMs` on; the past before it counts as negative work. */
export function workClock(profile: Profile, startMs: number): WorkClock {
  const { originMs, lengthMs, repeats, pieces } = roundsOf(profile);
  const stretches = stretchesOf(pieces, lengthMs);
  const final = last(stretches);
  const roundWork = doneIn(final, final.lengthMs);
  const endFactor = final.factor + final.slope * final.lengthMs;
  // Counted from the beginning of the round in which it starts: small numbers keep their digits.
  const zeroMs = originMs + (repeats ? Math.floor((startMs - originMs) / lengthMs) * lengthMs : 0);
  const workFromZero = (atMs: number): number => {
    const passedMs = atMs - zeroMs;
    if (!repeats && passedMs < 0) return passedMs * first(stretches).factor;
    if (!repeats && passedMs >= lengthMs) return roundWork + (passedMs - lengthMs) * endFactor;
    const rounds = Math.floor(passedMs / lengthMs);
    const withinMs = passedMs - rounds * lengthMs;
    const stretch = lastWhere(stretches, ({ fromMs }) => fromMs <= withinMs);
    return rounds * roundWork + doneIn(stretch, withinMs - stretch.fromMs);
  };
  const timeFromZero = (work: number): number => {
    if (!repeats && work >= roundWork) return lengthMs + (work - roundWork) / endFactor;
    const rounds = repeats ? Math.floor(work / roundWork) : 0;
    const within = work - rounds * roundWork;
    const stretch = lastWhere(stretches, ({ fromWork }) => fromWork <= within);
    return rounds * lengthMs + stretch.fromMs + timeIn(stretch, within - stretch.fromWork);
  };
  const startWork = workFromZero(startMs);
  return {
    workAt: (atMs) => workFromZero(atMs) - startWork,
    timeOf: (work) => zeroMs + timeFromZero(work + startWork),
  };
}

function stretchesOf(pieces: readonly Piece[], roundMs: number): Stretch[] {
  const stretches: Stretch[] = [];
  let fromMs = 0;
  let fromWork = 0;
  for (const [share, factor, to] of pieces) {
    const lengthMs = share * roundMs;
    const stretch = { fromMs, lengthMs, fromWork, factor, slope: (to - factor) / lengthMs };
    stretches.push(stretch);
    fromMs += lengthMs;
    fromWork = doneIn(stretch, lengthMs);
  }
  return stretches;
}

/** Work done up to so long into a stretch, counted from the beginning of its round. */
function doneIn({ fromWork, factor, slope }: Stretch, passedMs: number): number {
  return fromWork + passedMs * (factor + (slope * passedMs) / 2);
}

/** How long into a stretch so much work is done: the root of a quadratic, in the form that loses no digits. */
function timeIn({ factor, slope, lengthMs }: Stretch, work: number): number {
  if (factor === 0 && slope === 0) return lengthMs;
  const root = Math.sqrt(Math.max(0, factor * factor + 2 * slope * work));
  // Work may also be so little that its product with the slope is no number but 0: no time passes with it.
  if (work <= 0 || factor + root === 0) return 0;
  return Math.min(lengthMs, (2 * work) / (factor + root));
}

function roundOf({ originMs, lengthMs }: Rounds, atMs: number): { readonly round: number; readonly withinMs: number } {
  const round = Math.floor((atMs - originMs) / lengthMs);
  return { round, withinMs: atMs - originMs - round * lengthMs };
}

const first = <T>(items: readonly T[]): T => must(items[0], 'a round has stretches');
const last = <T>(items: readonly T[]): T => must(items.at(-1), 'a round has stretches');
const lastWhere = <T>(items: readonly T[], holds: (item: T) => boolean): T => items.findLast(holds) ?? first(items);
