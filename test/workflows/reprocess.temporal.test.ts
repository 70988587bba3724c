// Reprocessing on real servers: a range is rebuilt beside a living pipeline, and people can watch it, halt it and end it.
import { randomUUID } from 'node:crypto';

import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import { reprocessId } from '../../pipeline/ids.ts';
import { NOTHING_REBUILT } from '../../pipeline/rebuild.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import type { ReprocessState } from '../../workflows/reprocess-state.ts';
import type { ReprocessInput, reprocess } from '../../workflows/reprocess.ts';
import { eventually } from '../support/eventually.ts';
import { eventsFrom, inWorld, startWorker } from './pipeline-world.ts';
import type { PipelineWorld, TestWorker } from './pipeline-world.ts';

type Handle = WorkflowHandle<typeof reprocess>;

const MINUTE_MS = 60_000;
/** Long past for the watermark, and within the amend horizon: the start of ten minutes some hours ago. */
const hoursAgo = (hours: number): number =>
  Math.floor((Date.now() - hours * 3_600_000) / (10 * MINUTE_MS)) * 10 * MINUTE_MS;

describe('reprocess', { timeout: 120_000 }, () => {
  const servers = inject('servers');
  let worker: TestWorker;
  const given = (more: object = {}) => ({ servers, taskQueues: worker.taskQueues, ...more });

  beforeAll(async () => {
    worker = await startWorker(servers);
  });
  afterAll(async () => {
    await worker.drain();
  });

  const start = async (world: PipelineWorld, input: Omit<ReprocessInput, 'spec' | 'options'>, more: object = {}) =>
    await world.client.workflow.start<typeof reprocess>('reprocess', {
      workflowId: reprocessId(randomUUID()),
      taskQueue: world.taskQueues.windows,
      args: [{ spec: world.spec, options: { ...world.options, leaseMs: 300, ...more }, ...input }],
    });

  /** A running pipeline whose windows over `count` events, one every ten seconds, are all closed. */
  const closedWorld = async (world: PipelineWorld, fromMs: number, count: number): Promise<void> => {
    await world.send(eventsFrom(new Date(fromMs).toISOString(), count, 10_000));
    await world.start();
    await world.untilIngested(count);
    const lastMs = fromMs + count * 10_000;
    await eventually(
      async () =>
        (await world.count(`closed_through where written_through >= to_timestamp(${lastMs / 1000 + 240})`)) === 1,
      { deadlineMs: 60_000, what: 'all windows are closed' },
    );
  };

  const clean = async (world: PipelineWorld): Promise<string[]> => {
    const { kafkaBrokers: brokers, postgresUrl } = servers;
    const { checks } = await verifyPipeline({ brokers, postgresUrl, spec: world.spec });
    return checks.flatMap(({ examples }) => examples);
  };

  const damage = async (world: PipelineWorld, sql: string): Promise<void> => {
    await world.pool.query(sql.replaceAll('S.', `${quoteSchema(world.spec.schema)}.`));
  };

  const until = async (handle: Handle, isSo: (state: ReprocessState) => boolean, what: string) =>
    await eventually(
      async () => {
        const state = await handle.query<ReprocessState>('state');
        return isSo(state) && state;
      },
      { deadlineMs: 60_000, what },
    );

  it('changes nothing in a range that is right, and says so', async () => {
    await inWorld(given(), async (world) => {
      const fromMs = hoursAgo(3);
      await closedWorld(world, fromMs, 180);
      const handle = await start(world, { fromMs, toMs: fromMs + 30 * MINUTE_MS });
      const result = await handle.result();
      expect(result).toMatchObject({ phase: 'done', counts: NOTHING_REBUILT, lateTakenIn: 0 });
      expect(result.message).toBe('Nothing differed: every window of the range was right.');
      expect(result.panesInAll).toBeGreaterThanOrEqual(30);
      expect(result.panesDone).toBe(result.panesInAll);
      expect(await world.count('amendments')).toBe(0);
    });
  });

  it('puts right what is wrong while events come in and windows close, and verify is clean afterwards', async () => {
    await inWorld(given(), async (world) => {
      const fromMs = hoursAgo(3);
      await closedWorld(world, fromMs, 180);
      await damage(world, `update S.event_counts set event_count = event_count + 1`);
      await damage(world, `delete from S.user_activity where user_id = 'user-3'`);
      await damage(
        world,
        `update S.session_metrics set session_id = 'nobody' || session_id where session_id < 'session-5'`,
      );
      const handle = await start(world, { fromMs, toMs: fromMs + 30 * MINUTE_MS });
      const sending = [0, 1, 2, 3].map(async (hour) => {
        await world.send(eventsFrom(new Date(hoursAgo(2) + hour * 5 * MINUTE_MS).toISOString(), 60, 5_000));
      });
      const [{ counts, phase }] = await Promise.all([handle.result(), ...sending]);
      expect(phase).toBe('done');
      expect(counts.changedRows).toBeGreaterThanOrEqual(30);
      expect(counts.newRows).toBeGreaterThan(30);
      expect(counts.vanishedRows).toBeGreaterThan(20);
      await world.untilIngested(420);
      await eventually(async () => (await clean(world)).length === 0, {
        deadlineMs: 60_000,
        what: 'verify finds nothing',
      });
      const kind = (before: string, after: string) =>
        world.count(`amendments where cause = 'reprocess' and before is ${before} and after is ${after}`);
      expect(await kind('not null', 'not null')).toBe(counts.changedRows);
      expect(await kind('null', 'not null')).toBe(counts.newRows);
      expect(await kind('not null', 'null')).toBe(counts.vanishedRows);
    });
  });

  it('of a range in which nothing is closed says that there was nothing to do', async () => {
    await inWorld(given(), async (world) => {
      const handle = await start(world, { fromMs: hoursAgo(3), toMs: hoursAgo(1) });
      expect(await handle.result()).toMatchObject({
        phase: 'done',
        panes: null,
        message: 'Nothing of this range is written: there was nothing to rebuild.',
      });
    });
  });

  it('pauses with the transaction in hand, goes on from there, and continues as new on the way', async () => {
    await inWorld(given(), async (world) => {
      const fromMs = hoursAgo(8);
      await closedWorld(world, fromMs, 6 * 360);
      await damage(world, `update S.event_counts set event_count = event_count + 1`);
      const held = await holdClock(world);
      const handle = await start(world, { fromMs, toMs: fromMs + 360 * MINUTE_MS }, { leaseMs: 100, turnsPerRun: 2 });
      await until(handle, ({ phase }) => phase === 'amending' || phase === 'rebuilding', 'it is at work');
      const paused = await handle.executeUpdate<ReprocessState, []>('pause');
      expect(paused).toMatchObject({ phase: 'paused', pauseWanted: true });
      await held.release();
      // A transaction that waits longer than five seconds is left alone: it may still commit, and no other follows it.
      expect(await world.count('amendments')).toBeLessThanOrEqual(240);
      const resumed = await handle.executeUpdate<ReprocessState, []>('resume');
      expect(resumed.phase).not.toBe('paused');
      const first = handle.firstExecutionRunId;
      const { counts, phase } = await handle.result();
      expect({ phase, changed: counts.changedRows }).toEqual({ phase: 'done', changed: 360 });
      expect((await world.client.workflow.getHandle(handle.workflowId).describe()).runId).not.toBe(first);
      expect(await clean(world)).toEqual([]);
    });
  });

  it('cancelled, returns with what it had done, which stays', async () => {
    await inWorld(given(), async (world) => {
      const fromMs = hoursAgo(3);
      await closedWorld(world, fromMs, 180);
      await damage(world, `update S.event_counts set event_count = event_count + 1`);
      const held = await holdClock(world);
      const handle = await start(world, { fromMs, toMs: fromMs + 30 * MINUTE_MS });
      await until(handle, ({ phase }) => phase === 'amending' || phase === 'rebuilding', 'it is at work');
      const cancelled = await handle.executeUpdate<ReprocessState, []>('cancel');
      expect(cancelled.phase).toBe('cancelled');
      await held.release();
      const result = await handle.result();
      expect(result).toMatchObject({
        phase: 'cancelled',
        message: expect.stringMatching(/^Cancelled; what was rebuilt stays\. /),
      });
      expect(await world.count('amendments')).toBe(result.counts.changedRows);
    });
  });

  it('survives the loss of its worker in the middle, and its counts are exact', async () => {
    await inWorld(given({ options: {} }), async (world) => {
      const fromMs = hoursAgo(3);
      await closedWorld(world, fromMs, 180);
      await damage(world, `update S.event_counts set event_count = event_count + 1`);
      const handle = await start(world, { fromMs, toMs: fromMs + 30 * MINUTE_MS });
      // Every session of the worker is cut off, again and again, wherever it is just then.
      for (let cut = 0; cut < 5; cut += 1) {
        await world.pool.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where pid <> pg_backend_pid() and query like '%' || $1 || '%' and application_name <> $1`,
          [world.spec.schema],
        );
        await world.pool.query('select pg_sleep(0.1)');
      }
      const { counts, phase } = await handle.result();
      expect({ phase, changed: counts.changedRows, windows: counts.windows }).toEqual({
        phase: 'done',
        changed: 30,
        windows: 30,
      });
      expect(await world.count(`amendments where revision > 2`)).toBe(0);
    });
  });

  it('takes in late events beyond the horizon when asked to, and not otherwise', async () => {
    await inWorld(given(), async (world) => {
      const fromMs = hoursAgo(3);
      await closedWorld(world, fromMs, 180);
      await world.send(eventsFrom(new Date(fromMs + 3_000).toISOString(), 20, 10_000));
      await world.untilIngested(200);
      await eventually(async () => (await world.count('late_events where applied_at is not null')) === 20, {
        deadlineMs: 60_000,
        what: 'the late events are taken in',
      });
      // As if the horizon had been shorter: twenty more come, and are marked by hand.
      await damage(world, 'alter table S.late_events alter column applied_at set default now()');
      await world.send(eventsFrom(new Date(fromMs + 4_000).toISOString(), 20, 10_000));
      await world.untilIngested(220);
      await damage(
        world,
        'update S.late_events set beyond_horizon = true, applied_at = null where applied_at = recorded_at',
      );
      expect(await world.count('late_events where beyond_horizon')).toBe(20);
      const range = { fromMs, toMs: fromMs + 30 * MINUTE_MS };
      const without = await (await start(world, range)).result();
      expect(without).toMatchObject({ phase: 'done', counts: NOTHING_REBUILT, lateTakenIn: 0 });
      const { counts, lateTakenIn } = await (await start(world, { ...range, includeBeyondHorizon: true })).result();
      expect(lateTakenIn).toBe(20);
      expect(counts.changedRows + counts.newRows + counts.vanishedRows).toBe(
        await world.count(`amendments where cause = 'reprocess'`),
      );
      expect(await world.count('late_events where beyond_horizon')).toBe(0);
      expect(await clean(world)).toEqual([]);
    });
  });
});

/** Holds the clock as a close of a very full minute would. */
async function holdClock(world: PipelineWorld): Promise<{ release(): Promise<void> }> {
  const client = await world.pool.connect();
  await client.query('begin');
  await client.query(`select from ${quoteSchema(world.spec.schema)}.closed_through for update`);
  return {
    release: async () => {
      await client.query('rollback');
      client.release();
    },
  };
}
