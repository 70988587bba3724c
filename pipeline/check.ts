// A check: one claim about the stored data, what it expects, what was found, and how often the two differ.

/** `differences` is 0 when the claim holds. `examples` are sentences that name the first places where it does not. */
export type Check = {
  readonly name: string;
  readonly claim: string;
  readonly expected: number;
  readonly found: number;
  readonly differences: number;
  readonly examples: readonly string[];
};

/** Examples kept of one check: enough to see a pattern, few enough for a terminal. */
export const MAX_EXAMPLES = 10;

/** What a verification looked at and left out: no difference by itself, but a reader must know it. */
export type Coverage = {
  /** Messages of the topic judged again. */
  readonly recountedMessages: number;
  /** Rows of `events` and `dead_letters` whose message the log no longer holds. */
  readonly beyondRecount: number;
  /** Offsets that somebody accepted to lose (`gaps`). */
  readonly acceptedGaps: number;
  /** Valid messages that PostgreSQL refused to store; they are dead letters. */
  readonly unstorable: number;
  /** Messages that an older build refused for their version and that this build knows; they are dead letters to be replayed. */
  readonly refusedByOlder: number;
  /** Rows in the counts of two runs: somebody had deleted them, and reading again put them back. */
  readonly countedTwice: { readonly events: number; readonly letters: number };
  /** Late events that their windows do not hold yet; the next amendment takes them in. */
  readonly lateWaiting: number;
  /** Late events beyond the amend horizon: stored, listed, and left out of the windows for good. */
  readonly lateBeyondHorizon: number;
  /** Result tables were recomputed up to here (ISO-8601), or null when no window was closed yet. */
  readonly resultsThrough: string | null;
};

export type Verification = {
  readonly topic: string;
  readonly schema: string;
  /** PostgreSQL's time of the snapshot that was verified (ISO-8601). */
  readonly takenAt: string;
  readonly clean: boolean;
  readonly differences: number;
  readonly checks: readonly Check[];
  readonly coverage: Coverage;
};

/** Number of differences over all checks. */
export function differencesOf(checks: readonly Check[]): number {
  return checks.reduce((sum, { differences }) => sum + differences, 0);
}

/** One row of a check that compares two numbers for each partition, or for each run of one. */
export type PartitionPair = {
  readonly partition: number;
  readonly run?: number;
  readonly expected: number;
  readonly found: number;
};

/** A check over all partitions: it differs by the sum of the partitions' distances, so that two errors cannot cancel out. */
export function comparePartitions(name: string, claim: string, pairs: readonly PartitionPair[]): Check {
  const wrong = pairs.filter(({ expected, found }) => expected !== found);
  return {
    name,
    claim,
    expected: pairs.reduce((sum, { expected }) => sum + expected, 0),
    found: pairs.reduce((sum, { found }) => sum + found, 0),
    differences: wrong.reduce((sum, { expected, found }) => sum + Math.abs(expected - found), 0),
    examples: wrong
      .slice(0, MAX_EXAMPLES)
      .map(
        ({ partition, run = 1, expected, found }) =>
          `Partition ${partition}${run > 1 ? `, run ${run}` : ''}: ${expected} expected, ${found} found.`,
      ),
  };
}
