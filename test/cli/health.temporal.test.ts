// `weir health` on real servers, over the life of one pipeline: faults in partitions and windows, and what is none.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { partitionId, windowsId } from '../../pipeline/ids.ts';
import { readClock } from '../../postgres/closed-through.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { partitionOffsets } from '../../kafka/topics.ts';
import { endStreamUpdate } from '../../workflows/commands.ts';
import { eventually } from '../support/eventually.ts';
import { deleteBefore, sendTo, untilPhase, whilePaused } from '../workflows/lose-range.ts';
import { PipelineWorld, eventsFrom, startWorker } from '../workflows/pipeline-world.ts';
import type { TestWorker } from '../workflows/pipeline-world.ts';
import { EMPTY_HOME, runWeir } from './run-weir.ts';

type Said = { verdict: string; reason: string; next: string | null };
type Health = { code: number; healthy: boolean; of: (stage: string) => Said };

const servers = inject('servers');
let worker: TestWorker;
let world: PipelineWorld;
let env: Record<string, string>;

async function health(...flags: string[]): Promise<Health> {
  const { code, stdout, stderr } = await runWeir(['health', '--json', ...flags], env);
  expect(stderr).toBe('');
  const report: { healthy: boolean; stages: (Said & { stage: string })[] } = JSON.parse(stdout);
  const of = (stage: string): Said => {
    const found = report.stages.find((each) => each.stage === stage);
    if (found === undefined) throw new Error(`There is no stage ${stage} in ${stdout}`);
    return found;
  };
  return { code, healthy: report.healthy, of };
}

/** The lines of what is not healthy, and the exit code when it isn't that of health. */
async function faults(): Promise<string[]> {
  const { code, stdout, stderr } = await runWeir(['health', '--patience', '60s'], env);
  const lines = `${stdout}${stderr}`.split('\n').filter((line) => /^(unhealthy|unknown|suspect|weir:) /.test(line));
  return code === 0 ? lines : [...lines, `exit code ${code}`];
}

const tell = async (partition: number, wish: 'pause' | 'resume'): Promise<unknown> =>
  await world.client.workflow.getHandle(partitionId(world.spec.topic, partition)).executeUpdate(wish);

beforeAll(async () => {
  worker = await startWorker(servers);
  world = await PipelineWorld.open(servers, worker.taskQueues);
  env = {
    WEIR_HOME: EMPTY_HOME,
    WEIR_KAFKA_BROKERS: servers.kafkaBrokers.join(','),
    WEIR_POSTGRES_URL: servers.postgresUrl,
    WEIR_TEMPORAL_ADDRESS: servers.temporalAddress,
    WEIR_TOPIC: world.spec.topic,
    WEIR_SCHEMA: world.spec.schema,
  };
});

afterAll(async () => {
  await world.close();
  await worker.drain();
});

describe('weir health', { timeout: 300_000 }, () => {
  test('says before the first start that no pipeline runs, with exit code 1', async () => {
    const { code, healthy, of } = await health();
    expect({ code, healthy }).toEqual({ code: 1, healthy: false });
    expect(of('pipeline')).toMatchObject({ verdict: 'unhealthy', next: '`weir pipeline start` starts it.' });
    expect(of('kafka')).toMatchObject({ verdict: 'healthy' });
  });

  test('is healthy as soon as it is started, with an empty topic, and while it catches up', async () => {
    await world.start();
    expect(await faults()).toEqual([]);
    await world.send(eventsFrom('2026-11-01T10:00:00Z', 6_000, 100));
    expect(await faults()).toEqual([]);
    await world.untilIngested(6_000);
    expect(await faults()).toEqual([]);
  });

  test('a partition paused by hand is shown and is no fault, however much it leaves unread', async () => {
    await tell(1, 'pause');
    await sendTo(world, 1, 40);
    const { code, of } = await health();
    expect(of('ingestion')).toMatchObject({
      verdict: 'healthy',
      reason: expect.stringMatching(/Partition 1 is paused by hand with 40 messages unread/),
      next: '`weir partition resume 1` goes on.',
    });
    expect(of('watermark').verdict).toBe('healthy');
    expect(code).toBe(0);
    await tell(1, 'resume');
    expect(await faults()).toEqual([]);
  });

  test('windows that are due and that nobody can write are overdue, until they can', async () => {
    const client = await world.pool.connect();
    await client.query(`begin; lock table ${quoteSchema(world.spec.schema)}.pane_facts in exclusive mode`);
    const before = (await readClock(world.pool, world.spec)).writtenThroughMs;
    await world.send(eventsFrom('2026-11-01T12:00:00Z', 240));
    await eventually(
      async () => ((await readClock(world.pool, world.spec)).lowWatermarkMs ?? 0) > (before ?? 0) + 60_000,
      {
        deadlineMs: 60_000,
        what: 'event time goes on',
      },
    );
    const { code, of } = await health('--patience', '4s');
    await client.query('rollback');
    client.release();
    expect(of('windows')).toMatchObject({
      verdict: 'unhealthy',
      reason: expect.stringMatching(/windows before 2026-11-01T1\S+ are due, but none was written|closing fails/),
    });
    expect(of('ingestion').verdict).toBe('healthy');
    expect(code).toBe(1);
    expect(await faults()).toEqual([]);
  });

  test('a lost range stops its partition, and event time waits for it', async () => {
    await whilePaused(world, 0, async () => {
      await sendTo(world, 0, 30);
      const ends = await partitionOffsets({ brokers: servers.kafkaBrokers, topic: world.spec.topic });
      await deleteBefore(world, 0, (ends.find(({ partition }) => partition === 0)?.endOffset ?? 0) - 10);
    });
    await untilPhase(world, 0, 'stopped: lost range');
    const { code, of } = await health('--patience', '2s');
    expect(of('ingestion')).toMatchObject({
      verdict: 'unhealthy',
      reason: expect.stringMatching(/^Partition 0 has stopped: Offsets \d+ to \d+ of partition 0 .* are gone/),
      next: expect.stringContaining('`weir partition accept-gap 0`'),
    });
    expect(of('watermark')).toMatchObject({
      verdict: 'unhealthy',
      reason: expect.stringMatching(/held by partition 0/),
    });
    expect(code).toBe(1);
    expect((await runWeir(['partition', 'accept-gap', '0', '--yes'], env)).code).toBe(0);
    expect(await faults()).toEqual([]);
  });

  test('without a worker, lag has no lease and event time stands; with one again all is well', async () => {
    await worker.drain();
    await world.send(eventsFrom('2026-11-01T13:00:00Z', 60));
    const { code, of } = await health('--patience', '2s');
    expect(of('workers')).toMatchObject({
      verdict: 'unhealthy',
      reason: expect.stringMatching(/^No worker takes work/),
    });
    expect(of('ingestion').reason).toMatch(/messages unread, and no worker holds its lease/);
    expect(of('watermark')).toMatchObject({ verdict: 'unhealthy' });
    expect(code).toBe(1);
    worker = await startWorker(servers, worker.taskQueues);
    expect(await faults()).toEqual([]);
  });

  test('a bounded stream that has ended is healthy', async () => {
    const ends = await partitionOffsets({ brokers: servers.kafkaBrokers, topic: world.spec.topic });
    const endOffsets = Object.fromEntries(
      ends.map(({ partition, endOffset }) => [String(partition), String(endOffset)]),
    );
    const closer = world.client.workflow.getHandle(windowsId(world.spec.topic));
    await closer.executeUpdate(endStreamUpdate, { args: [{ endOffsets }] });
    await eventually(async () => (await health()).of('watermark').reason.includes('the stream has ended'), {
      deadlineMs: 60_000,
      what: 'the stream has ended',
    });
    expect(await faults()).toEqual([]);
  });
});
