// The lock `clock`: batches share it, a closer wants it alone, and a batch that never ends is nobody else's trouble.
import { expect, onTestFinished, test } from 'vitest';

import { ensureCheckpoint } from '../../postgres/checkpoints.ts';
import { moveClosedThrough, readClock } from '../../postgres/closed-through.ts';
import { eventually } from '../support/eventually.ts';
import { windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

const BOUNDARY_MS = Date.parse('2026-11-01T10:00:00Z');

/** An empty batch of one skipped offset. */
const advanceSql = (p: WindowedPipeline, { partition, from }: { partition: number; from: number }): string =>
  `select "${p.schema}".advance_checkpoint('${p.spec.topic}', ${partition}, ${from}, ${from + 1}, 0, 0, 0, 0, 0, 1, null, interval '0', null)`;

/** A batch of partition 0 that has taken the clock and never goes on, as of a worker that froze; ended by `thaw`. */
async function frozenBatch(p: WindowedPipeline): Promise<{ thaw: () => Promise<void> }> {
  for (const partition of [0, 1]) await ensureCheckpoint(p.pool, p.spec, { partition, firstOffset: 0 });
  const frozen = await p.pool.connect();
  onTestFinished(() => frozen.release());
  await frozen.query('begin');
  await frozen.query(advanceSql(p, { partition: 0, from: 0 }));
  return { thaw: async () => void (await frozen.query('rollback')) };
}

test('while a close waits for a frozen batch, the batches of other partitions go on', async () => {
  const p = await windowedPipeline();
  const { thaw } = await frozenBatch(p);
  let moved = false;
  const moving = moveClosedThrough(p.pool, p.spec, BOUNDARY_MS).then(() => (moved = true));
  // The close tries again and again: each time batches stand behind it for a moment, and then pass.
  const heldUpMs: number[] = [];
  let commits = 0;
  for (; heldUpMs.length < 5 || commits < 50; commits += 1) {
    const startedMs = performance.now();
    await p.pool.query(advanceSql(p, { partition: 1, from: commits }));
    const tookMs = performance.now() - startedMs;
    if (tookMs > 150) heldUpMs.push(tookMs);
  }
  expect(moved).toBe(false);
  expect(Math.max(...heldUpMs)).toBeLessThan(2_000);
  await thaw();
  await moving;
  expect((await readClock(p.pool, p.spec)).closedThroughMs).toBe(BOUNDARY_MS);
});

test('a close that never gets the clock says so, and has changed nothing', async () => {
  const p = await windowedPipeline();
  await frozenBatch(p);
  await expect(moveClosedThrough(p.pool, p.spec, BOUNDARY_MS)).rejects.toMatchObject({ code: '55P03' });
  expect((await readClock(p.pool, p.spec)).closedThroughMs).toBeNull();
});

test('a close gets the clock although batches of several partitions follow each other without a gap', async () => {
  const p = await windowedPipeline();
  for (const partition of [0, 1, 2]) await ensureCheckpoint(p.pool, p.spec, { partition, firstOffset: 0 });
  const stop = new AbortController();
  const commits = [0, 0, 0];
  const streams = commits.map(async (_, partition) => {
    for (let from = 0; !stop.signal.aborted; from += 1) {
      await p.pool.query(`begin; ${advanceSql(p, { partition, from })}; select pg_sleep(0.03); commit`);
      commits[partition] = from;
    }
  });
  const allCommit = (): boolean => commits.every((count) => count > 3);
  await eventually(allCommit, { deadlineMs: 10_000, what: 'every partition commits' });
  expect(await moveClosedThrough(p.pool, p.spec, BOUNDARY_MS)).toBe(BOUNDARY_MS);
  stop.abort();
  await Promise.all(streams);
});

test('the limit of one try does not stay with the connection', async () => {
  const p = await windowedPipeline();
  await moveClosedThrough(p.pool, p.spec, BOUNDARY_MS);
  const { rows } = await p.pool.query<{ lock_timeout: string }>('show lock_timeout');
  expect(rows).toEqual([{ lock_timeout: '0' }]);
});
