// What a letter says when it goes out again: its own bytes, or those of its repair, or nothing and why.
import type { RepairStep } from '../pipeline/repair.ts';
import { takeSteps } from '../pipeline/repair.ts';
import type { LetterToReplay } from '../postgres/replayed-letters.ts';
import type { TransformThread } from './transform-thread.ts';

/** `why`: a sentence about the letter without a full stop. */
export type Repaired =
  | { readonly kind: 'ready'; readonly value: Buffer | null }
  | { readonly kind: 'left-out' }
  | { readonly kind: 'unrepaired'; readonly why: string };

type RepairTools = { readonly steps: readonly RepairStep[]; readonly transform: TransformThread | null };

/** The letter's value after all steps and the transform. Without either these are its own bytes. */
export async function repairLetter(letter: LetterToReplay, { steps, transform }: RepairTools): Promise<Repaired> {
  let { value } = letter;
  if (steps.length > 0) {
    const taken = takeSteps(value, steps);
    if ('why' in taken) return { kind: 'unrepaired', why: taken.why };
    // Sent as it is, it would be refused once more, and be parked in the end.
    if (taken.value === value && transform === null)
      return { kind: 'unrepaired', why: 'the repair changes nothing in it' };
    ({ value } = taken);
  }
  const transformed = (await transform?.apply({ ...letter, value })) ?? { kind: 'same' };
  if (transformed.kind === 'failed') return { kind: 'unrepaired', why: transformed.why };
  if (transformed.kind === 'left-out') return { kind: 'left-out' };
  return { kind: 'ready', value: transformed.kind === 'changed' ? transformed.value : value };
}
