// The flaws that a generator was asked for, in words.
import type { GeneratorSpec } from '../generator/generator-spec.ts';

const FLAWS = {
  disorder: 'out of order',
  duplicates: 'twice',
  duplicatesLater: 'again after three minutes',
  duplicatesElsewhere: 'again in another partition',
  malformed: 'malformed',
  late: 'late',
  newerSchema: 'of schema version 2',
  missingOptional: 'without optional fields',
  clockSkew: 'of the devices with a wrong clock',
} as const;
type Flaw = keyof typeof FLAWS;

const NAMES = Object.keys(FLAWS).filter((name): name is Flaw => name in FLAWS);

/** "1 % out of order, 0.5 % twice", or "no flaws": every share that is not 0. */
export function flawsOf(spec: GeneratorSpec): string {
  const told = NAMES.filter((name) => (spec[name] ?? 0) > 0).map(
    (name) => `${Number(((spec[name] ?? 0) * 100).toPrecision(3))} % ${FLAWS[name]}`,
  );
  return told.length === 0 ? 'no flaws' : told.join(', ');
}
