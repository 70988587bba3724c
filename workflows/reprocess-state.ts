// Where a reprocess stands: the state that it answers with, and the words that people read about it.
import { defineQuery, defineUpdate } from '@temporalio/workflow';

import { PANE_MS } from '../pipeline/pane.ts';
import { NOTHING_REBUILT, isNothing, revisedRows } from '../pipeline/rebuild.ts';
import type { RebuildCounts } from '../pipeline/rebuild.ts';
import type { Span } from '../pipeline/window.ts';
import type { PutBack } from '../pipeline/put-back.ts';
import type { Failures } from './commands.ts';
import { grouped, isoTime, plural } from './details.ts';
import { NO_FAILURES } from './failure-series.ts';

/** What a reprocess does one after the other; `over` also when it was cancelled. */
export type ReprocessStep = 'reading' | 'planning' | 'amending' | 'rebuilding' | 'counting' | 'over';
export type ReprocessPhase = Exclude<ReprocessStep, 'over'> | 'backing-off' | 'paused' | 'done' | 'cancelled';

/** State of one `reprocess`; plain JSON, carried through continue-as-new, answered to the Query `state`, and its result. */
export type ReprocessState = {
  readonly phase: ReprocessPhase;
  readonly step: ReprocessStep;
  readonly topic: string;
  /** The range as it was given, epoch ms of event time; wider where what was read again lies outside. */
  readonly range: Span;
  readonly includeBeyondHorizon: boolean;
  /** What is gone over, from the first events or results on; null before the plan, and when nothing of the range is written. */
  readonly panes: Span | null;
  /** Everything before it is rebuilt. */
  readonly positionMs: number | null;
  /** Minutes of event time, done and in all. */
  readonly panesDone: number;
  readonly panesInAll: number;
  /** While it runs what the leases told; in the result counted anew, so that no crash makes it inexact. */
  readonly counts: RebuildCounts;
  /** Late events that this reprocess has taken into their windows. */
  readonly lateTakenIn: number;
  /** Messages that the partitions still read again, how many they were when it was first looked, and who has most of them. */
  readonly unread: number;
  readonly unreadAtFirst: number;
  readonly slowest: number | null;
  /** What reading the topic again found missing; null where it was not read again, or not to the end yet. */
  readonly putBack: PutBack | null;
  /** The newest amendment before the reprocess. */
  readonly afterAmendment: string;
  readonly pauseWanted: boolean;
  readonly cancelWanted: boolean;
  readonly startedMs: number;
  readonly failures: Failures;
  readonly message: string;
};

export const pauseReprocessUpdate = defineUpdate<ReprocessState>('pause');
export const resumeReprocessUpdate = defineUpdate<ReprocessState>('resume');
export const cancelReprocessUpdate = defineUpdate<ReprocessState>('cancel');
export const reprocessStateQuery = defineQuery<ReprocessState>('state');

type Begin = Pick<ReprocessState, 'topic' | 'range' | 'includeBeyondHorizon' | 'startedMs'>;

/** The state before the first step; `rereads`: it first waits for partitions that were rewound. */
export function firstReprocessState(begin: Begin, { rereads }: { rereads: boolean }): ReprocessState {
  const step = rereads ? 'reading' : 'planning';
  return {
    ...begin,
    phase: step,
    step,
    panes: null,
    positionMs: null,
    panesDone: 0,
    panesInAll: 0,
    counts: NOTHING_REBUILT,
    lateTakenIn: 0,
    unread: 0,
    unreadAtFirst: 0,
    slowest: null,
    putBack: null,
    afterAmendment: '0',
    pauseWanted: false,
    cancelWanted: false,
    failures: NO_FAILURES,
    message: '',
  };
}

/** Panes of `panes` before `positionMs`. */
export function panesBefore({ startMs, endMs }: Span, positionMs: number | null): number {
  return positionMs === null ? 0 : (Math.max(startMs, Math.min(endMs, positionMs)) - startMs) / PANE_MS;
}

/** What the phase means for the reader, and what to do about it. */
export function reprocessMessage(state: ReprocessState): string {
  const { phase, failures } = state;
  if (phase === 'done') return outcomeSentence(state);
  if (phase === 'cancelled') return `Cancelled; what was rebuilt stays. ${outcomeSentence(state)}`;
  const sentences: Record<Exclude<ReprocessPhase, 'done' | 'cancelled'>, string> = {
    reading: readingSentence(state),
    planning: 'Looks how far the range reaches in what is written.',
    amending: 'Takes late events into the windows they belong to.',
    rebuilding: 'Rebuilds panes and windows from the events; what differs becomes a next revision.',
    counting: 'Counts what was revised.',
    'backing-off': `${failures.message ?? 'A lease failed.'} It is tried again by itself.`,
    paused: 'Paused between two transactions; "weir reprocess resume" goes on from there.',
  };
  return sentences[phase];
}

function readingSentence({ unread, slowest }: ReprocessState): string {
  if (slowest === null) return 'The topic is read again until the partitions stand where they stood.';
  return `The topic is read again: ${plural(unread, 'message')} to go until the partitions stand where they stood, most of them in partition ${slowest}.`;
}

function outcomeSentence(state: ReprocessState): string {
  return [rereadSentence(state), rebuiltSentence(state)].filter((part) => part !== '').join(' ');
}

function rereadSentence({ putBack }: ReprocessState): string {
  if (putBack === null) return '';
  const { events, letters } = putBack;
  if (events === 0 && letters === 0) return 'The topic was read again, and nothing of it was missing.';
  return `The topic was read again: ${plural(events, 'event')} and ${plural(letters, 'dead letter')} were missing and are back.`;
}

function rebuiltSentence({ panes, counts, lateTakenIn, phase }: ReprocessState): string {
  if (phase === 'done' && panes === null) return 'Nothing of this range is written: there was nothing to rebuild.';
  const late = lateTakenIn === 0 ? '' : ` ${plural(lateTakenIn, 'late event')} taken in.`;
  if (isNothing(counts)) {
    return phase === 'done'
      ? `Nothing differed: every window of the range was right.${late}`
      : `Nothing had differed so far.${late}`;
  }
  const { changedRows, newRows, vanishedRows, windows, panes: facts, listings } = counts;
  const kinds = `${grouped(changedRows)} changed, ${grouped(newRows)} new, ${grouped(vanishedRows)} vanished`;
  const rows = `${plural(revisedRows(counts), 'row')} (${kinds}) of ${plural(windows, 'window')} revised`;
  const besides = [
    ...(facts > 0 ? [`facts of ${plural(facts, 'pane')} written anew`] : []),
    ...(listings > 0 ? [`${plural(listings, 'window')} listed anew`] : []),
  ];
  return `${[rows, ...besides].join(', ')}.${late}`;
}

/** The current details: short Markdown that a person reads in Temporal's Web UI. */
export function reprocessDetails(state: ReprocessState): string {
  const { topic, range, counts, failures } = state;
  const lines = [
    `**Reprocess of ${topic}, ${isoTime(range.startMs)} to ${isoTime(range.endMs)}: ${state.phase}**`,
    '',
    state.message,
    '',
    `- panes done: ${grouped(state.panesDone)} of ${grouped(state.panesInAll)}${state.positionMs === null ? '' : ` (up to ${isoTime(state.positionMs)})`}`,
    `- rows changed: ${grouped(counts.changedRows)}, new: ${grouped(counts.newRows)}, vanished: ${grouped(counts.vanishedRows)}`,
    `- windows revised: ${grouped(counts.windows)}`,
    `- late events taken in: ${grouped(state.lateTakenIn)}${state.includeBeyondHorizon ? ', those beyond the horizon included' : ''}`,
  ];
  if (failures.count > 0)
    lines.push('', `${plural(failures.count, 'failure')} in a row since ${isoTime(failures.sinceMs)}.`);
  return lines.join('\n');
}
