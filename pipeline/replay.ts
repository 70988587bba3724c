// A replay: dead letters on their way through the topic once more, and what is known of them afterwards.

/** What is to be replayed: so many letters, none behind `throughId` (decimal string), so that no replay meets its own children. */
export type ReplayPlan = { readonly letters: number; readonly throughId: string };

/** Letters that a replay could not send, and the first of them with the reason (a sentence without a full stop). */
export type Unsent = {
  readonly letters: number;
  readonly examples: readonly { readonly id: string; readonly why: string }[];
};

export const NOTHING_UNSENT: Unsent = { letters: 0, examples: [] };
const MOST_EXAMPLES = 20;

export function addUnsent(one: Unsent, other: Unsent): Unsent {
  const examples = [...one.examples, ...other.examples].slice(0, MOST_EXAMPLES);
  return { letters: one.letters + other.letters, examples };
}

/** One more letter that stays as it is. */
export function withUnsent(before: Unsent, letter: Unsent['examples'][number]): Unsent {
  return addUnsent(before, { letters: 1, examples: [letter] });
}

/**
 * What became of the letters that a replay has sent. `replaced`: refused again, with a letter that stands for them now;
 * `parked` of those have a letter that was refused too often. `undecided`: not read by the pipeline yet.
 */
export type ReplayOutcomes = {
  readonly sent: number;
  readonly recovered: number;
  readonly replaced: number;
  readonly parked: number;
  readonly undecided: number;
};
