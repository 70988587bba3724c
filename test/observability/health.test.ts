// What the reports of a worker add up to: alive, ready, and why not.
import { describe, expect, test } from 'vitest';

import { STALE_AFTER_MS, STUCK_AFTER_MS, addCheck, isAlive, isReady, waits } from '../../observability/health.ts';
import type { HealthReport, LoopReport, ServerCheck } from '../../observability/health.ts';
import { HealthRecord } from '../../observability/health-record.ts';

const NOW_MS = 1_000_000;
const well = (sinceMs = 0): ServerCheck => ({
  trouble: null,
  checkedMs: NOW_MS - 500,
  sinceMs,
  since: '2026-11-23T00:00:00.000Z',
});
const ill: ServerCheck = { ...well(), trouble: 'PostgreSQL at db does not answer (refused): start it.' };
const lease = (of: Partial<LoopReport>): LoopReport => ({
  name: 'The lease',
  turnedMs: NOW_MS,
  waitingFor: null,
  ...of,
});
const stuck = lease({ turnedMs: NOW_MS - STUCK_AFTER_MS - 1 });
const report = (of: Partial<HealthReport> = {}): HealthReport => ({
  phase: 'polling',
  waitingFor: null,
  loops: [lease({})],
  servers: { temporal: well(), postgres: well(), kafka: well() },
  ...of,
});

describe('a worker is alive', () => {
  const holds = (of: Partial<HealthReport>): boolean => isAlive(report(of), NOW_MS).holds;

  test('while its loops turn', () => expect(holds({})).toBe(true));
  test('but not with a loop that made no turn for too long although all servers answer', () => {
    const { holds: alive, reasons } = isAlive(report({ loops: [lease({}), stuck] }), NOW_MS);
    expect(alive).toBe(false);
    expect(reasons).toEqual(['The lease has made no turn for 90 s although all servers answer: restart the process.']);
  });
  test('with a loop that waits for a server and says so', () => {
    expect(holds({ loops: [{ ...stuck, waitingFor: 'No broker answers.' }] })).toBe(true);
  });
  test('with a loop that stands still while any server does not answer', () => {
    expect(holds({ loops: [stuck], servers: { temporal: well(), postgres: ill } })).toBe(true);
  });
  test('with a loop that stood still as long as a server was away, and has its time from then on', () => {
    const back = NOW_MS - STUCK_AFTER_MS + 1_000;
    expect(holds({ loops: [stuck], servers: { temporal: well(), postgres: well(back) } })).toBe(true);
    expect(holds({ loops: [stuck], servers: { temporal: well(), postgres: well(back - 2_000) } })).toBe(false);
  });
  test('when nobody knows whether its servers answer: not asked yet, or asked too long ago', () => {
    expect(holds({ loops: [stuck], servers: { postgres: null } })).toBe(true);
    const old = { ...well(), checkedMs: NOW_MS - STALE_AFTER_MS - 1 };
    expect(holds({ loops: [stuck], servers: { postgres: old } })).toBe(true);
  });
  test('while it drains, whatever its loops do', () => expect(holds({ phase: 'draining', loops: [stuck] })).toBe(true));
  test('but not when its run loop has ended unasked', () => {
    expect(isAlive(report({ phase: 'ended' }), NOW_MS).reasons).toEqual([
      'The run loop of the worker has ended although nobody asked it to: restart the process.',
    ]);
  });
});

describe('a worker is ready', () => {
  const reasons = (of: Partial<HealthReport>): readonly string[] => isReady(report(of), NOW_MS).reasons;

  test('when it polls and every server that it needs answers', () => {
    expect(isReady(report(), NOW_MS)).toEqual({ holds: true, reasons: [] });
  });
  test('without a server that its roles do not need', () => {
    expect(reasons({ servers: { temporal: well(), kafka: well() } })).toEqual([]);
  });
  test('but not while a server is in trouble: which, since when, what to do', () => {
    expect(reasons({ servers: { postgres: ill } })).toEqual([
      'PostgreSQL at db does not answer (refused): start it. So it is since 2026-11-23T00:00:00.000Z.',
    ]);
  });
  test('but not on the word of an old check, or of none', () => {
    expect(reasons({ servers: { kafka: { ...well(), checkedMs: NOW_MS - STALE_AFTER_MS - 1 } } })[0]).toContain(
      'Kafka was asked 10 s ago',
    );
    expect(reasons({ servers: { kafka: null } })).toEqual(['Kafka was not asked yet: wait a few seconds.']);
  });
  test.each(['starting', 'connecting', 'draining', 'ended'] as const)('but not while it is %s', (phase) => {
    expect(reasons({ phase })).toHaveLength(1);
  });
  test('and says what it waits for while it connects', () => {
    expect(reasons({ phase: 'connecting', waitingFor: 'Temporal at t does not answer.' })).toEqual([
      'Temporal at t does not answer.',
    ]);
  });
});

describe('a check', () => {
  const at = (before: ServerCheck | null, nowMs: number, trouble: string | null): ServerCheck =>
    addCheck(before, { trouble, nowMs, now: new Date(nowMs) });

  test('that finds the same goes on, one that finds another begins anew', () => {
    const first = at(null, 1_000, null);
    const second = at(first, 3_000, null);
    expect(second).toMatchObject({ sinceMs: 1_000, checkedMs: 3_000, since: new Date(1_000).toISOString() });
    const third = at(second, 5_000, 'gone');
    expect(third).toMatchObject({ sinceMs: 5_000, trouble: 'gone' });
    expect(at(third, 7_000, 'still gone')).toMatchObject({ sinceMs: 5_000, trouble: 'still gone' });
  });
  test('after a long silence begins a new time of being well, and goes on with the old trouble', () => {
    const later = 1_000 + STALE_AFTER_MS + 1;
    expect(at(at(null, 1_000, null), later, null).sinceMs).toBe(later);
    expect(at(at(null, 1_000, 'gone'), later, 'gone').sinceMs).toBe(1_000);
  });
});

test('loops that wait for the same are told once', () => {
  const waiting = lease({ waitingFor: 'No broker answers.' });
  expect(waits(report({ loops: [waiting, waiting, lease({})] }))).toEqual(['No broker answers.']);
});

describe('the record of a worker', () => {
  const clock = { nowMs: () => NOW_MS, now: () => new Date(NOW_MS) };
  const open = (): HealthRecord => new HealthRecord({ needs: ['kafka'], clock });

  test('is ready once it polls and has asked its servers', () => {
    const health = open();
    expect(health.readiness().status).toBe(503);
    health.polls(() => true);
    expect(health.readiness().body).toMatchObject({ status: 'not ready', reasons: [expect.stringContaining('Kafka')] });
    health.checked('kafka', null);
    expect(health.readiness()).toMatchObject({ status: 200, body: { status: 'ready' } });
    expect(health.figures()).toEqual({ ready: true, servers: new Map([['kafka', true]]) });
  });
  test('is not ready when a poller has stopped', () => {
    const health = open();
    health.checked('kafka', null);
    health.polls(() => false);
    expect(health.readiness().body).toMatchObject({ status: 'not ready', phase: 'connecting' });
  });
  test('tells trouble once, and once that it is over', () => {
    const health = open();
    expect(health.checked('kafka', null)).toBeNull();
    expect(health.checked('kafka', 'gone')).toEqual({ trouble: 'gone' });
    expect(health.checked('kafka', 'gone')).toBeNull();
    expect(health.checked('kafka', null)).toEqual({ wellAfterMs: 0 });
  });
  test('holds a lease that is watched to its turns, and not after it has ended', () => {
    const health = open();
    const later = new HealthRecord({ needs: [], clock: { ...clock, nowMs: () => NOW_MS + 2 * STUCK_AFTER_MS } });
    later.polls(() => true);
    const unwatch = later.watch(() => lease({}));
    expect(later.liveness()).toMatchObject({ status: 503, body: { status: 'stuck' } });
    unwatch();
    expect(later.liveness()).toMatchObject({ status: 200, body: { status: 'ok', loops: 1 } });
    expect(health.liveness().status).toBe(200);
  });
  test('stays draining once it was asked to end, and its end is no trouble', () => {
    const health = open();
    health.checked('kafka', null);
    health.entered('draining');
    health.connects('Temporal is away.');
    health.entered('ended');
    expect(health.liveness()).toMatchObject({ status: 200, body: { phase: 'draining' } });
    expect(health.readiness().body).toMatchObject({ reasons: [expect.stringContaining('drains')] });
  });
});
