// Where a new segment of a generator's schedule may begin, after leases that returned and leases that died.
import { ActivityFailure, TimeoutFailure } from '@temporalio/common';
import { expect, test } from 'vitest';

import type { ProduceHeartbeat, ProduceResult } from '../../activities/produce-events.ts';
import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import {
  afterFailure,
  afterLease,
  initialGeneratorState,
  leaseEnd,
  rescheduled,
  resumed,
} from '../../workflows/generator-state.ts';

const start = initialGeneratorState(createGeneratorSpec({ topic: 't', rate: 100 }), 1_000);
const result: ProduceResult = { nextIndex: 500, unconfirmed: 0, sent: 500, reason: 'lease-over', trouble: null };
const heartbeat: ProduceHeartbeat = {
  nextIndex: 700,
  rate: 100,
  actualRate: 100,
  behindMs: 0,
  mayReachIndex: 2_700,
  trouble: null,
};
const died = (details: unknown) =>
  new ActivityFailure('', 'produceEvents', '1', 'TIMEOUT', '', new TimeoutFailure('', details, 'HEARTBEAT'));

test('a lease that was acknowledged whole lets a new segment begin where it ended', () => {
  const state = rescheduled({ ...afterLease(start, result), rate: 7, reschedule: true }, 9_000);
  expect(state).toMatchObject({ segment: { fromIndex: 500, startMs: 9_000, rate: 7 }, reschedule: false });
});

test('a new segment begins at the moment and the part of a distance at which the last lease left the schedule', () => {
  const left = afterLease(start, { ...result, stopped: { atMs: 5_000, firstAfter: 0.25 } });
  const goesOn = rescheduled({ ...left, rate: 7, reschedule: true }, 9_000);
  expect(goesOn.segment).toEqual({ fromIndex: 500, startMs: 5_000, rate: 7, firstAfter: 0.25 });
  const resumedLater = resumed({ ...left, paused: true }, { nowMs: 60_000, paced: true });
  expect(resumedLater).toMatchObject({ paused: false, reschedule: true });
  expect(rescheduled(resumedLater, 60_100).segment).toMatchObject({ startMs: 60_000, firstAfter: 0.25 });
  // History has one schedule for good, and what a lease that failed left behind is not known.
  expect(resumed({ ...left, paused: true }, { nowMs: 60_000, paced: false }).reschedule).toBe(false);
  const lost = rescheduled(
    { ...afterFailure(left, died({ ...heartbeat, mayReachIndex: 700 }), 1), reschedule: true },
    9_000,
  );
  expect(lost.segment).toEqual({ fromIndex: 700, startMs: 9_000, rate: 100 });
});

test('what may have been sent without an acknowledgement is made again before a new segment begins', () => {
  const unsure = { ...afterLease(start, { ...result, unconfirmed: 30 }), reschedule: true };
  expect(rescheduled(unsure, 9_000)).toBe(unsure);
  expect(leaseEnd(unsure)).toBe(530);
  const sure = afterLease(unsure, { ...result, nextIndex: 530, reason: 'end-reached' });
  expect(rescheduled(sure, 9_000).segment).toEqual({ fromIndex: 530, startMs: 9_000, rate: 100 });
});

test('a lease that died goes on from its last heartbeat, on the same segment', () => {
  const state = afterFailure(start, died(heartbeat), 60_000);
  expect(state).toMatchObject({ nextIndex: 700, mayReachIndex: 2_700, segment: start.segment });
  expect(leaseEnd(state)).toBe(null);
});

test('a lease that died in silence may have sent as much as its time allowed', () => {
  expect(afterFailure(start, died(undefined), 21_000)).toMatchObject({ nextIndex: 0, mayReachIndex: 2_100 });
  expect(afterFailure(start, new Error('x'), 21_000)).toMatchObject({ nextIndex: 0, mayReachIndex: 2_100 });
});

test('a lease that died in silence may have sent as much as the peak of its profile allows', () => {
  const burst = initialGeneratorState(createGeneratorSpec({ topic: 't', rate: 100, profile: 'burst' }), 1_000);
  expect(afterFailure(burst, died(undefined), 21_000)).toMatchObject({ nextIndex: 0, mayReachIndex: 42_000 });
});

test('a lease that began too far behind asks for a new segment', () => {
  expect(afterLease(start, { ...result, nextIndex: 0, reason: 'behind-schedule' }).reschedule).toBe(true);
});

test('history starts at its start time', () => {
  const spec = createGeneratorSpec({ topic: 't', startTimeMs: 3_000_000_000 });
  expect(initialGeneratorState(spec, 1).segment.startMs).toBe(3_000_000_000);
});
