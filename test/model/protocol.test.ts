// The commit and close protocols as a model: thousands of interleavings keep every promise, and each guard is needed.
// WEIR_MODEL_SEED runs one seed and prints its trace; WEIR_MODEL_SEEDS says how many are tried.
import { expect, test } from 'vitest';

import type { Guards } from './guards.ts';
import { runSeed } from './run-seed.ts';
import type { Seen } from './run-seed.ts';

const SEEDS = Number(process.env['WEIR_MODEL_SEEDS'] ?? 2_000);
const CHOSEN = process.env['WEIR_MODEL_SEED'] ?? '';
/** Seeds to find out that a guard is missing. */
const MUTANT_SEEDS = 500;

/** Seeds that once broke a promise: of the model, or of the product through the model. */
const REMEMBERED: readonly number[] = [];

/** The seed's story, for a reader. */
function story(seed: number, removed: Partial<Guards> = {}): string {
  const { violation, trace } = runSeed(seed, removed, true);
  return [`Seed ${seed}: ${violation?.message ?? 'all promises held'}.`, ...trace].join('\n');
}

/** The promise that breaks first, or null when none does. */
function firstBroken(removed: Partial<Guards>): string | null {
  for (let seed = 0; seed < MUTANT_SEEDS; seed += 1) {
    const { violation } = runSeed(seed, removed);
    if (violation) return violation.promise;
  }
  return null;
}

test('a chosen seed tells its story and keeps every promise', () => {
  const seed = Number(CHOSEN || 1);
  if (CHOSEN) process.stdout.write(`${story(seed)}\n`);
  expect(story(seed)).toContain(`Seed ${seed}: all promises held.`);
});

test('two workers, two closers, rewinds, crashes and lost replies: every interleaving keeps every promise', () => {
  const seen: Seen = {};
  for (const seed of [...REMEMBERED, ...Array(SEEDS).keys()]) {
    const run = runSeed(seed);
    expect(run.violation, run.violation ? story(seed) : '').toBeNull();
    for (const [what, times] of Object.entries(run.seen)) seen[what] = (seen[what] ?? 0) + times;
  }
  // A model in which nothing goes wrong proves nothing.
  for (const what of ['fault', 'takeover', 'rewind', 'duplicate', 'late event', 'left out', 'amendment']) {
    expect(seen[what], what).toBeGreaterThan(SEEDS / 2);
  }
  for (const what of ['shared, done', 'shared, lost', 'shared, refused'])
    expect(seen[what], what).toBeGreaterThan(SEEDS / 20);
});

test('the same seed is the same run', () => {
  expect(story(7)).toBe(story(7));
});

type Mutant = { readonly without: string; readonly removed: Partial<Guards>; readonly breaks: string };

const RIGHT = 'a closed window is right';
const NEEDED: readonly Mutant[] = [
  { without: 'the epoch in the fence', removed: { epoch: false }, breaks: 'one epoch commits' },
  {
    without: 'a set of identities that dies with its chain',
    removed: { setDiesWithChain: false },
    breaks: 'no event lost',
  },
  {
    without: 'one transaction for checkpoint and rows',
    removed: { checkpointMovesWithRows: false },
    breaks: 'conservation',
  },
  { without: 'the unique key', removed: { uniqueKey: false }, breaks: 'conservation' },
  {
    without: 'counts of what was inserted behind the staging table',
    removed: { countsWhatWasInserted: false },
    breaks: 'conservation',
  },
  {
    without: 'the refusal of a batch that a close overtook',
    removed: { refusesClosedMeanwhile: false },
    breaks: RIGHT,
  },
  { without: 'the lock between batches and the move of closed_through', removed: { clockLock: false }, breaks: RIGHT },
  {
    without: 'written_through in the transaction of the results',
    removed: { writtenThroughMovesWithResults: false },
    breaks: RIGHT,
  },
  { without: 'one dead letter a place', removed: { oneLetterAPlace: false }, breaks: 'no event twice' },
  { without: 'one snapshot for a close', removed: { oneSnapshot: false }, breaks: RIGHT },
  { without: 'an update of the clock row that is held', removed: { clockRowUpdated: false }, breaks: RIGHT },
  {
    without: 'one transaction for an amendment and its late marks',
    removed: { amendsAndMarksTogether: false },
    breaks: RIGHT,
  },
];

test.each(NEEDED)('the model breaks a promise without $without', ({ removed, breaks }) => {
  expect(firstBroken(removed)).toBe(breaks);
});

const SECOND_LINE: readonly { readonly mistake: string; readonly removed: Partial<Guards> }[] = [
  { mistake: 'sends a batch again after a lost reply', removed: { neverSendsAgain: false } },
  { mistake: 'takes a lost reply for a commit', removed: { neverAssumesCommitted: false } },
  {
    mistake: 'sends its part of a shared transaction again after a lost reply',
    removed: { sharedLossIsForAll: false },
  },
  { mistake: 'takes its part of a refused transaction for done', removed: { sharedRefusalIsForAll: false } },
  { mistake: 'does not hear of a rewind', removed: { rewindRaisesEpoch: false } },
];

test.each(SECOND_LINE)('the offset in the fence stops a lease that $mistake', ({ removed }) => {
  expect(firstBroken(removed)).toBeNull();
  expect(firstBroken({ ...removed, fromOffset: false })).toBe('conservation');
});
