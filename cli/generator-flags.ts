// What a generator is asked to make, as flags of the command line: shared by what starts one now and what starts one on a schedule.
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';

import { GENERATOR_DEFAULTS, createGeneratorSpec } from '../generator/generator-spec.ts';
import type { GeneratorSpec } from '../generator/generator-spec.ts';
import { PROFILE_NAMES } from '../generator/profile.ts';
import type { ProfileName } from '../generator/profile.ts';
import { formatDuration } from '../pipeline/duration.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { duration } from '../pipeline/setting-values.ts';
import { parsedBy } from './command.ts';
import { CliFailure } from './failure.ts';
import { grouped } from './output.ts';

const GIVEN = [
  ...(['rate', 'count', 'seed', 'users', 'profile'] as const),
  ...(['late', 'duplicates', 'malformed', 'disorder', 'newerSchema'] as const),
  ...(['duplicatesLater', 'duplicatesElsewhere', 'clockSkew', 'missingOptional'] as const),
];

export type SpecFlags = Partial<Pick<GeneratorSpec, (typeof GIVEN)[number]>> & {
  readonly for?: number;
  readonly profileLength?: number;
};

/** Adds the flags. */
export function withSpecFlags(command: Command): Command {
  const { rate, users } = GENERATOR_DEFAULTS;
  return command
    .option('--rate <number>', `events per second, before the profile changes it (default ${rate})`, number)
    .addOption(new Option('--profile <name>', 'how the rate changes with time (default steady)').choices(PROFILE_NAMES))
    .option(
      '--profile-length <duration>',
      "how long the profile's day, climb (ramp) or round (burst) is (default 24h, 10m, 30m)",
      parsedBy(duration('10s', '30d')),
    )
    .option('--for <duration>', 'how long it goes on, such as 10m', parsedBy(duration('1s', '3660d')))
    .option('--count <number>', 'messages after which it ends', number)
    .option('--seed <number>', 'what decides every event (default: chosen anew for each run, and shown)', number)
    .option('--users <number>', `simulated shoppers (default ${grouped(users)})`, number)
    .option('--late <share>', 'share of events that come 10 minutes to an hour too late (default 0)', number)
    .option('--duplicates <share>', 'share of messages that repeat one of the last seconds (default 0)', number)
    .option('--malformed <share>', 'share of messages that cannot become an event (default 0)', number)
    .option('--disorder <share>', 'share of events out of order within 10 seconds (default 0)', number)
    .option('--newer-schema <share>', 'share of messages of version 2 of the event schemas (default 0)', number)
    .option(
      '--duplicates-later <share>',
      'share of messages that repeat one of three minutes before (default 0)',
      number,
    )
    .option('--duplicates-elsewhere <share>', 'share that repeat one in another partition (default 0)', number)
    .option('--clock-skew <share>', 'share of devices whose clock is up to 2 minutes wrong (default 0)', number)
    .option('--missing-optional <share>', 'share that leave out every field they may (default 0)', number);
}

/** Adds the flag that makes history instead of the present. `what`: what becomes of it. */
export function withStartTime(command: Command, what: string): Command {
  return command.option('--start-time <time>', what, isoTime);
}

/** A seed for who gives none: the same one would tell the same story again. */
export const newSeed = (): number => Math.floor(Date.now() / 1000);

/** What the profiles do, for the help of whoever takes them. */
export const PROFILES_EXPLAINED = [
  'Profiles: steady; daily: a day around the rate, twice as much in the evening (UTC); burst: a flash sale, twenty times the',
  'rate for the second and third of every thirty minutes (everybody is in a hurry then: there are twenty times as many sessions,',
  'each over in a twentieth of its time); ramp: climbs from nothing in ten minutes; quiet-night: falls to nothing from midnight',
  'to six, so that partitions run idle one after the other (UTC).',
].join('\n');

/** The specification from the flags. Throws CliFailure with every problem. */
export function specOf(
  given: { readonly topic: string; readonly name: string; readonly seed: number; readonly startTimeMs?: number | null },
  flags: SpecFlags,
): GeneratorSpec {
  const chosen = Object.fromEntries(GIVEN.filter((key) => flags[key] !== undefined).map((key) => [key, flags[key]]));
  const { for: forMs, profileLength: profileMs } = flags;
  try {
    return createGeneratorSpec({
      ...given,
      ...chosen,
      ...(forMs === undefined ? {} : { forMs }),
      ...(profileMs === undefined ? {} : { profileMs }),
    });
  } catch (thrown) {
    throw new CliFailure(messageOf(thrown), { cause: thrown });
  }
}

/** A specification in a few words: "2,000/s, burst, for 10m, into topic orders". */
export const specSentence = (spec: GeneratorSpec): string => `${paceSentence(spec)}, into topic ${spec.topic}`;

/** How many it makes, and how fast: "2,000/s, burst, for 10m". */
export function paceSentence({ rate, profile = 'steady', profileMs, forMs, count }: GeneratorSpec): string {
  return [
    `${grouped(rate)}/s`,
    profileMs === undefined ? profile : `${profile} over ${formatDuration(profileMs)}`,
    ...(forMs === undefined ? [] : [`for ${formatDuration(forMs)}`]),
    ...(count === null ? [] : [`${grouped(count)} messages`]),
  ].join(', ');
}

/** The name of a profile, also where an older build left it out. */
export const profileName = (spec: { readonly profile?: ProfileName } | null): ProfileName => spec?.profile ?? 'steady';

/** Parser of a number for an option. */
export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It is not a number.');
  return value;
}

/** Parser of a time for an option, to epoch ms. */
function isoTime(text: string): number {
  const ms = /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw new InvalidArgumentError('Write an ISO time with its offset, such as 2026-01-01T00:00:00Z.');
  }
  return ms;
}
