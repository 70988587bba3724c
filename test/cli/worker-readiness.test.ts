// What the workers of a home say of their readiness, as `weir status` shows it.
import { afterAll, describe, expect, test } from 'vitest';

import { recordMetricsAddress, recordProcess } from '../../cli/process-record.ts';
import { workersReadiness } from '../../cli/worker-readiness.ts';
import { HealthRecord } from '../../observability/health-record.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { serveMetrics } from '../../observability/metrics-server.ts';
import { temporaryHome } from '../local/temporary-home.ts';

const { path: home } = temporaryHome();
const health = new HealthRecord({ needs: ['kafka'] });
const page = await serveMetrics(openMetrics({ processMetrics: false }), '127.0.0.1:0', health);
afterAll(() => page.close());

describe.sequential('the workers of a home', () => {
  test('are none before one was started', async () => {
    expect(await workersReadiness(home)).toEqual([]);
  });
  test('are not ready before they answer', async () => {
    recordProcess(home, 'worker-1', process.pid);
    expect(await workersReadiness(home)).toMatchObject([{ name: 'worker-1', ready: false }]);
    recordMetricsAddress(home, 'worker-1', '127.0.0.1:1');
    const [worker] = await workersReadiness(home);
    expect(worker?.reasons).toEqual([expect.stringContaining('does not answer at 127.0.0.1:1/readyz')]);
  });
  test('give the reasons why they are not ready, and none when they are', async () => {
    recordMetricsAddress(home, 'worker-1', page.address);
    health.polls(() => true);
    health.checked('kafka', 'No Kafka broker answers: start it.');
    const [worker] = await workersReadiness(home);
    expect(worker).toMatchObject({ ready: false, reasons: [expect.stringContaining('No Kafka broker answers')] });
    health.checked('kafka', null);
    expect(await workersReadiness(home)).toEqual([{ name: 'worker-1', ready: true, reasons: [] }]);
  });
});
