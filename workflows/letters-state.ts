// What publishLetters says of itself: its state as JSON, and the same as people read it in the Web UI.
import { defineQuery } from '@temporalio/workflow';

import type { PublishLettersResult } from '../activities/publish-letters.ts';
import { deadLetterTopic } from '../pipeline/ids.ts';
import type { Failures } from './commands.ts';
import { grouped, isoTime, plural } from './details.ts';

export type LettersPhase = 'publishing' | 'backing-off' | 'paused' | 'stopped';

/** State of `publishLetters`. Counts are of the leases that have ended since the workflow was started. */
export type LettersState = {
  readonly phase: LettersPhase;
  readonly topic: string;
  readonly deadLetterTopic: string;
  readonly published: number;
  /** Letters that Kafka found too large for their topic. */
  readonly refused: number;
  readonly failures: Failures;
  readonly message: string;
};

export const lettersStateQuery = defineQuery<LettersState>('state');

/** What of a state is carried from run to run. */
export type LettersCounts = Pick<PublishLettersResult, 'published' | 'refused'>;

/** What a phase means for the reader, and what to do about it. */
export function lettersMessage(
  phase: LettersPhase,
  of: { readonly topic: string; readonly everyMs: number; readonly failure: string | null },
): string {
  const target = deadLetterTopic(of.topic);
  const sentences: Record<LettersPhase, string> = {
    publishing: `Dead letters are copied to topic ${target} as they come; a look every ${of.everyMs / 1000} s.`,
    'backing-off': `${of.failure ?? 'A lease failed.'} It is tried again by itself.`,
    paused: 'Paused with its pipeline; "weir pipeline resume" goes on. Letters wait in PostgreSQL.',
    stopped: 'Stopped with its pipeline; letters wait in PostgreSQL.',
  };
  return sentences[phase];
}

export function lettersDetails(state: LettersState): string {
  const { count, sinceMs } = state.failures;
  const lines = [`**Dead letters of ${state.topic}: ${state.phase}**`, '', state.message];
  lines.push('', `${plural(state.published, 'letter')} published by the leases that have ended.`);
  if (state.refused > 0) {
    lines.push(
      `Kafka refused ${grouped(state.refused)} for their size: "weir dead-letters show" says so of each; a larger max.message.bytes of topic ${state.deadLetterTopic} helps those to come.`,
    );
  }
  if (count > 0) lines.push('', `${plural(count, 'failure')} in a row since ${isoTime(sinceMs)}.`);
  return lines.join('\n');
}
