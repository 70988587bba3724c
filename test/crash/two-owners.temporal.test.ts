// Two workflows that own the same partition, each sure that it is the only one: PostgreSQL lets one of them commit at a time.
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import { openEventWriter } from '../../kafka/event-writer.ts';
import { unaccountedOffsets } from '../../pipeline/checkpoint.ts';
import type { Checkpoint } from '../../pipeline/checkpoint.ts';
import { must } from '../../pipeline/ensure.ts';
import { backoffWaitMs } from '../../pipeline/backoff.ts';
import { partitionId, pipelineId } from '../../pipeline/ids.ts';
import { readCheckpoint } from '../../postgres/checkpoints.ts';
import type { PipelineState } from '../../workflows/commands.ts';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { handDrivenPipeline } from '../support/hand-driven-pipeline.ts';
import { inWorld, startWorker } from '../workflows/pipeline-world.ts';
import type { PipelineWorld, TestWorker } from '../workflows/pipeline-world.ts';

const WITHIN = { deadlineMs: 60_000 };
/** As long as this both want the partition and messages keep coming. */
const FIGHT_MS = 20_000;
const MESSAGES_PER_WAVE = 50;
const MOST_MESSAGES = 40_000;
/** Those of the product. */
const WAITS = { backoffFirstMs: 1_000, backoffLongestMs: 10_000 };
const START_MS = Date.parse('2026-03-01T10:00:00Z');

/** Leases that one owner can begin within a time when each fails at once and every wait is as short as chance allows. */
function mostLeases(withinMs: number): number {
  let leases = 1;
  for (let atMs = 0; ; leases += 1) {
    const { backoffFirstMs: firstMs, backoffLongestMs: longestMs } = WAITS;
    atMs += backoffWaitMs({ failures: leases, firstMs, longestMs, chance: 1 });
    if (atMs > withinMs) return leases;
  }
}

async function checkpointOf(world: PipelineWorld): Promise<Checkpoint> {
  return must(await readCheckpoint(world.pool, world.spec, 0), 'the checkpoint of partition 0');
}

/** Why the leases of a workflow failed: type and sentence of each. */
async function failuresOf({ client }: PipelineWorld, id: string): Promise<string[]> {
  const { events } = await client.workflow.getHandle(id).fetchHistory();
  return (events ?? []).flatMap(({ activityTaskFailedEventAttributes: failed }) =>
    failed ? [`${String(failed.failure?.applicationFailureInfo?.type)}: ${String(failed.failure?.message)}`] : [],
  );
}

/** Sends one wave after the other, each when the one before is committed by whoever holds the partition. */
async function keepSending(world: PipelineWorld, forMs: number): Promise<number> {
  const { topic } = world.spec;
  const spec = createGeneratorSpec({ topic, seed: 4_711, users: 50, disorder: 0.1, duplicates: 0.03, malformed: 0.02 });
  const maker = createMessageMaker(spec);
  const segment = { fromIndex: 0, startMs: START_MS, rate: 10 };
  const writer = await openEventWriter({ brokers: world.servers.kafkaBrokers, topic });
  const endMs = Date.now() + forMs;
  let sent = 0;
  while (Date.now() < endMs && sent < MOST_MESSAGES) {
    await writer.write(maker.messages(segment, sent, sent + MESSAGES_PER_WAVE));
    sent += MESSAGES_PER_WAVE;
    await world.untilIngested(sent);
  }
  await writer.close();
  return sent;
}

/** Rows of the world's events and dead letters that the other schema does not hold, and the other way round. */
async function differingRows(world: PipelineWorld, schema: string): Promise<number> {
  const rowsOf = (of: string): string =>
    `select kafka_offset, event_id::text, occurred_at, extra::text as rest from "${of}".events
     union all select kafka_offset, reason, null, encode(value, 'hex') from "${of}".dead_letters`;
  const { rows } = await world.pool.query<{ n: number }>(
    `select count(*)::int as n from (
       ((${rowsOf(world.spec.schema)}) except all (${rowsOf(schema)}))
       union all ((${rowsOf(schema)}) except all (${rowsOf(world.spec.schema)}))) as differing`,
  );
  return must(rows[0], 'the comparison').n;
}

let worker: TestWorker;
beforeAll(async () => {
  worker = await startWorker(inject('servers'));
});
afterAll(async () => {
  await worker.drain();
});

test('two workers forced onto one partition commit exactly what one would, and fight no faster than their back-off', async () => {
  const given = { servers: inject('servers'), taskQueues: worker.taskQueues, partitions: 1 };
  await inWorld({ ...given, options: { ...WAITS, leaseMs: 300_000, heartbeatTimeoutMs: 10_000 } }, async (world) => {
    const { topic } = world.spec;
    await world.start();
    const owner = partitionId(topic, 0);
    await eventually(async () => (await checkpointOf(world)).epoch > 0, { ...WITHIN, what: 'the first lease' });
    const intruder = await world.client.workflow.start('ingestPartition', {
      workflowId: `intruder/${topic}/0`,
      taskQueue: world.taskQueues.ingest,
      args: [{ spec: world.spec, partition: 0, pausedByPipeline: false, options: world.options }],
    });
    const startedMs = Date.now();
    // The pipeline hears of it, so that `weir pipeline status` says what to do.
    const isTold = async (): Promise<boolean> => {
      const { partitions } = await world.state<PipelineState>(pipelineId(topic));
      return partitions.some(({ phase, message }) => phase === 'backing-off' && message.includes('Another lease'));
    };
    const told = eventually(isTold, { ...WITHIN, what: 'the pipeline hears that its partition has another owner' });
    const [sent] = await Promise.all([keepSending(world, FIGHT_MS), told]);
    const { epoch } = await checkpointOf(world);
    const reasons = [...(await failuresOf(world, owner)), ...(await failuresOf(world, intruder.workflowId))];
    // Both have lost the partition to each other, each loss has its reason, and no lease failed for another one.
    expect(reasons.length).toBeGreaterThanOrEqual(2);
    for (const reason of reasons) {
      expect(reason).toMatch(
        /^Fenced: Another lease has taken partition 0 of \S+ over .* \(epoch \d+\).* end the one that is not "partition\/\S+\/0"/,
      );
    }
    const most = 2 * mostLeases(Date.now() - startedMs);
    process.stderr.write(`${sent} messages, ${epoch} leases, at most ${most} allowed\n`);
    expect(epoch).toBeLessThanOrEqual(most);
    const fenced = /^weir_fenced_total\{.*\} (\d+)$/m.exec(await worker.metrics.page());
    expect(Number(fenced?.[1])).toBe(reasons.length);
    await intruder.terminate('The owner may have its partition.');
    const { nextOffset, counts, ...checkpoint } = await checkpointOf(world);
    expect(nextOffset).toBe(sent);
    expect(unaccountedOffsets({ ...checkpoint, nextOffset, counts })).toBe(0);
    const alone = await freshDatabase();
    const brokers = world.servers.kafkaBrokers;
    await (await handDrivenPipeline(alone, { brokers, topic })).ingest();
    expect(await differingRows(world, alone.schema)).toBe(0);
    const one = must(await readCheckpoint(alone.pool, { schema: alone.schema, topic }, 0), 'what one committed');
    expect({ ...counts, late: 0 }).toEqual({ ...one.counts, late: 0 });
  });
}, 240_000);
