// Metrics: everything declared is exposed, counters begin at 0, ages grow by themselves.
import { afterEach, describe, expect, test } from 'vitest';

import { INGEST_METRICS } from '../../observability/ingest-metric-list.ts';
import { RETRY_CAUSES } from '../../observability/ingest-metrics.ts';
import type { LeaseStanding } from '../../observability/ingest-metrics.ts';
import type { MetricDeclaration } from '../../observability/metric-declaration.ts';
import { METRICS } from '../../observability/metric-list.ts';
import { serveMetrics } from '../../observability/metrics-server.ts';
import type { MetricsServer } from '../../observability/metrics-server.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { LETTER_METRICS, WINDOW_METRICS } from '../../observability/topic-metric-list.ts';
import { AGGREGATES } from '../../pipeline/aggregates.ts';
import { REJECTION_REASONS } from '../../pipeline/rejection.ts';

const OF = { topic: 'orders', partition: 3 };
const BATCH = {
  ...OF,
  counts: { recorded: 90, duplicate: 5, late: 2, rejected: 4, skipped: 1 },
  rejectedByReason: { not_json: 3, bad_uuid: 1 },
  rows: 100,
  bytes: 20_000,
  seconds: { fetch: 0.01, parse: 0.002, encode: 0.001, commit: 0.004, eventTimeToCommit: 0.2, produceToCommit: null },
};
const STANDING = { unread: 12, lagMs: 1_500, eventTimeLagMs: 4_000, watermarkMs: 10_000 };
const AT = 'topic="orders",partition="3"';

function lines(page: string, name: string): string[] {
  return page.split('\n').filter((line) => line.startsWith(`${name}{`));
}

/** What the page says of a metric of the partition; null when it says nothing. */
function value(page: string, name: string): number | null {
  const [line] = lines(page, name);
  return line === undefined ? null : Number(line.split(' ')[1]);
}

/** The counters and histograms among `metrics` that the page does not show at 0. */
function notAtZero(page: string, metrics: readonly MetricDeclaration[]): string[] {
  const counted = metrics.filter(({ kind }) => kind !== 'gauge');
  const shown = (name: string): string[] => [...lines(page, name), ...lines(page, `${name}_count`)];
  return counted
    .map(({ name }) => name)
    .filter((name) => shown(name).length === 0 || shown(name).some((line) => !line.endsWith(' 0')));
}

describe('metrics', () => {
  test('every declared metric is on the page with its help, and none besides', async () => {
    const page = await openMetrics({ processMetrics: false }).page();
    for (const { name, help, kind } of METRICS) {
      expect(page).toContain(`# HELP ${name} ${help}`);
      expect(page).toContain(`# TYPE ${name} ${kind}`);
    }
    expect(page.match(/^# TYPE/gm)).toHaveLength(METRICS.length);
  });

  test('counters and histograms of a partition are 0 as soon as its lease begins, one for every reason', async () => {
    const metrics = openMetrics({ processMetrics: false });
    metrics.ingest.leaseBegan(OF, () => null);
    const page = await metrics.page();
    expect(notAtZero(page, Object.values(INGEST_METRICS))).toEqual([]);
    expect(lines(page, 'weir_events_recorded_total')).toEqual([`weir_events_recorded_total{${AT}} 0`]);
    expect(lines(page, 'weir_events_rejected_total')).toHaveLength(REJECTION_REASONS.length);
    expect(lines(page, 'weir_batches_retried_total')).toHaveLength(RETRY_CAUSES.length);
  });

  test('what was counted stays when the partition comes back', async () => {
    const metrics = openMetrics({ processMetrics: false });
    metrics.ingest.leaseBegan(OF, () => null)();
    metrics.ingest.batchCommitted(BATCH);
    metrics.ingest.leaseBegan(OF, () => null);
    const page = await metrics.page();
    expect(value(page, 'weir_events_recorded_total')).toBe(90);
    expect(value(page, 'weir_commit_seconds_count')).toBe(1);
  });

  test('a committed batch is counted once, rejections by reason', async () => {
    const metrics = openMetrics({ processMetrics: false });
    metrics.ingest.batchCommitted(BATCH);
    metrics.ingest.batchCommitted({ ...BATCH, rejectedByReason: {} });
    const page = await metrics.page();
    expect(lines(page, 'weir_events_recorded_total')).toEqual([`weir_events_recorded_total{${AT}} 180`]);
    expect(lines(page, 'weir_events_rejected_total')).toEqual([
      `weir_events_rejected_total{${AT},reason="not_json"} 3`,
      `weir_events_rejected_total{${AT},reason="bad_uuid"} 1`,
    ]);
    expect(page).toContain(`weir_commit_seconds_count{${AT}} 2`);
    expect(page).toContain(`weir_batch_rows_sum{${AT}} 200`);
    expect(page).toContain(`weir_batch_bytes_sum{${AT}} 40000`);
    expect(page).toContain(`weir_event_time_to_commit_seconds_sum{${AT}} 0.4`);
    // A batch without records has no Kafka timestamp.
    expect(page).not.toContain('weir_produce_to_commit_seconds_count');
  });

  test('the watermark ages while nothing is committed, and is gone with the lease', async () => {
    let nowMs = 12_500;
    const metrics = openMetrics({ processMetrics: false, nowMs: () => nowMs });
    const ended = metrics.ingest.leaseBegan(OF, () => STANDING);
    expect(value(await metrics.page(), 'weir_watermark_age_seconds')).toBe(2.5);
    nowMs += 60_000;
    expect(value(await metrics.page(), 'weir_watermark_age_seconds')).toBe(62.5);
    ended();
    expect(value(await metrics.page(), 'weir_watermark_age_seconds')).toBeNull();
  });

  test('lag is what the lease says at that moment; what it does not know is not on the page', async () => {
    const metrics = openMetrics({ processMetrics: false });
    let standing: LeaseStanding | null = null;
    metrics.ingest.leaseBegan(OF, () => standing);
    expect(value(await metrics.page(), 'weir_lag_offsets')).toBeNull();
    standing = STANDING;
    const page = await metrics.page();
    expect(value(page, 'weir_lag_offsets')).toBe(12);
    expect(value(page, 'weir_lag_seconds')).toBe(1.5);
    expect(value(page, 'weir_event_time_lag_seconds')).toBe(4);
    standing = { ...STANDING, lagMs: null, eventTimeLagMs: null, watermarkMs: null };
    const unknown = await metrics.page();
    for (const name of ['weir_lag_seconds', 'weir_event_time_lag_seconds', 'weir_watermark_age_seconds']) {
      expect(value(unknown, name), name).toBeNull();
    }
  });

  test('a lease is held until the last of this worker has ended, then the worker says 0', async () => {
    const metrics = openMetrics({ processMetrics: false });
    const first = metrics.ingest.leaseBegan(OF, () => STANDING);
    const second = metrics.ingest.leaseBegan(OF, () => ({ ...STANDING, unread: 7 }));
    expect(value(await metrics.page(), 'weir_lag_offsets')).toBe(7);
    first();
    first();
    expect(value(await metrics.page(), 'weir_lease_held')).toBe(1);
    expect(value(await metrics.page(), 'weir_lag_offsets')).toBe(7);
    second();
    expect(value(await metrics.page(), 'weir_lease_held')).toBe(0);
    expect(value(await metrics.page(), 'weir_lag_offsets')).toBeNull();
  });

  test('everything of a topic is 0 as soon as somebody looks after its windows or letters', async () => {
    const metrics = openMetrics({ processMetrics: false });
    metrics.close.began('orders');
    metrics.letters.began('orders');
    const page = await metrics.page();
    expect(notAtZero(page, Object.values({ ...WINDOW_METRICS, ...LETTER_METRICS }))).toEqual([]);
    const aggregates = [...AGGREGATES.map(({ name }) => name), 'funnel', 'sessions'];
    for (const name of ['weir_windows_closed_total', 'weir_result_rows_written_total']) {
      expect(lines(page, name)).toEqual(
        aggregates.map((aggregate) => `${name}{topic="orders",aggregate="${aggregate}"} 0`),
      );
    }
  });

  test('the one that closes tells how far the results are behind, without having looked at the topic', async () => {
    const metrics = openMetrics({ processMetrics: false });
    metrics.close.overdue({ topic: 'orders', closedThroughMs: 180_000, overdueMs: 120_000 });
    const page = await metrics.page();
    expect(page).toContain('weir_window_overdue_seconds{topic="orders"} 120');
    expect(page).toContain('weir_closed_through_seconds{topic="orders"} 180');
    expect(lines(page, 'weir_low_watermark_seconds')).toEqual([]);
  });

  test('the disk is that of the folder; where there is none the page says nothing of it', async () => {
    const metrics = openMetrics({ processMetrics: false });
    expect(await metrics.page()).not.toMatch(/^weir_disk_/m);
    metrics.worker.showDisk('/nowhere/at/all');
    expect(await metrics.page()).not.toMatch(/^weir_disk_/m);
    metrics.worker.showDisk('.');
    const page = await metrics.page();
    const free = Number(/^weir_disk_free_bytes (\d+)$/m.exec(page)?.[1]);
    expect(free).toBeGreaterThan(0);
    expect(Number(/^weir_disk_size_bytes (\d+)$/m.exec(page)?.[1])).toBeGreaterThanOrEqual(free);
  });

  test('connections are told by state', async () => {
    const metrics = openMetrics({ processMetrics: false });
    expect(lines(await metrics.page(), 'weir_postgres_connections')).toEqual([]);
    metrics.worker.showPool({ totalCount: 7, idleCount: 3, waitingCount: 2 });
    expect(lines(await metrics.page(), 'weir_postgres_connections')).toEqual([
      'weir_postgres_connections{state="idle"} 3',
      'weir_postgres_connections{state="busy"} 4',
      'weir_postgres_connections{state="waiting"} 2',
    ]);
  });
});

describe('the metrics page', () => {
  const servers: MetricsServer[] = [];
  const open = async (address: string): Promise<MetricsServer> => {
    const server = await serveMetrics(openMetrics({ processMetrics: false }), address);
    servers.push(server);
    return server;
  };
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  test('is served at /metrics and nowhere else', async () => {
    const { address } = await open('127.0.0.1:0');
    const found = await fetch(`http://${address}/metrics`);
    expect(found.status).toBe(200);
    expect(found.headers.get('content-type')).toContain('text/plain');
    expect(await found.text()).toContain('# TYPE weir_events_recorded_total counter');
    expect((await fetch(`http://${address}/`)).status).toBe(404);
  });

  test('moves to a free port where the port is taken', async () => {
    const first = await open('127.0.0.1:0');
    const second = await open(first.address);
    expect(second.address).not.toBe(first.address);
    expect((await fetch(`http://${second.address}/metrics`)).status).toBe(200);
  });
});
