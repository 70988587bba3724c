// How workflows count failures and say what went wrong.
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import { describe, expect, it } from 'vitest';

import { NO_FAILURES, addFailure, backoffMs, failureSentence, failureType } from '../../workflows/failure-series.ts';

const LIMITS = { backoffFirstMs: 1_000, backoffLongestMs: 10_000 };
const failed = (cause: Error): ActivityFailure =>
  new ActivityFailure('Activity task failed', 'consumePartition', '1', 'MAXIMUM_ATTEMPTS_REACHED', 'worker', cause);

describe('a series of failures', () => {
  it('waits twice as long after each failure, from one second to ten', () => {
    const waits = [1, 2, 3, 4, 5, 6, 1_000].map((count) => backoffMs({ ...NO_FAILURES, count }, LIMITS, 0));
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
  });

  it('does not send all partitions back at the same moment', () => {
    const waits = Array.from({ length: 12 }, () => backoffMs({ ...NO_FAILURES, count: 5 }, LIMITS));
    expect(new Set(waits).size).toBeGreaterThan(6);
    for (const waitMs of waits) expect(waitMs).toBeGreaterThanOrEqual(5_000);
  });

  it('remembers since when it lasts, and begins anew after a lease that had lasted 20 seconds', () => {
    const first = addFailure(NO_FAILURES, failed(new Error('a')), { lastedMs: 10 });
    const second = addFailure(first, failed(new Error('b')), { lastedMs: 19_999 });
    const third = addFailure(second, failed(new Error('c')), { lastedMs: 20_000 });
    expect(second).toEqual({ count: 2, sinceMs: first.sinceMs, message: 'b' });
    expect(third).toMatchObject({ count: 1, message: 'c' });
  });

  it('begins anew after a lease that was lost with its worker and had committed, and only then', () => {
    const lost = (recorded: number): ActivityFailure =>
      failed(new TimeoutFailure('activity timed out', { nextOffset: '7', counts: { recorded } }, 'HEARTBEAT'));
    const series = { count: 4, sinceMs: 1, message: 'a' };
    expect(addFailure(series, lost(7), { lastedMs: 11_000 }).count).toBe(1);
    expect(addFailure(series, lost(0), { lastedMs: 11_000 }).count).toBe(5);
  });

  it('begins anew after a lease that had committed before it failed, and only then', () => {
    const ended = (recorded: number): ActivityFailure =>
      failed(ApplicationFailure.create({ message: 'session ended', details: [{ counts: { recorded } }] }));
    const series = { count: 4, sinceMs: 1, message: 'a' };
    expect(addFailure(series, ended(7), { lastedMs: 5_000 })).toMatchObject({ count: 1, message: 'session ended' });
    expect(addFailure(series, ended(0), { lastedMs: 5_000 }).count).toBe(5);
  });

  it('says what the activity said, without the wrappers around it', () => {
    const lost = ApplicationFailure.create({ message: 'Offsets 0 to 29 are gone.', type: 'LostRange' });
    expect(failureSentence(failed(lost))).toBe('Offsets 0 to 29 are gone.');
    expect(failureType(failed(lost))).toBe('LostRange');
    expect(failureType(failed(new Error('something')))).toBeNull();
  });

  it('explains a silent worker and a slow activity in words, with what to do', () => {
    const silent = failed(new TimeoutFailure('activity timed out', undefined, 'HEARTBEAT'));
    const slow = failed(new TimeoutFailure('activity timed out', undefined, 'START_TO_CLOSE'));
    expect(failureSentence(silent)).toMatch(/gone silent.*weir worker/);
    expect(failureSentence(slow)).toMatch(/longer than it may.*weir doctor/);
  });
});
