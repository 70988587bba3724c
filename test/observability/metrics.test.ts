// Metrics: everything declared is exposed, counters begin at 0, ages grow by themselves.
import { afterEach, describe, expect, test } from 'vitest';

import { METRICS } from '../../observability/metric-list.ts';
import { serveMetrics } from '../../observability/metrics-server.ts';
import type { MetricsServer } from '../../observability/metrics-server.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { REJECTION_REASONS } from '../../pipeline/rejection.ts';

const OF = { topic: 'orders', partition: 3 };
const BATCH = {
  ...OF,
  counts: { recorded: 90, duplicate: 5, late: 2, rejected: 4, skipped: 1 },
  rejectedByReason: { not_json: 3, bad_uuid: 1 },
  commitSeconds: 0.004,
  rows: 100,
  watermarkMs: 10_000,
};

function lines(page: string, name: string): string[] {
  return page.split('\n').filter((line) => line.startsWith(`${name}{`));
}

describe('metrics', () => {
  test('every declared metric is on the page with its help', async () => {
    const page = await openMetrics({ processMetrics: false }).page();
    for (const { name, help, kind } of METRICS) {
      expect(page).toContain(`# HELP ${name} ${help}`);
      expect(page).toContain(`# TYPE ${name} ${kind}`);
    }
    expect(page.match(/^# TYPE/gm)).toHaveLength(METRICS.length);
  });

  test('names say their unit: counters end in _total, and no two are alike', () => {
    for (const { name, kind } of METRICS) expect(name.endsWith('_total')).toBe(kind === 'counter');
    expect(new Set(METRICS.map(({ name }) => name)).size).toBe(METRICS.length);
  });

  test('counters of a partition are 0 as soon as its lease begins, one for every reason', async () => {
    const metrics = openMetrics({ processMetrics: false });
    metrics.ingest.leaseBegan(OF);
    const page = await metrics.page();
    expect(lines(page, 'weir_events_recorded_total')).toEqual([
      'weir_events_recorded_total{topic="orders",partition="3"} 0',
    ]);
    expect(lines(page, 'weir_events_rejected_total')).toHaveLength(REJECTION_REASONS.length);
    expect(lines(page, 'weir_fenced_total')).toEqual(['weir_fenced_total{topic="orders",partition="3"} 0']);
  });

  test('a committed batch is counted once, rejections by reason', async () => {
    const metrics = openMetrics({ processMetrics: false });
    metrics.ingest.batchCommitted(BATCH);
    metrics.ingest.batchCommitted({ ...BATCH, rejectedByReason: {} });
    const page = await metrics.page();
    expect(lines(page, 'weir_events_recorded_total')).toEqual([
      'weir_events_recorded_total{topic="orders",partition="3"} 180',
    ]);
    expect(lines(page, 'weir_events_rejected_total')).toEqual([
      'weir_events_rejected_total{topic="orders",partition="3",reason="not_json"} 3',
      'weir_events_rejected_total{topic="orders",partition="3",reason="bad_uuid"} 1',
    ]);
    expect(page).toContain('weir_commit_seconds_count{topic="orders",partition="3"} 2');
    expect(page).toContain('weir_batch_rows_sum{topic="orders",partition="3"} 200');
  });

  test('the watermark ages while nothing is committed, and is gone with the lease', async () => {
    let nowMs = 12_500;
    const metrics = openMetrics({ processMetrics: false, nowMs: () => nowMs });
    metrics.ingest.batchCommitted(BATCH);
    expect(lines(await metrics.page(), 'weir_watermark_age_seconds')).toEqual([
      'weir_watermark_age_seconds{topic="orders",partition="3"} 2.5',
    ]);
    nowMs += 60_000;
    expect(await metrics.page()).toContain('weir_watermark_age_seconds{topic="orders",partition="3"} 62.5');
    metrics.ingest.leaseEnded(OF);
    expect(lines(await metrics.page(), 'weir_watermark_age_seconds')).toEqual([]);
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
