// A replay as people and programs read it.
import { lettersDone } from '../workflows/replay-state.ts';
import type { ReplayState } from '../workflows/replay-state.ts';
import { progressBar } from './progress-line.ts';

/** One line while it goes on. */
export function progressOf(state: ReplayState): string {
  const { phase, failures, message, letters, sent, undecided } = state;
  if (failures.count > 0) return message;
  if (phase === 'sending') return `${progressBar('Sending', lettersDone(state), letters)} letters`;
  if (phase === 'waiting' && sent > 0) return `${progressBar('Outcomes', sent - undecided, sent)} letters. ${message}`;
  return message;
}

/** The outcome for programs. */
export const outcomeJson = ({
  replay,
  phase,
  topic,
  letters,
  sent,
  leftOut,
  unsent,
  outcomes,
  message,
}: ReplayState) => ({
  id: replay,
  outcome: phase,
  topic,
  letters,
  sent,
  recovered: outcomes?.recovered ?? 0,
  refusedAgain: outcomes?.replaced ?? 0,
  parked: outcomes?.parked ?? 0,
  undecided: outcomes?.undecided ?? 0,
  leftOut,
  notSent: unsent.letters,
  notSentExamples: unsent.examples,
  message,
});
