// What one generator is asked to make: the small JSON object that its workflow carries and that decides every byte it sends.
import { PROFILE_NAMES } from './profile.ts';
import type { ProfileName } from './profile.ts';

/** Shares are fractions of all messages (0 to 1), 0 unless asked for; durations in milliseconds. */
export type GeneratorSpec = {
  readonly name: string;
  readonly topic: string;
  readonly seed: number;
  /** Messages per second; with `startTimeMs`, per second of event time. */
  readonly rate: number;
  /** Messages to make before it ends; null: goes on until stopped. */
  readonly count: number | null;
  readonly users: number;
  /** Share whose event time lies up to `disorderMs` before the time they are sent; keep `disorderMs` below the lateness. */
  readonly disorder: number;
  readonly disorderMs: number;
  /** Share that repeats a message of the last seconds byte by byte, in addition to the events. */
  readonly duplicates: number;
  readonly malformed: number;
  /** Share whose event time lies `lateFromMs` to `lateToMs` before the time they are sent: whole sessions, of travellers. */
  readonly late: number;
  readonly lateFromMs: number;
  readonly lateToMs: number;
  /** Share that is of version 2 of the event schemas, whatever else it is; specs of older builds lack it and mean 0. */
  readonly newerSchema?: number;
  /** Share that repeats a message of some three minutes before; absent: none. */
  readonly duplicatesLater?: number;
  /** Share that repeats a message at once under another key, so that it mostly lands in another partition; absent: none. */
  readonly duplicatesElsewhere?: number;
  /** Share of the devices whose clock is wrong, each by an amount of its own; absent: none. */
  readonly clockSkew?: number;
  /** By how much at most such a clock is wrong, to either side; absent: 2 minutes. */
  readonly clockSkewMs?: number;
  /** Share that leaves out every field it may (then the others carry them all); absent: none. */
  readonly missingOptional?: number;
  /** By what the rate is multiplied as time passes (profile.ts); absent: steady. */
  readonly profile?: ProfileName;
  /** How long the profile's day, round or climb is; absent: as long as is usual for it. */
  readonly profileMs?: number;
  /** How long it goes on from its start, in the time that its events tell; absent: until its count, or until stopped. */
  readonly forMs?: number;
  /** Epoch ms of the first message; set: history is made as fast as possible. null: live, paced by the clock. */
  readonly startTimeMs: number | null;
};

export const GENERATOR_DEFAULTS: Omit<GeneratorSpec, 'topic'> = {
  name: 'shop',
  seed: 1,
  rate: 500,
  count: null,
  users: 10_000,
  disorder: 0,
  disorderMs: 10_000,
  duplicates: 0,
  malformed: 0,
  late: 0,
  lateFromMs: 600_000,
  lateToMs: 3_600_000,
  newerSchema: 0,
  startTimeMs: null,
};

const SHARES = [
  ...(['disorder', 'duplicates', 'malformed', 'late', 'newerSchema'] as const),
  ...(['duplicatesLater', 'duplicatesElsewhere', 'clockSkew', 'missingOptional'] as const),
];
const MAX_RATE = 1_000_000;
const MAX_USERS = 10_000_000;
const DAY_MS = 86_400_000;
const LEAST_PROFILE_MS = 10_000;
const YEAR_9000_MS = 221_845_392_000_000;

/** The spec with defaults for what was not given. Throws one error that lists every problem, a sentence each. */
export function createGeneratorSpec(given: Partial<GeneratorSpec> & Pick<GeneratorSpec, 'topic'>): GeneratorSpec {
  const spec = { ...GENERATOR_DEFAULTS, ...given };
  const problems = generatorSpecProblems(spec);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return spec;
}

/** Everything that is wrong with a spec, one sentence each; empty when it can run. */
export function generatorSpecProblems(spec: GeneratorSpec): string[] {
  const problems: string[] = [];
  const expect = (holds: boolean, sentence: string): void => {
    if (!holds) problems.push(sentence);
  };
  expect(isName(spec.name, 64), `Generator name "${spec.name}" must be 1 to 64 letters, digits, ".", "_" or "-".`);
  expect(isName(spec.topic, 249), `Topic "${spec.topic}" must be 1 to 249 letters, digits, ".", "_" or "-".`);
  expect(isWhole(spec.seed, 0, Number.MAX_SAFE_INTEGER), `Seed ${spec.seed} must be a whole number from 0 up.`);
  expect(
    spec.rate > 0 && spec.rate <= MAX_RATE,
    `Rate ${spec.rate} must be above 0 and at most ${MAX_RATE} messages per second.`,
  );
  expect(
    spec.count === null || isWhole(spec.count, 1, Number.MAX_SAFE_INTEGER),
    `Count ${spec.count} must be a whole number from 1 up; leave it out to go on until stopped.`,
  );
  expect(isWhole(spec.users, 1, MAX_USERS), `Users ${spec.users} must be a whole number from 1 to ${MAX_USERS}.`);
  expect(
    spec.startTimeMs === null || isWhole(spec.startTimeMs, 31 * DAY_MS, YEAR_9000_MS),
    `Start time ${spec.startTimeMs} must be whole epoch milliseconds from February 1970 to the year 9000.`,
  );
  expectTimes(spec, expect);
  expectShares(spec, expect);
  return problems;
}

function expectTimes(spec: GeneratorSpec, expect: (holds: boolean, sentence: string) => void): void {
  const { profile = 'steady', profileMs = LEAST_PROFILE_MS, forMs = 1 } = spec;
  expect(PROFILE_NAMES.includes(profile), `Profile "${profile}" must be one of ${PROFILE_NAMES.join(', ')}.`);
  expect(
    isWhole(profileMs, LEAST_PROFILE_MS, 30 * DAY_MS),
    `A profile's length of ${profileMs} ms must be 10 seconds to 30 days.`,
  );
  expect(isWhole(forMs, 1, 3_660 * DAY_MS), `A duration of ${forMs} ms must be 1 ms to ten years.`);
}

function expectShares(spec: GeneratorSpec, expect: (holds: boolean, sentence: string) => void): void {
  for (const share of SHARES) {
    const value = spec[share] ?? 0;
    expect(value >= 0 && value <= 1, `Share ${share} is ${value}, but must lie between 0 and 1.`);
  }
  const { duplicatesLater = 0, duplicatesElsewhere = 0, clockSkewMs = 1 } = spec;
  const sum = spec.disorder + spec.duplicates + duplicatesLater + duplicatesElsewhere + spec.malformed + spec.late;
  expect(!(sum > 1), `The shares disorder, duplicates, malformed and late add up to ${sum}, but may not exceed 1.`);
  expect(isWhole(clockSkewMs, 1, DAY_MS), `Clock skew of ${clockSkewMs} ms must be 1 ms to one day.`);
  expect(isWhole(spec.disorderMs, 1, DAY_MS), `Disorder of ${spec.disorderMs} ms must be 1 ms to one day.`);
  expect(
    isWhole(spec.lateFromMs, 1, spec.lateToMs) && isWhole(spec.lateToMs, 1, 30 * DAY_MS),
    `Late events from ${spec.lateFromMs} to ${spec.lateToMs} ms back must be a range within 1 ms and 30 days.`,
  );
}

const isName = (text: string, longest: number): boolean => text.length <= longest && /^[A-Za-z0-9._-]+$/.test(text);

const isWhole = (value: number, least: number, most: number): boolean =>
  Number.isSafeInteger(value) && value >= least && value <= most;
