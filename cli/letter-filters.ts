// The flags by which commands choose dead letters: the same for those that list, replay and discard.
import type { Command } from 'commander';

import { LETTER_STATUSES } from '../pipeline/dead-letter.ts';
import { selectLetters } from '../pipeline/letter-selection.ts';
import type { LetterSelection, WrittenFilters } from '../pipeline/letter-selection.ts';
import { REJECTION_REASONS } from '../pipeline/rejection.ts';

export type LetterFilterFlags = Omit<WrittenFilters, 'ids'>;

/** Adds the filters to a command; `lettersOf` reads them. */
export function addLetterFilters(command: Command): Command {
  return command
    .option('--reason <reasons>', `only refused for this: ${REJECTION_REASONS.join(', ')}`, withCommas)
    .option('--field <field>', 'only where this field is at fault; - where none is (may be repeated)', repeated)
    .option('--type <types>', 'only whose bytes tell this event type; - where they tell none', withCommas)
    .option('--partition <numbers>', 'only from these partitions', withCommas)
    .option('--status <statuses>', `only in this state: ${LETTER_STATUSES.join(', ')}`, withCommas)
    .option('--since <time>', 'only refused since then: a time, or how long ago, such as 2h')
    .option('--until <time>', 'only refused before then')
    .option('--text <text>', 'only where the value or the key contains this, byte for byte');
}

/** The letters that the flags and the ids mean. Throws SelectionError with every problem. */
export function lettersOf(flags: LetterFilterFlags, ids: readonly string[]): LetterSelection {
  const { reason, field, type, partition, status, since, until, text } = flags;
  return selectLetters({ ids, reason, field, type, partition, status, since, until, text }, Date.now());
}

/** For ids in one option: `--ids 5,7`. */
export function withCommas(text: string, before: readonly string[] = []): string[] {
  return [...before, ...text.split(',').map((part) => part.trim())];
}

function repeated(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
