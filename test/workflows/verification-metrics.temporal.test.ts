// The worker that watches event time shows what the newest verification found.
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { recordVerification } from '../../postgres/verifications.ts';
import { eventually } from '../support/eventually.ts';
import { inWorld, startWorker } from './pipeline-world.ts';
import type { TestWorker } from './pipeline-world.ts';

const servers = inject('servers');
const WRONG = { verification: { clean: false, differences: 3, checks: [] } };
let worker: TestWorker;

beforeAll(async () => {
  worker = await startWorker(servers);
});
afterAll(async () => {
  await worker.drain();
});

test('a verification recorded before is on the metrics page, with its time', { timeout: 120_000 }, async () => {
  await inWorld({ servers, taskQueues: worker.taskQueues }, async (world) => {
    const { pool, spec } = world;
    await recordVerification(pool, spec, { elapsedMs: 10, version: '1.2.3', outcome: WRONG });
    const { rows } = await pool.query<{ at: number }>(
      `select extract(epoch from finished_at)::float8 as at from ${spec.schema}.verifications`,
    );
    const before = await worker.metrics.page();
    expect(before).not.toContain(`weir_verification_clean{topic="${spec.topic}"}`);
    await world.start();
    const page = await eventually(
      async () => {
        const shown = await worker.metrics.page();
        return shown.includes(`weir_verification_clean{topic="${spec.topic}"} 0`) && shown;
      },
      { deadlineMs: 60_000, what: 'the metrics page shows the verification' },
    );
    const stamp = new RegExp(`^weir_verification_timestamp_seconds\\{topic="${spec.topic}"\\} (.+)$`, 'm').exec(page);
    expect(Number(stamp?.[1])).toBeCloseTo(rows[0]?.at ?? 0, 3);
  });
});
