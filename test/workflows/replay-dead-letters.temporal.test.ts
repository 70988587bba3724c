// Replaying dead letters beside a living pipeline: what becomes of each is known at the end, and people can halt, hurry and end it.
import { randomUUID } from 'node:crypto';

import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

import { openEventWriter } from '../../kafka/event-writer.ts';
import { replayId } from '../../pipeline/ids.ts';
import { selectLetters } from '../../pipeline/letter-selection.ts';
import { parseSet } from '../../pipeline/repair.ts';
import { planReplay } from '../../postgres/replayed-letters.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import type { ReplayState } from '../../workflows/replay-state.ts';
import type { ReplayInput, replayDeadLetters } from '../../workflows/replay-dead-letters.ts';
import { eventually } from '../support/eventually.ts';
import { insertManyLetters } from '../support/letters.ts';
import { eventAt, inWorld, startWorker } from './pipeline-world.ts';
import type { PipelineWorld, TestWorker } from './pipeline-world.ts';

type Handle = WorkflowHandle<typeof replayDeadLetters>;

const AT = '2026-11-01T10:00:00.000Z';
const servers = inject('servers');
let worker: TestWorker;
const given = (more: object = {}) => ({ servers, taskQueues: worker.taskQueues, ...more });

beforeAll(async () => {
  worker = await startWorker(servers);
}, 300_000);
afterAll(async () => {
  await worker.drain();
});

type Changes = Partial<Omit<ReplayInput, 'spec' | 'options'>> & { readonly options?: object };

async function start(world: PipelineWorld, { options, ...changes }: Changes = {}): Promise<Handle> {
  const { spec, pool, client, taskQueues } = world;
  const selection = selectLetters({ status: ['open'] }, 0);
  const plan = await planReplay(pool, spec.schema, { selection, limit: null });
  const replay = randomUUID().slice(0, 8);
  const repair = { steps: [], transform: null };
  const input = { spec, replay, selection, plan, repair, rate: 1_000, ...changes };
  return await client.workflow.start<typeof replayDeadLetters>('replayDeadLetters', {
    workflowId: replayId(replay),
    taskQueue: taskQueues.windows,
    args: [{ ...input, options: { ...world.options, leaseMs: 500, ...options } }],
  });
}

async function until(handle: Handle, isSo: (state: ReplayState) => boolean, what: string): Promise<ReplayState> {
  return await eventually(
    async () => {
      const state = await handle.query<ReplayState>('state');
      return isSo(state) && state;
    },
    { deadlineMs: 60_000, what },
  );
}

/** Events that are refused, because they name no device. */
const deviceless = (count: number, changes: object = {}): Record<string, unknown>[] =>
  Array.from({ length: count }, () => eventAt(AT, { device: undefined, ...changes }));

async function sendRaw(world: PipelineWorld, values: readonly string[]): Promise<void> {
  const writer = await openEventWriter({ brokers: servers.kafkaBrokers, topic: world.spec.topic });
  await writer.write(values.map((value) => ({ key: 'k', value: Buffer.from(value) })));
  await writer.close();
}

describe('replayDeadLetters', { timeout: 180_000 }, () => {
  it('tells at the end what became of each letter: recovered, refused again, parked, not repaired, left out', async () => {
    await inWorld(given(), async (world) => {
      const good = deviceless(20);
      await world.start();
      await world.send([...good, ...deviceless(3, { page: 'cellar' }), ...deviceless(2, { page: 'out' }), eventAt(AT)]);
      await sendRaw(world, ['no json']);
      await world.untilIngested(27);
      await world.pool.query(
        `update ${quoteSchema(world.spec.schema)}.dead_letters set attempt = 4
         where id = (select min(id) from ${quoteSchema(world.spec.schema)}.dead_letters where convert_from(value, 'UTF8') like '%cellar%')`,
      );
      const transform = `module.exports.default = (l) => (l.value.page === 'out' ? null : l);`;
      const handle = await start(world, { repair: { steps: [parseSet('device=mobile')], transform } });
      const result = await handle.result();
      expect(result).toMatchObject({
        phase: 'done',
        letters: 26,
        sent: 23,
        leftOut: 2,
        unsent: { letters: 1, examples: [{ why: expect.stringMatching(/^its value is not JSON/) }] },
        outcomes: { sent: 23, recovered: 20, replaced: 3, parked: 1, undecided: 0 },
        message:
          '23 letters sent: 20 recovered, 3 refused again (1 parked). 1 letter could not be repaired or sent. 2 letters left out by the transform.',
      });
      expect(
        await world.count(`dead_letters d join ${quoteSchema(world.spec.schema)}.events e
        on e.event_id = d.event_id and e.occurred_at = d.event_at where d.status = 'recovered'`),
      ).toBe(20);
      expect(await world.count('events')).toBe(21);
      const { rows } = await world.pool.query(
        `select status, attempt, count(*)::int as n from ${quoteSchema(world.spec.schema)}.dead_letters group by 1, 2 order by 1, 2`,
      );
      expect(rows).toEqual([
        { status: 'open', attempt: 1, n: 3 },
        { status: 'open', attempt: 2, n: 2 },
        { status: 'parked', attempt: 5, n: 1 },
        { status: 'recovered', attempt: 1, n: 20 },
        { status: 'replaced', attempt: 1, n: 2 },
        { status: 'replaced', attempt: 4, n: 1 },
      ]);
    });
  });

  it('of many letters has a short history, because it continues as new', async () => {
    await inWorld(given(), async (world) => {
      await insertManyLetters(world.pool, world.spec.schema, 3_000);
      await world.start();
      const handle = await start(world, { rate: 600, options: { leaseMs: 200, turnsPerRun: 3 } });
      const result = await handle.result();
      // Three of them are parked already.
      expect(result).toMatchObject({ phase: 'done', sent: 2_997, outcomes: { replaced: 2_997, undecided: 0 } });
      const query = `WorkflowId = '${handle.workflowId}'`;
      const lengths = await eventually(
        async () => {
          const found: number[] = [];
          for await (const run of world.client.workflow.list({ query })) found.push(run.historyLength);
          return found.length > 3 && found;
        },
        { deadlineMs: 30_000, what: 'all runs are listed' },
      );
      expect(Math.max(...lengths)).toBeLessThan(80);
      expect(await world.count(`dead_letters where status = 'open' and attempt = 2`)).toBe(2_997);
    });
  });

  it('pauses with the page in hand, takes another rate, goes on, and cancelled returns with what it had sent', async () => {
    await inWorld(given(), async (world) => {
      await insertManyLetters(world.pool, world.spec.schema, 900);
      await world.start();
      const handle = await start(world, { rate: 20 });
      await until(handle, ({ sent }) => sent > 0, 'letters are sent');
      const paused = await handle.executeUpdate<ReplayState, []>('pause');
      expect(paused).toMatchObject({ phase: 'paused', message: expect.stringMatching(/replays resume/) });
      const sentThen = await world.count('dead_letters where replay is not null');
      expect(sentThen).toBe(paused.sent);
      await expect(handle.executeUpdate('setRate', { args: [0.5] })).rejects.toMatchObject({
        cause: { message: expect.stringMatching(/0\.5 is no rate/) },
      });
      expect(await handle.executeUpdate<ReplayState, [number]>('setRate', { args: [40] })).toMatchObject({ rate: 40 });
      expect(await world.count('dead_letters where replay is not null')).toBe(sentThen);
      expect((await handle.executeUpdate<ReplayState, []>('resume')).phase).toBe('sending');
      await until(handle, ({ sent }) => sent > sentThen, 'it goes on');
      expect(await handle.executeUpdate<ReplayState, []>('cancel')).toMatchObject({ phase: 'cancelled' });
      const result = await handle.result();
      expect(result.message).toMatch(/^Cancelled; what was sent stays sent\. /);
      expect(result.sent).toBe(await world.count('dead_letters where replay is not null'));
      expect(result.sent).toBeLessThan(899);
    });
  });

  it('waits no longer than its patience for a pipeline that does not run, and says so', async () => {
    await inWorld(given(), async (world) => {
      await insertManyLetters(world.pool, world.spec.schema, 5);
      const result = await (await start(world, { patienceMs: 1_500 })).result();
      expect(result).toMatchObject({
        phase: 'done',
        outcomes: { sent: 5, undecided: 5 },
        message: '5 letters sent: 0 recovered, 5 not read by the pipeline yet.',
      });
      // Their outcome comes all the same, once somebody reads.
      await world.start();
      await eventually(async () => (await world.count(`dead_letters where status = 'replaced'`)) === 5, {
        deadlineMs: 60_000,
        what: 'the outcomes are written',
      });
    });
  });

  it('tries again by itself when PostgreSQL cuts its sessions, and counts exactly', async () => {
    await inWorld(given(), async (world) => {
      const letters = deviceless(300);
      await world.start();
      await world.send(letters);
      await world.untilIngested(300);
      const handle = await start(world, { rate: 150, repair: { steps: [parseSet('device=mobile')], transform: null } });
      for (let cut = 0; cut < 5; cut += 1) {
        await world.pool.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where pid <> pg_backend_pid() and query like '%' || $1 || '%' and application_name <> $1`,
          [world.spec.schema],
        );
        await world.pool.query('select pg_sleep(0.2)');
      }
      expect(await handle.result()).toMatchObject({
        phase: 'done',
        outcomes: { sent: 300, recovered: 300, undecided: 0 },
      });
      expect(await world.count('events')).toBe(300);
      expect(await world.count('dead_letters')).toBe(300);
    });
  });
});
