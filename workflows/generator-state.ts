// Where a generator stands: which stretch of its schedule it is on, what Kafka has acknowledged, and where a new stretch may begin.
import { ActivityFailure, TimeoutFailure } from '@temporalio/workflow';

import type {
  GeneratorSpec,
  ProduceHeartbeat,
  ProduceResult,
  ProfileName,
  Segment,
  Stopped,
} from '../activities/produce-events.ts';
import type { Failures } from './commands.ts';
import { NO_FAILURES } from './failure-series.ts';

export type GeneratorPhase = 'starting' | 'running' | 'paused' | 'backing-off' | 'stopped' | 'finished';

/** State of one `generateEvents`; plain JSON, carried through continue-as-new and answered to the Query `state`. */
export type GeneratorState = {
  readonly phase: GeneratorPhase;
  readonly name: string;
  readonly topic: string;
  /** What decides every event; those below are absent in states of older builds. */
  readonly seed?: number;
  readonly profile?: ProfileName;
  /** When the first message is due, and from when on none is made any more (null: no such end). Epoch ms. */
  readonly startedMs?: number;
  readonly untilMs?: number | null;
  /** Nothing more falls due before `untilMs`. */
  readonly timeOver?: boolean;
  /** Where the last lease left the schedule, if it sent what was due by then. */
  readonly left?: Stopped | null;
  /** Messages a second that are wanted; `segment.rate` is what the running lease keeps. */
  readonly rate: number;
  readonly count: number | null;
  readonly segment: Segment;
  /** Everything before it is acknowledged by Kafka. */
  readonly nextIndex: number;
  /**
   * Messages before it may have been sent already. A new segment may not begin before it: the same index would be made
   * twice with two times, and both would count as events.
   */
  readonly mayReachIndex: number;
  /** The rest of the schedule is to be made anew, from the present moment and at the wanted rate. */
  readonly reschedule: boolean;
  readonly paused: boolean;
  readonly stopping: boolean;
  readonly lease: number;
  readonly failures: Failures;
  readonly message: string;
};

/** The state before the first lease. History starts at its start time, everything else now. */
export function initialGeneratorState(spec: GeneratorSpec, nowMs: number): GeneratorState {
  const startedMs = spec.startTimeMs ?? nowMs;
  const profile = profileOf(spec, startedMs);
  return {
    phase: 'starting',
    name: spec.name,
    topic: spec.topic,
    seed: spec.seed,
    profile: spec.profile ?? 'steady',
    startedMs,
    untilMs: spec.forMs === undefined ? null : startedMs + spec.forMs,
    rate: spec.rate,
    count: spec.count,
    segment: { fromIndex: 0, startMs: startedMs, rate: spec.rate, ...(profile ? { profile } : {}) },
    nextIndex: 0,
    mayReachIndex: 0,
    reschedule: false,
    paused: false,
    stopping: false,
    lease: 0,
    failures: NO_FAILURES,
    message: 'The first lease is about to begin.',
  };
}

/** The rates that profiles ask for at most, in multiples of the wanted one; a test holds them to generator/profile.ts. */
export const PEAKS: Readonly<Record<ProfileName, number>> = {
  steady: 1,
  daily: 2,
  burst: 20,
  ramp: 1,
  'quiet-night': 1,
};

/**
 * Begins the new segment that was asked for, if every message that may have been sent is acknowledged by now. It goes on
 * exactly where the last lease left the schedule; where nothing is known of that, at the present moment.
 */
export function rescheduled(state: GeneratorState, nowMs: number): GeneratorState {
  if (!state.reschedule || state.nextIndex < state.mayReachIndex) return state;
  const { nextIndex: fromIndex, rate, left } = state;
  const { profile } = state.segment;
  const segment = {
    fromIndex,
    startMs: left?.atMs ?? nowMs,
    rate,
    ...(profile ? { profile } : {}),
    ...(left ? { firstAfter: left.firstAfter } : {}),
  };
  return { ...state, segment, reschedule: false };
}

/** The state of a generator that goes on after a pause: what was left of the distance to the next message begins to pass now. */
export function resumed(state: GeneratorState, { nowMs, paced }: { nowMs: number; paced: boolean }): GeneratorState {
  const left = state.left ? { ...state.left, atMs: nowMs } : null;
  return { ...state, paused: false, reschedule: paced, left };
}

/** Index before which the next lease ends: before a new segment, exactly what may have been sent is made once more. */
export function leaseEnd(state: GeneratorState): number | null {
  return state.reschedule ? Math.min(state.mayReachIndex, state.count ?? Infinity) : state.count;
}

/** What a lease that returned has changed. */
export function afterLease(state: GeneratorState, result: ProduceResult): GeneratorState {
  const nextIndex = Math.max(state.nextIndex, result.nextIndex);
  const mayReachIndex = Math.max(state.mayReachIndex, result.nextIndex + result.unconfirmed);
  return {
    ...state,
    nextIndex,
    mayReachIndex,
    reschedule: state.reschedule || result.reason === 'behind-schedule',
    timeOver: result.reason === 'time-over',
    left: result.stopped ?? null,
  };
}

/** What a lease that failed has changed: its last heartbeat tells, or else the time that it may have worked. */
export function afterFailure(state: GeneratorState, failure: unknown, lastedMs: number): GeneratorState {
  const heard = lastHeartbeat(failure);
  const mayHaveSent = Math.ceil((state.segment.rate * PEAKS[state.profile ?? 'steady'] * lastedMs) / 1_000);
  return {
    ...state,
    left: null,
    nextIndex: Math.max(state.nextIndex, heard?.nextIndex ?? 0),
    mayReachIndex: Math.max(state.mayReachIndex, heard?.mayReachIndex ?? state.nextIndex + mayHaveSent),
  };
}

function profileOf({ profile, profileMs }: GeneratorSpec, beganMs: number): Segment['profile'] {
  if (profile === undefined || profile === 'steady') return null;
  return { name: profile, beganMs, lengthMs: profileMs ?? null };
}

function lastHeartbeat(failure: unknown): ProduceHeartbeat | null {
  const cause = failure instanceof ActivityFailure ? failure.cause : failure;
  if (!(cause instanceof TimeoutFailure)) return null;
  return isHeartbeat(cause.lastHeartbeatDetails) ? cause.lastHeartbeatDetails : null;
}

function isHeartbeat(details: unknown): details is ProduceHeartbeat {
  return typeof details === 'object' && details !== null && 'nextIndex' in details && 'mayReachIndex' in details;
}
