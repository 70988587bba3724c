// Where a replay stands: the state that it answers with, and the words that people read about it.
import { defineQuery, defineUpdate } from '@temporalio/workflow';

import { NOTHING_UNSENT } from '../pipeline/replay.ts';
import type { ReplayOutcomes, Unsent } from '../pipeline/replay.ts';
import type { EndOffsets, Failures } from './commands.ts';
import { grouped, isoTime, plural } from './details.ts';
import { NO_FAILURES } from './failure-series.ts';

/** What a replay does one after the other; `over` also when it was cancelled. */
export type ReplayStep = 'sending' | 'waiting' | 'counting' | 'over';
export type ReplayPhase = Exclude<ReplayStep, 'over'> | 'backing-off' | 'paused' | 'done' | 'cancelled';

/** State of one `replayDeadLetters`; plain JSON, carried through continue-as-new, answered to the Query `state`, and its result. */
export type ReplayState = {
  readonly phase: ReplayPhase;
  readonly step: ReplayStep;
  readonly topic: string;
  readonly replay: string;
  /** Which letters are meant and what is changed in them, in words; "" for all, and for nothing. */
  readonly meant: string;
  readonly repair: string;
  readonly letters: number;
  /** The last letter that was dealt with; "0" at first. */
  readonly after: string;
  /** Letters a second, at most. */
  readonly rate: number;
  /** While it runs what the leases told; in the result counted in the table. */
  readonly sent: number;
  /** Letters that the transform left out, and those that could not be repaired or sent. They stay as they are. */
  readonly leftOut: number;
  readonly unsent: Unsent;
  /** What became of those sent; null until they are counted. */
  readonly outcomes: ReplayOutcomes | null;
  /** While it waits: letters without an outcome, and messages that the pipeline has to read for them. */
  readonly undecided: number;
  readonly unread: number;
  /** Where the topic ended behind the last letter. */
  readonly ends: EndOffsets | null;
  /** Since when nothing has moved while it waits, epoch ms. */
  readonly quietSinceMs: number | null;
  readonly pauseWanted: boolean;
  readonly cancelWanted: boolean;
  readonly startedMs: number;
  readonly failures: Failures;
  readonly message: string;
};

export const pauseReplayUpdate = defineUpdate<ReplayState>('pause');
export const resumeReplayUpdate = defineUpdate<ReplayState>('resume');
export const cancelReplayUpdate = defineUpdate<ReplayState>('cancel');
/** Letters a second: a whole number from 1 to 100,000. */
export const setReplayRateUpdate = defineUpdate<ReplayState, [number]>('setRate');
export const replayStateQuery = defineQuery<ReplayState>('state');

type Begin = Pick<ReplayState, 'topic' | 'replay' | 'meant' | 'repair' | 'letters' | 'rate' | 'startedMs'>;

export function firstReplayState(begin: Begin): ReplayState {
  return {
    ...begin,
    phase: 'sending',
    step: 'sending',
    after: '0',
    sent: 0,
    leftOut: 0,
    unsent: NOTHING_UNSENT,
    outcomes: null,
    undecided: 0,
    unread: 0,
    ends: null,
    quietSinceMs: null,
    pauseWanted: false,
    cancelWanted: false,
    failures: NO_FAILURES,
    message: '',
  };
}

/** What the phase means for the reader, and what to do about it. */
export function replayMessage(state: ReplayState): string {
  const { phase, failures, rate, undecided, unread, replay } = state;
  if (phase === 'done') return outcomeSentence(state);
  if (phase === 'cancelled') return `Cancelled; what was sent stays sent. ${outcomeSentence(state)}`;
  const unreadText = unread === 0 ? '' : `, ${plural(unread, 'message')} to read`;
  const sentences: Record<Exclude<ReplayPhase, 'done' | 'cancelled'>, string> = {
    sending: `Sends letters through the topic again, at most ${grouped(rate)} a second.`,
    waiting: `Waits for the pipeline to say what became of ${plural(undecided, 'letter')}${unreadText}.`,
    counting: 'Counts what became of the letters.',
    'backing-off': `${failures.message ?? 'A lease failed.'} It is tried again by itself.`,
    paused: `Paused between two pages; "weir dead-letters replays resume ${replay}" goes on from there.`,
  };
  return sentences[phase];
}

function outcomeSentence({ outcomes, leftOut, unsent }: ReplayState): string {
  const { sent, recovered, replaced, parked, undecided } = outcomes ?? NO_OUTCOMES;
  const parts = [
    `${grouped(recovered)} recovered`,
    ...(replaced > 0 ? [`${grouped(replaced)} refused again${parked > 0 ? ` (${grouped(parked)} parked)` : ''}`] : []),
    ...(undecided > 0 ? [`${grouped(undecided)} not read by the pipeline yet`] : []),
  ];
  const rest = [
    ...(unsent.letters > 0 ? [`${plural(unsent.letters, 'letter')} could not be repaired or sent.`] : []),
    ...(leftOut > 0 ? [`${plural(leftOut, 'letter')} left out by the transform.`] : []),
  ];
  const ofSent = sent === 0 ? 'No letter was sent.' : `${plural(sent, 'letter')} sent: ${parts.join(', ')}.`;
  return [ofSent, ...rest].join(' ');
}

const NO_OUTCOMES: ReplayOutcomes = { sent: 0, recovered: 0, replaced: 0, parked: 0, undecided: 0 };

/** Letters dealt with so far. */
export function lettersDone({ sent, leftOut, unsent }: ReplayState): number {
  return sent + leftOut + unsent.letters;
}

/** The current details: short Markdown that a person reads in Temporal's Web UI. */
export function replayDetails(state: ReplayState): string {
  const { topic, meant, repair, sent, leftOut, unsent, outcomes, failures } = state;
  const lines = [
    `**Replay of dead letters of ${topic}: ${state.phase}**`,
    '',
    state.message,
    '',
    `- letters: ${meant === '' ? 'all' : meant}`,
    ...(repair === '' ? [] : [`- repair: ${repair}`]),
    `- done: ${grouped(lettersDone(state))} of ${grouped(state.letters)}${state.after === '0' ? '' : ` (up to letter ${state.after})`}`,
    `- sent: ${grouped(sent)}, left out: ${grouped(leftOut)}, not repaired or sent: ${grouped(unsent.letters)}`,
  ];
  if (outcomes) {
    const { recovered, replaced, parked, undecided } = outcomes;
    lines.push(
      `- recovered: ${grouped(recovered)}, refused again: ${grouped(replaced)} (parked: ${grouped(parked)}), undecided: ${grouped(undecided)}`,
    );
  }
  if (unsent.examples.length > 0) lines.push('', '| letter | not sent because |', '| ---: | --- |');
  for (const { id, why } of unsent.examples) lines.push(`| ${id} | ${why.replaceAll('|', '\\|')} |`);
  if (failures.count > 0)
    lines.push('', `${plural(failures.count, 'failure')} in a row since ${isoTime(failures.sinceMs)}.`);
  return lines.join('\n');
}
