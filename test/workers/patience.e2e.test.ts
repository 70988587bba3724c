// A worker process that has to wait: for servers that come later, and for an end that somebody is impatient about.
import { describe, expect, inject, onTestFinished, test } from 'vitest';

import { pipelineId, partitionId } from '../../pipeline/ids.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import type { PartitionState, PipelineState } from '../../workflows/commands.ts';
import { eventually } from '../support/eventually.ts';
import { PipelineWorld, eventAt } from '../workflows/pipeline-world.ts';
import { ProbedWorker } from './probed-worker.ts';

const SOON_MS = 60_000;
const servers = inject('servers');

async function worldOfWorker(): Promise<{ worker: ProbedWorker; world: PipelineWorld }> {
  const worker = await ProbedWorker.open(servers);
  const world = await PipelineWorld.open(servers, worker.taskQueues, { partitions: 2 });
  onTestFinished(async () => {
    await worker.close();
    await world.close();
  });
  return { worker, world };
}

const events = (count: number): Record<string, unknown>[] =>
  Array.from({ length: count }, () => eventAt(new Date().toISOString()));

describe('a worker process', { timeout: 180_000 }, () => {
  test('that starts before its servers says which one it waits for, and works once they are there', async () => {
    const { worker, world } = await worldOfWorker();
    await Promise.all(Object.values(worker.lines).map(async (line) => await line.refuse()));
    await worker.start();
    const { temporal, postgres, kafka } = worker.lines;
    const waits = (): boolean =>
      new RegExp(
        `Temporal at ${temporal.address} does not answer .* It has been so for \\d+ s\\. Trying again in`,
      ).test(worker.log);
    await eventually(waits, { deadlineMs: SOON_MS, what: 'the log says that Temporal is waited for, and how long' });
    await world.start();
    await world.send(events(20));
    await temporal.heal();
    const { topic } = world.spec;
    const says = async (sentence: RegExp): Promise<boolean> => {
      const { phase, failures } = await world.state<PipelineState>(pipelineId(topic));
      return phase === 'backing-off' && sentence.test(failures.message ?? '');
    };
    await eventually(async () => await says(/Kafka|PostgreSQL/), { deadlineMs: SOON_MS, what: 'the pipeline waits' });
    await kafka.heal();
    const postgresAway = new RegExp(
      `PostgreSQL at ${postgres.address} does not answer .*ECONNREFUSED.*WEIR_POSTGRES_URL`,
    );
    await eventually(async () => await says(postgresAway), {
      deadlineMs: SOON_MS,
      what: 'the pipeline says that PostgreSQL is away',
    });
    await postgres.heal();
    await world.untilIngested(20);
    expect(await world.ingested()).toBe(20);
  });

  test('that starts while Temporal takes connections and says nothing tells so, and works once it speaks', async () => {
    const { worker, world } = await worldOfWorker();
    const { temporal } = worker.lines;
    temporal.blackhole();
    await worker.start();
    const waits = (): boolean =>
      worker.log.includes(`Temporal at ${temporal.address} does not answer (no answer in 10 s)`);
    await eventually(waits, { deadlineMs: SOON_MS, what: 'the log says that Temporal does not answer' });
    await temporal.heal();
    await world.start();
    await world.send(events(10));
    await world.untilIngested(10);
    expect(await world.ingested()).toBe(10);
  });

  test('that drains is ended at once by a second signal, with a sentence, and what it had in hand comes again', async () => {
    const { worker, world } = await worldOfWorker();
    await worker.start();
    await world.start();
    await world.send(events(10));
    await world.untilIngested(10);
    worker.lines.postgres.blackhole();
    await world.send(events(10));
    worker.signal('SIGTERM');
    await eventually(() => worker.log.includes('The worker drains'), { deadlineMs: SOON_MS, what: 'it drains' });
    const impatient = (): boolean => {
      if (worker.isRunning) worker.signal('SIGTERM');
      return !worker.isRunning;
    };
    const startedMs = performance.now();
    await eventually(impatient, { deadlineMs: SOON_MS, what: 'the process has ended' });
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(worker.log).toContain('The worker ends at once; nothing is lost');
    await worker.lines.postgres.heal();
    await worker.start();
    await world.untilIngested(20);
  });

  test('does not try a lease that fails every time in a tight loop', async () => {
    const { worker, world } = await worldOfWorker();
    await worker.start();
    await world.start();
    await world.send(events(10));
    await world.untilIngested(10);
    await world.pool.query(`drop schema ${quoteSchema(world.spec.schema)} cascade`);
    const failing = async (): Promise<PartitionState | false> => {
      const state = await world.state<PartitionState>(partitionId(world.spec.topic, 0));
      return state.failures.count >= 8 && state;
    };
    const { failures } = await eventually(failing, { deadlineMs: SOON_MS, what: 'a lease has failed eight times' });
    expect(failures.message).toMatch(/does not exist/);
    // Eight failures stand behind seven waits, each at least half of 200, 400, 800 and from then on 1,000 ms.
    expect(Date.now() - (failures.sinceMs ?? 0)).toBeGreaterThan((200 + 400 + 800 + 4 * 1_000) / 2);
    await world.migrate();
  });
});
