// A pipeline whose worker connects as a member of weir_worker and of nothing else does all that a pipeline does.
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import { ensureDeadLetterTopic } from '../../kafka/dead-letter-topic.ts';
import { must } from '../../pipeline/ensure.ts';
import { lettersId, windowsId } from '../../pipeline/ids.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import type { WindowsState } from '../../workflows/commands.ts';
import { eventually } from '../support/eventually.ts';
import { loginOf } from '../support/logins.ts';
import type { Login } from '../support/logins.ts';
import { PipelineWorld, eventAt, eventsFrom, startWorker } from '../workflows/pipeline-world.ts';
import type { TestWorker } from '../workflows/pipeline-world.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const servers = inject('servers');
const iso = (ms: number): string => new Date(ms).toISOString();
/** Two days back: neither day has a table yet, and sessions of then have long ended. */
const fromMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - 2 * DAY_MS + 23.5 * HOUR_MS;

describe('with a worker that is a member of weir_worker only', { timeout: 240_000 }, () => {
  let login: Login;
  let reader: Login;
  let world: PipelineWorld;
  let worker: TestWorker;

  beforeAll(async () => {
    // The world is the owner's: it migrates before the roles can be given to anybody.
    world = await PipelineWorld.open(servers, { ingest: '-', windows: '-', generator: '-' }, { migrated: true });
    await ensureDeadLetterTopic({ brokers: servers.kafkaBrokers, topic: world.spec.topic });
    login = await loginOf('weir_worker');
    reader = await loginOf('weir_reader');
    worker = await startWorker({ ...servers, postgresUrl: login.url });
    Object.assign(world.taskQueues, worker.taskQueues);
    await world.start();
  }, 240_000);

  afterAll(async () => {
    await worker.drain();
    await world.close();
  }, 120_000);

  const rowsOf = async (text: string): Promise<Record<string, unknown>[]> =>
    (await reader.pool.query<Record<string, unknown>>(text.replaceAll('@', `${quoteSchema(world.spec.schema)}.`))).rows;
  const state = async (): Promise<WindowsState> => await world.state<WindowsState>(windowsId(world.spec.topic));

  it('events, repeated events and letters are taken in, over days that had no table', async () => {
    const events = eventsFrom(iso(fromMs), 120, 30_000);
    await world.send([...events, { not: 'an event' }]);
    await world.untilIngested(121);
    await world.send(events.slice(0, 40));
    await world.untilIngested(161);
    expect(await world.count('events')).toBe(120);
    expect(await world.count('dead_letters')).toBe(1);
    const { rows } = await world.pool.query<{ days: number }>(
      `select count(*)::int as days from pg_inherits where inhparent = '${quoteSchema(world.spec.schema)}.events'::regclass`,
    );
    expect(must(rows[0], 'a count').days).toBe(3);
  });

  it('windows, sessions and funnels close, and a reader sees them', async () => {
    // What is read much later closes all that came before.
    await world.send(eventsFrom(iso(fromMs + 12 * HOUR_MS), 40, 1_000));
    await eventually(async () => ((await state()).writtenThroughMs ?? 0) > fromMs + 6 * HOUR_MS, {
      deadlineMs: 120_000,
      what: 'the first windows are written',
    });
    const [counted] = await rowsOf(`select sum(event_count)::int as events from @event_counts`);
    expect(Number(counted?.['events'])).toBeGreaterThanOrEqual(120);
    const [sessions] = await rowsOf('select count(*)::int as n from @sessions');
    expect(Number(sessions?.['n'])).toBeGreaterThanOrEqual(10);
    const [funnel] = await rowsOf('select count(*)::int as n from @funnel');
    expect(Number(funnel?.['n'])).toBeGreaterThan(0);
    await expect(rowsOf('select * from @live_sessions')).resolves.not.toEqual([]);
  });

  it('a late event amends its windows', async () => {
    await world.send([eventAt(iso(fromMs + 60_000))]);
    await eventually(async () => (await rowsOf('select * from @amendments')).length > 0, {
      deadlineMs: 120_000,
      what: 'a late event has amended its windows',
    });
    expect(await rowsOf('select distinct cause from @amendments')).toEqual([{ cause: 'late event' }]);
  });

  it('dead letters are published, and a reader cannot see them', async () => {
    await eventually(async () => (await world.count('dead_letters where published_at is not null')) === 1, {
      deadlineMs: 120_000,
      what: 'the letter is published',
    });
    expect(await world.state(lettersId(world.spec.topic))).toBeTypeOf('object');
    await expect(rowsOf('select * from @dead_letters')).rejects.toThrow('permission denied');
  });

  it('weir verify runs as the worker and finds everything as it should be', async () => {
    const verification = await eventually(
      async () => {
        const { kafkaBrokers: brokers } = servers;
        const found = await verifyPipeline({ brokers, postgresUrl: login.url, spec: world.spec });
        return found.coverage.lateWaiting === 0 && found;
      },
      { deadlineMs: 120_000, what: 'a verification with no late event waiting' },
    );
    expect(verification.checks.filter(({ differences }) => differences > 0)).toEqual([]);
    expect(verification.clean).toBe(true);
  });
});
