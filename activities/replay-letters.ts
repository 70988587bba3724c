// One lease of a replay: repairs dead letters, sends them through their topic again and marks them, page by page, for a bounded time.
import { setTimeout as wait } from 'node:timers/promises';

import { Context } from '@temporalio/activity';
import type pg from 'pg';

import type { LetterSelection } from '../pipeline/letter-selection.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { Repair } from '../pipeline/repair.ts';
import { NOTHING_UNSENT, withUnsent } from '../pipeline/replay.ts';
import type { Unsent } from '../pipeline/replay.ts';
import { markSent, readReplayPage } from '../postgres/replayed-letters.ts';
import type { LetterToReplay } from '../postgres/replayed-letters.ts';
import { openLetterWriter } from './letter-writer.ts';
import type { LetterWriter, ReadyLetter } from './letter-writer.ts';
import { repairLetter } from './repair-letter.ts';
import { TransformThread } from './transform-thread.ts';
import { untilStopped } from './until-stopped.ts';

export type ReplayLettersDeps = { readonly pool: pg.Pool; readonly kafkaBrokers: readonly string[] };

/** `after`: where the lease before ended, "0" at first. `rate`: letters a second. Ids are decimal strings. */
export type ReplayLettersInput = {
  readonly spec: PipelineSpec;
  readonly replay: string;
  readonly selection: LetterSelection;
  readonly after: string;
  readonly throughId: string;
  readonly repair: Repair;
  readonly rate: number;
  readonly leaseMs: number;
};

/** What one lease did, up to the letter `after`. `done`: there are no more. */
export type ReplayedLetters = {
  readonly after: string;
  readonly sent: number;
  readonly leftOut: number;
  readonly unsent: Unsent;
  readonly done: boolean;
};
export type ReplayLettersResult = ReplayedLetters & { readonly reason: 'done' | 'lease-over' | 'drained' };

/** Also the most that a crash between sending and marking sends twice. */
const MOST_LETTERS_A_PAGE = 500;
const PAGES_A_SECOND = 4;
/** A page goes out with what is repaired by then: a transform may take a second for each letter. */
const REPAIRED_WITHIN_MS = 2_000;

/**
 * The activity `replayLetters`. Marks after sending: a crash in between sends up to a page twice, and the event ids remove
 * the doubles. A lease that is given again from an earlier position leaves out what this replay has sent: what it marked, and
 * what ingestion, which may be faster than the mark, knows from the message's headers.
 */
export const createReplayLetters =
  (deps: ReplayLettersDeps) =>
  async (input: ReplayLettersInput): Promise<ReplayLettersResult> => {
    const start: ReplayedLetters = { after: input.after, sent: 0, leftOut: 0, unsent: NOTHING_UNSENT, done: false };
    const { told, stopped } = await untilStopped(start, async (getOn) => {
      return await replayUntilOver(deps, input, { start, getOn, signal: Context.current().cancellationSignal });
    });
    if (told.done) return { ...told, reason: 'done' };
    return { ...told, reason: stopped ? 'drained' : 'lease-over' };
  };

type Work = {
  readonly start: ReplayedLetters;
  readonly getOn: (done: ReplayedLetters) => void;
  readonly signal: AbortSignal;
};

async function replayUntilOver(
  deps: ReplayLettersDeps,
  input: ReplayLettersInput,
  { start, getOn, signal }: Work,
): Promise<ReplayedLetters> {
  const { spec, replay } = input;
  const writer = await openLetterWriter({ brokers: deps.kafkaBrokers, topic: spec.topic, replay }, signal);
  const transform = input.repair.transform === null ? null : new TransformThread(input.repair.transform);
  const endMs = performance.now() + input.leaseMs;
  let told = start;
  try {
    for (;;) {
      const pageMs = performance.now();
      const before = told;
      told = await replayPage(deps, { ...input, after: told.after }, { told, writer, transform, signal });
      getOn(told);
      if (told.done) return told;
      await untilDue(pageMs + ((told.sent - before.sent) * 1_000) / input.rate, signal);
      if (performance.now() >= endMs) return told;
    }
  } finally {
    await Promise.allSettled([writer.close(), transform?.close()]);
  }
}

/** Waits for the next page's time; asked to stop, the lease ends at once. */
async function untilDue(dueMs: number, signal: AbortSignal): Promise<void> {
  await wait(Math.max(0, dueMs - performance.now()), undefined, { signal }).catch(() => signal.throwIfAborted());
}

type Means = {
  readonly told: ReplayedLetters;
  readonly writer: LetterWriter;
  readonly transform: TransformThread | null;
  readonly signal: AbortSignal;
};

async function replayPage(
  { pool }: ReplayLettersDeps,
  { spec, replay, selection, after, throughId, repair, rate }: ReplayLettersInput,
  { told, writer, transform, signal }: Means,
): Promise<ReplayedLetters> {
  const limit = Math.max(1, Math.min(MOST_LETTERS_A_PAGE, Math.floor(rate / PAGES_A_SECOND)));
  const page = await readReplayPage(pool, spec.schema, { selection, replay, after, throughId, limit });
  if (page.length === 0) return { ...told, done: true };
  const repaired = await repairSome(page, { repair, transform, signal });
  const { written, refused, failure } = await writer.write(repaired.ready);
  await markSent(pool, spec.schema, { replay, ids: written });
  if (failure !== null) throw failure;
  const unsent = [...repaired.unrepaired, ...refused].reduce(withUnsent, told.unsent);
  const { lastId, leftOut } = repaired;
  return { after: lastId, sent: told.sent + written.length, leftOut: told.leftOut + leftOut, unsent, done: false };
}

/** Up to the letter `lastId`. */
type RepairedPage = {
  readonly ready: readonly ReadyLetter[];
  readonly unrepaired: readonly { readonly id: string; readonly why: string }[];
  readonly leftOut: number;
  readonly lastId: string;
};

async function repairSome(
  page: readonly LetterToReplay[],
  { repair, transform, signal }: Pick<Means, 'transform' | 'signal'> & { readonly repair: Repair },
): Promise<RepairedPage> {
  const startMs = performance.now();
  const ready: ReadyLetter[] = [];
  const unrepaired: { id: string; why: string }[] = [];
  let leftOut = 0;
  let lastId = '0';
  for (const letter of page) {
    signal.throwIfAborted();
    const repaired = await repairLetter(letter, { steps: repair.steps, transform });
    if (repaired.kind === 'ready') ready.push({ letter, value: repaired.value });
    else if (repaired.kind === 'unrepaired') unrepaired.push({ id: letter.id, why: repaired.why });
    else leftOut += 1;
    lastId = letter.id;
    if (performance.now() - startMs > REPAIRED_WITHIN_MS) break;
  }
  return { ready, unrepaired, leftOut, lastId };
}
