// `weir late` on a real PostgreSQL: how late events were, and what became of each.
import { describe, expect, inject, test } from 'vitest';

import { amendWindows } from '../../postgres/amend-windows.ts';
import { countLateByDistance, readLateEvents } from '../../postgres/late-list.ts';
import { insertEvents, storedEvent } from '../support/events.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import { EMPTY_HOME, runWeir } from './run-weir.ts';

const CLOSED = '2026-11-01T11:00:00Z';
const { kafkaBrokers, postgresUrl, temporalAddress } = inject('servers');
const pipeline = await windowedPipeline();
const { pool, schema, spec } = pipeline;
const env = {
  WEIR_HOME: EMPTY_HOME,
  WEIR_KAFKA_BROKERS: kafkaBrokers.join(','),
  WEIR_POSTGRES_URL: postgresUrl,
  WEIR_TEMPORAL_ADDRESS: temporalAddress,
  WEIR_SCHEMA: schema,
};
const ALL = { state: null, sinceMs: null };

describe('late events', { timeout: 120_000 }, () => {
  test('are none where all came in time', async () => {
    expect((await runWeir(['late'], env)).stdout).toBe('No event came late.\n');
  });

  test('are told with their distance, and the windows that an amendment took them into', async () => {
    await insertEvents(pool, schema, {
      events: [storedEvent('2026-11-01T10:02:10Z'), storedEvent('2026-11-01T10:59:10Z')],
    });
    await closeThrough(pipeline, CLOSED);
    const purchase = { type: 'purchase', amount: '1.00', currency: 'EUR', user: 'u2' } as const;
    await insertEvents(pool, schema, {
      events: [storedEvent('2026-11-01T10:02:20Z'), storedEvent('2026-11-01T10:02:30Z', purchase)],
      late: { closedThrough: CLOSED },
    });
    await insertEvents(pool, schema, {
      events: [storedEvent('2026-10-30T10:02:20Z')],
      late: { closedThrough: CLOSED, beyondHorizon: true },
    });
    expect((await readLateEvents(pool, schema, { ...ALL, limit: 9 })).map(({ state }) => state).toSorted()).toEqual([
      'beyond-horizon',
      'waiting',
      'waiting',
    ]);
    await amendWindows(pool, spec);
    await insertEvents(pool, schema, {
      events: [storedEvent('2026-11-01T10:59:30Z')],
      late: { closedThrough: CLOSED },
    });
    const [waiting, beyond, bought, viewed] = await readLateEvents(pool, schema, { ...ALL, limit: 9 });
    expect(waiting).toMatchObject({ state: 'waiting', lateByMs: 30_000, appliedAtMs: null, takenInto: [] });
    expect(beyond).toMatchObject({ state: 'beyond-horizon', takenInto: [] });
    const slides = ['09:58', '09:59', '10:00', '10:01', '10:02'];
    const windows = (of: typeof bought): string[] =>
      (of?.takenInto ?? []).map(
        ({ aggregate, startMs, revision }) =>
          `${aggregate} ${new Date(startMs).toISOString().slice(11, 16)} ${revision}`,
      );
    expect(windows(bought)).toEqual([
      'event_counts 10:02 2',
      ...slides.map((start) => `user_activity ${start} 2`),
      'purchase_metrics 10:00 2',
      'session_metrics 10:00 2',
      'device_stats 10:00 2',
      'sessions 10:02 1',
      'funnel 10:00 2',
    ]);
    expect(windows(viewed)).toHaveLength(10);
    expect(windows(viewed).slice(-2)).toEqual(['sessions 10:02 2', 'funnel 10:00 2']);
    expect(viewed).toMatchObject({
      state: 'applied',
      lateByMs: 3_460_000,
      eventType: 'page_view',
      partition: 0,
      offset: '0',
    });
  });

  test('are counted by how late they came, and what became of them', async () => {
    const counts = await countLateByDistance(pool, schema, ALL);
    expect(
      counts.map(({ fromMs, waiting, applied, beyondHorizon }) => [fromMs / 60_000, waiting, applied, beyondHorizon]),
    ).toEqual([
      [0, 1, 0, 0],
      [1, 0, 0, 0],
      [10, 0, 2, 0],
      [60, 0, 0, 0],
      [360, 0, 0, 0],
      [1440, 0, 0, 1],
    ]);
    expect(
      await countLateByDistance(pool, schema, { state: 'applied', sinceMs: Date.now() + 60_000 }),
    ).not.toContainEqual(expect.objectContaining({ applied: 2 }));
  });

  test('are printed, all or of one kind', async () => {
    const { code, stdout } = await runWeir(['late'], env);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ 10m to 1h +0 +2 +0 *$/m);
    expect(stdout).toMatch(/2026-11-01T10:59:30.000Z +30s +page_view +0\/0 .* waits for the next amendment/);
    expect(stdout).toMatch(
      /10:02:30.000Z +57m30s +purchase .* applied .*: event_counts 10:02 \(revision 2\), user_activity 09:58 to 10:02 \(revision 2\), purchase_metrics 10:00 .*, sessions 10:02 \(revision 1\), funnel 10:00 \(revision 2\)/,
    );
    expect(stdout).toMatch(/beyond the amend horizon: in no result/);
    expect(stdout).toMatch(/\n4 late events\.\n$/);
    const left = await runWeir(['late', '--beyond-horizon', '--since', '1h', '--json'], env);
    expect(JSON.parse(left.stdout)).toMatchObject({
      events: [{ occurredAt: '2026-10-30T10:02:20.000Z', state: 'beyond-horizon', appliedAt: null, amended: [] }],
    });
    const both = await runWeir(['late', '--waiting', '--applied'], env);
    expect(both.code).toBe(2);
    expect(both.stderr).toMatch(/'--waiting' cannot be used with option '--applied'/);
  });

  test('whose windows were open when they were taken in amended none', async () => {
    const open = await windowedPipeline();
    await insertEvents(open.pool, open.schema, { events: [storedEvent('2026-11-01T10:02:10Z')] });
    await closeThrough(open, '2026-11-01T10:04:00Z');
    await insertEvents(open.pool, open.schema, {
      events: [storedEvent('2026-11-01T10:04:20Z')],
      late: { closedThrough: '2026-11-01T10:05:00Z' },
    });
    await closeThrough(open, CLOSED);
    const [event] = await readLateEvents(open.pool, open.schema, { ...ALL, limit: 1 });
    expect(event).toMatchObject({ state: 'applied', takenInto: [] });
  });
});
