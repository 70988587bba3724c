// A roll-out of version 2 of the event schemas: what an older build cannot read yet waits as dead letters, and becomes events after it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { bundleWorkflowCode } from '@temporalio/worker';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import { must } from '../../pipeline/ensure.ts';
import { replayId } from '../../pipeline/ids.ts';
import { selectLetters } from '../../pipeline/letter-selection.ts';
import { planReplay } from '../../postgres/replayed-letters.ts';
import { workflowsPath } from '../../workers/workflow-bundle.ts';
import type { replayDeadLetters } from '../../workflows/replay-dead-letters.ts';
import type { ReplayState } from '../../workflows/replay-state.ts';
import { eventually } from '../support/eventually.ts';
import { SILENT } from '../workflows/older-build.ts';
import { eventAt, freshTaskQueues, inWorld, startWorker } from '../workflows/pipeline-world.ts';
import type { PipelineWorld } from '../workflows/pipeline-world.ts';

const OLDER = fileURLToPath(new URL('./older-worker-program.ts', import.meta.url));
const POLLS_WITHIN_MS = 120_000;
const AT = '2026-11-01T10:00:00.000Z';
const servers = inject('servers');
const folder = mkdtempSync(join(tmpdir(), 'schema-rollout-'));
/** The workflows of both builds: they are the same. */
const codePath = join(folder, 'workflows.js');

beforeAll(async () => {
  writeFileSync(codePath, (await bundleWorkflowCode({ workflowsPath: workflowsPath(), logger: SILENT })).code);
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true }));

/** Runs `work` while a worker process of the older build polls; drains it, or ends it at once when the work fails. */
async function withOlderWorker(
  { taskQueues }: PipelineWorld,
  bundlePath: string,
  work: () => Promise<void>,
): Promise<void> {
  const child = spawn(process.execPath, ['--import', 'tsx', OLDER], {
    env: { ...process.env, PLACE: JSON.stringify({ servers, taskQueues, bundlePath }) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  try {
    let log = '';
    child.stdout.on('data', (data: Buffer) => {
      log += data.toString();
    });
    await eventually(() => log.includes('The worker polls'), {
      deadlineMs: POLLS_WITHIN_MS,
      what: 'the older worker polls',
    });
    await work();
    child.kill('SIGTERM');
    await ended;
  } finally {
    child.kill('SIGKILL');
  }
}

const ORDER = {
  event_type: 'purchase',
  order_id: 'o1',
  items: ['i1'],
  quantities: [1],
  total_amount: 9.99,
  currency: 'EUR',
  payment_method: 'paypal',
  page: undefined,
  referrer: undefined,
  duration_seconds: undefined,
};
const orders = (count: number, changes: Record<string, unknown> = {}): Record<string, unknown>[] =>
  Array.from({ length: count }, () => eventAt(AT, { ...ORDER, ...changes }));
const newerOrders = (count: number) =>
  orders(count, { schema_version: 2, payment_method: 'google_pay', coupon_code: 'SAVE10' });

/** What `weir dead-letters replay --reason unsupported_version` starts, to its end. */
async function replayAll({ client, pool, spec, taskQueues, options }: PipelineWorld): Promise<ReplayState> {
  const selection = selectLetters({ reason: ['unsupported_version'], status: ['open'] }, 0);
  const plan = await planReplay(pool, spec.schema, { selection, limit: null });
  const repair = { steps: [], transform: null };
  return await client.workflow.execute<typeof replayDeadLetters>('replayDeadLetters', {
    workflowId: replayId(spec.topic),
    taskQueue: taskQueues.windows,
    args: [{ spec, replay: spec.topic, selection, plan, repair, rate: 1_000, options }],
  });
}

const verify = async ({ spec }: PipelineWorld) =>
  await verifyPipeline({ brokers: servers.kafkaBrokers, postgresUrl: servers.postgresUrl, spec });

test('messages of version 2 are letters under the older build, and events with all fields after the upgrade', async () => {
  const taskQueues = freshTaskQueues();
  await inWorld({ servers, taskQueues, partitions: 2, options: { leaseMs: 3_000 } }, async (world) => {
    const { pool, spec } = world;
    const newer = newerOrders(10);
    await withOlderWorker(world, codePath, async () => {
      await world.start();
      await world.send([...orders(16), ...newer, eventAt(AT)]);
      await world.untilIngested(27);
      expect(await world.count('events')).toBe(17);
      const { rows: letters } = await pool.query(
        `select reason, field, detail, count(*)::int as count from ${spec.schema}.dead_letters group by 1, 2, 3`,
      );
      expect(letters).toEqual([
        {
          reason: 'unsupported_version',
          field: 'schema_version',
          detail: 'schema_version is 2; the whole number 1 belongs there.',
          count: 10,
        },
      ]);
    });

    const worker = await startWorker(servers, taskQueues, { codePath });
    // Nobody lost them: to the new build they are letters that an older one had to write.
    const before = await verify(world);
    expect(before).toMatchObject({ differences: 0, coverage: { refusedByOlder: 10 } });
    expect(await replayAll(world)).toMatchObject({
      phase: 'done',
      outcomes: { sent: 10, recovered: 10, undecided: 0 },
    });
    // Producers of both versions go on side by side.
    await world.send([...orders(5), ...newerOrders(5)]);
    await world.untilIngested(47);
    expect(await world.count('events')).toBe(37);
    expect(await world.count('dead_letters')).toBe(10);
    expect(await world.count(`dead_letters where status = 'recovered'`)).toBe(10);
    const { rows } = await pool.query<Record<string, unknown>>(
      `select event_id, schema_version, payment_method, coupon_code, total_amount, extra from ${spec.schema}.events`,
    );
    for (const sent of newer) {
      const row = must(
        rows.find((each) => each['event_id'] === sent['event_id']),
        'the event of a letter',
      );
      expect(row).toMatchObject({
        schema_version: 2,
        payment_method: 'google_pay',
        coupon_code: 'SAVE10',
        total_amount: '9.99',
        extra: null,
      });
    }
    expect(rows.filter((row) => row['schema_version'] === 2)).toHaveLength(15);
    // None of them waits for a replay any more.
    expect(await verify(world)).toMatchObject({ differences: 0, coverage: { refusedByOlder: 0 } });
    await worker.drain();
  });
}, 300_000);
