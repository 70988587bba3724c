// The activity amendLate where thousands of events came late: small transactions, and a prompt end.
import { CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { expect, test } from 'vitest';

import { createAmendLate } from '../../activities/amend-late.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { amendWindows } from '../../postgres/amend-windows.ts';
import { lateEventsWaiting } from '../../postgres/late-events.ts';
import { eventually } from '../support/eventually.ts';
import { insertEvents, storedEvent } from '../support/events.ts';
import type { StoredEvent } from '../support/events.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

const START_MS = Date.parse('2026-11-01T09:00:00Z');
const CLOSED = '2026-11-01T10:00:00Z';

/** As many minutes are closed with one event each; then so many late events come for each of them. */
async function lateEverywhere({ minutes, late }: { minutes: number; late: number }): Promise<WindowedPipeline> {
  const p = await windowedPipeline();
  const eventsOf = (perMinute: number, after: number): StoredEvent[] =>
    Array.from({ length: minutes * perMinute }, (_, index) => {
      const at = START_MS + (index % minutes) * 60_000 + after + Math.floor(index / minutes) * 10;
      const user = `u${index % 97}`;
      return storedEvent(new Date(at).toISOString(), { user, session: `s-${user}` });
    });
  await insertEvents(p.pool, p.schema, { events: eventsOf(1, 0) });
  await closeThrough(p, CLOSED);
  await insertEvents(p.pool, p.schema, { events: eventsOf(late, 1_000), late: { closedThrough: CLOSED } });
  return p;
}

const environment = (): MockActivityEnvironment =>
  new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });

test('late events decide how large a transaction is: no more of them than its share and the panes of one long window bring', async () => {
  const p = await lateEverywhere({ minutes: 24, late: 40 });
  const panes: number[] = [];
  await amendWindows(p.pool, p.spec, {
    eventsPerTransaction: 90,
    eventsTogether: 230,
    onPanes: (amended) => panes.push(amended.panes - panes.reduce((sum, each) => sum + each, 0)),
  });
  // 230 events reach into a sixth minute; then comes what is left of those ten minutes.
  expect(panes).toEqual([6, 4, 6, 4, 4]);
  expect(await lateEventsWaiting(p.pool, p.spec)).toBe(0);
});

test('panes that get late events again and again are gone over once, so that a call ends', async () => {
  const p = await lateEverywhere({ minutes: 3, late: 10 });
  let calls = 0;
  const again: Promise<void>[] = [];
  const amended = await amendWindows(p.pool, p.spec, {
    panesPerTransaction: 1,
    onPanes: () => {
      calls += 1;
      const events = [storedEvent(new Date(START_MS + 30_000 + calls).toISOString())];
      again.push(insertEvents(p.pool, p.schema, { events, late: { closedThrough: CLOSED } }));
    },
  });
  await Promise.all(again);
  expect({ calls, panes: amended.panes }).toEqual({ calls: 3, panes: 3 });
  expect(await lateEventsWaiting(p.pool, p.spec)).toBe(3);
});

test('asked to stop amid thousands of late events it ends between two transactions, and what it did stands', async () => {
  const p = await lateEverywhere({ minutes: 60, late: 250 });
  const surroundings = environment();
  let askedMs = Infinity;
  surroundings.on('heartbeat', (done: { panes: number }) => {
    if (done.panes === 0 || Number.isFinite(askedMs)) return;
    askedMs = performance.now();
    surroundings.cancel('WORKER_SHUTDOWN');
  });
  const metrics = openMetrics({ processMetrics: false }).close;
  const amending = surroundings.run(createAmendLate({ pool: p.pool, metrics }), { spec: p.spec });
  await expect(amending).rejects.toThrow(CancelledFailure);
  expect(performance.now() - askedMs).toBeLessThan(3_000);
  const waiting = await lateEventsWaiting(p.pool, p.spec);
  expect(waiting).toBeGreaterThan(10_000);
  expect(waiting).toBeLessThan(15_000);
});

test('asked to stop in a transaction that does not end, it leaves it alone after five seconds', async () => {
  const p = await lateEverywhere({ minutes: 2, late: 5 });
  const holder = await p.pool.connect();
  await holder.query('begin');
  await holder.query(`lock table "${p.schema}".amendments in access exclusive mode`);
  const surroundings = environment();
  const metrics = openMetrics({ processMetrics: false }).close;
  const amending = surroundings.run(createAmendLate({ pool: p.pool, metrics }), { spec: p.spec });
  amending.catch(() => {});
  const waits = async (): Promise<boolean> =>
    (
      await p.pool.query(`select from pg_locks where relation = $1::regclass and not granted`, [
        `${p.schema}.amendments`,
      ])
    ).rowCount === 1;
  await eventually(waits, { deadlineMs: 20_000, what: 'the transaction waits for a table' });
  surroundings.cancel('WORKER_SHUTDOWN');
  await expect(amending).rejects.toThrow(CancelledFailure);
  await holder.query('rollback');
  holder.release();
});
