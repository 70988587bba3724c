// Disorder: what goes wrong between an event and its message, decided by a hash alone; nothing of it unless asked for.
import { logNormal } from './dwell.ts';
import type { GeneratorSpec } from './generator-spec.ts';
import { fraction } from './seeded-chance.ts';

/** Draws of a message's or step's hash, apart from those its event uses. */
const DRAW = { malformed: 64, delayed: 66, newerSchema: 67, delay: 68, missingOptional: 69 } as const;
/** The mean delay, as a part of the longest. */
const MEAN_DELAY = 0.2;

/** Share of the messages that repeat an earlier one, of whatever kind. */
export function repeatedShare({ duplicates, duplicatesLater = 0, duplicatesElsewhere = 0 }: GeneratorSpec): number {
  return duplicates + duplicatesLater + duplicatesElsewhere;
}

/** Whether the message with this hash is malformed; one that repeats another is not asked. */
export function isMalformed(spec: GeneratorSpec, chance: number): boolean {
  return spec.malformed > 0 && fraction(chance, DRAW.malformed) * (1 - repeatedShare(spec)) < spec.malformed;
}

/** Whether the event with this hash is of the newer version of the schemas. */
export function isOfNewerSchema({ newerSchema = 0 }: GeneratorSpec, chance: number): boolean {
  return newerSchema > 0 && fraction(chance, DRAW.newerSchema) < newerSchema;
}

/** Whether the event with this hash leaves out what it may. */
export function lacksOptional({ missingOptional = 0 }: GeneratorSpec, chance: number): boolean {
  return missingOptional > 0 && fraction(chance, DRAW.missingOptional) < missingOptional;
}

/**
 * Milliseconds by which the step with this hash is told after it happened: 0, or for the share that is out of order a
 * log-normal time of `disorderMs` at most, a fifth of that on the average.
 */
export function delayMs({ disorder, disorderMs }: GeneratorSpec, chance: number): number {
  if (!(fraction(chance, DRAW.delayed) < disorder)) return 0;
  const ms = Math.round(logNormal(fraction(chance, DRAW.delay)) * disorderMs * MEAN_DELAY);
  return Math.min(disorderMs, Math.max(1, ms));
}
