// Records histories of every workflow in its different states, from a real pipeline on real servers, for the replay tests.
// Run after a change of workflow code that is meant to break replay, with the addresses in the environment:
//   WEIR_KAFKA_BROKERS=... WEIR_POSTGRES_URL=... WEIR_TEMPORAL_ADDRESS=... npx tsx scripts/record-histories.ts [life|letters|generator|lost-range|rewind|reprocess|replays|continued ...]
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';

import { createGeneratorSpec } from '../generator/generator-spec.ts';
import { ensureDeadLetterTopic } from '../kafka/dead-letter-topic.ts';
import { partitionOffsets } from '../kafka/topics.ts';
import { must } from '../pipeline/ensure.ts';
import { generatorId, lettersId, offsetsId, partitionId, pipelineId, windowsId } from '../pipeline/ids.ts';
import { eventually } from '../test/support/eventually.ts';
import type { Servers } from '../test/support/servers.ts';
import { loseRange, untilAt } from '../test/workflows/lose-range.ts';
import { eventAt, eventsFrom, inWorld, startWorker } from '../test/workflows/pipeline-world.ts';
import type { PipelineWorld } from '../test/workflows/pipeline-world.ts';
import { acceptGapUpdate } from '../workflows/commands.ts';
import type { PipelineState, WindowsState } from '../workflows/commands.ts';
import type { GeneratorState } from '../workflows/generator-state.ts';
import type { LettersState } from '../workflows/letters-state.ts';
import type { generateEvents } from '../workflows/generate-events.ts';
import { recordReprocess, recordRewind } from './repair-recordings.ts';
import { recordReplays } from './replay-recordings.ts';

const FOLDER = fileURLToPath(new URL('../test/workflows/histories/', import.meta.url));
const WITHIN = { deadlineMs: 60_000 };
const { env } = process;

function serversOfEnvironment(): Servers {
  return {
    kafkaBrokers: must(env.WEIR_KAFKA_BROKERS, 'WEIR_KAFKA_BROKERS').split(','),
    postgresUrl: must(env.WEIR_POSTGRES_URL, 'WEIR_POSTGRES_URL'),
    temporalAddress: must(env.WEIR_TEMPORAL_ADDRESS, 'WEIR_TEMPORAL_ADDRESS'),
  };
}

/** Writes one history; which process on which machine it ran is nobody's business. */
async function record(world: PipelineWorld, name: string, of: string | { id: string; runId: string }): Promise<void> {
  const { id, runId } = typeof of === 'string' ? { id: of, runId: undefined } : of;
  const history = await world.client.workflow.getHandle(id, runId).fetchHistory();
  const text = historyToJSON(history)
    .replaceAll(/"identity": ?"[^"]*"/g, '"identity": "worker"')
    .replaceAll(/"stackTrace": ?"(?:[^"\\]|\\.)*"/g, '"stackTrace": ""')
    .replaceAll(/"name": ?"\d+@[^"]*"/g, '"name": "sticky"');
  writeFileSync(`${FOLDER}${name}.json`, `${text}\n`);
}

async function firstClosed(world: PipelineWorld): Promise<string> {
  const query = `WorkflowId STARTS_WITH 'window/${world.spec.topic}/' and ExecutionStatus = 'Completed'`;
  for await (const { workflowId } of world.client.workflow.list({ query })) return workflowId;
  throw new Error('No closeWindow has completed.');
}

/** A life with everything in it: pause, resume, a pause of one partition, late events, the end of the stream, stop. */
async function recordLife(world: PipelineWorld): Promise<void> {
  const { topic, schema } = world.spec;
  const startMs = Math.floor(Date.now() / 60_000) * 60_000 - 3_600_000;
  await world.send(eventsFrom(new Date(startMs).toISOString(), 120));
  const pipeline = await world.start();
  const partition = world.client.workflow.getHandle(partitionId(topic, 0));
  const windows = world.client.workflow.getHandle(windowsId(topic));
  await world.untilIngested(120);
  await record(world, 'run-pipeline.running', pipelineId(topic));
  await record(world, 'ingest-partition.ingesting', partitionId(topic, 0));
  await pipeline.executeUpdate('pause');
  await record(world, 'run-pipeline.paused', pipelineId(topic));
  await record(world, 'ingest-partition.paused', partitionId(topic, 0));
  await pipeline.executeUpdate('resume');
  await partition.executeUpdate('pause');
  await partition.executeUpdate('resume');
  const offsets = await partitionOffsets({ brokers: world.servers.kafkaBrokers, topic });
  const endOffsets = Object.fromEntries(offsets.map((of) => [of.partition, String(of.endOffset)]));
  await windows.executeUpdate('endStream', { args: [{ endOffsets }] });
  const state = (): Promise<WindowsState> => world.state<WindowsState>(windowsId(topic));
  await eventually(async () => (await state()).stream === 'ended', { ...WITHIN, what: 'the end of the stream' });
  await world.send([eventAt(new Date(startMs).toISOString())]);
  await eventually(async () => (await state()).amendedRows > 0, { ...WITHIN, what: 'an amendment' });
  await eventually(async () => await record(world, 'close-window.closed', await firstClosed(world)).then(() => true), {
    ...WITHIN,
    what: 'a closeWindow that has completed',
  });
  await world.pool.query(`alter table "${schema}".checkpoints rename to hidden`);
  for (const id of [pipelineId(topic), partitionId(topic, 0), windowsId(topic), offsetsId(topic)]) {
    await eventually(async () => (await world.state<{ phase: string }>(id)).phase === 'backing-off', {
      ...WITHIN,
      what: `${id} backs off`,
    });
  }
  const toldOfFailure = async (): Promise<boolean> => {
    const { partitions } = await world.state<PipelineState>(pipelineId(topic));
    return partitions.some(({ phase }) => phase === 'backing-off');
  };
  await eventually(toldOfFailure, { ...WITHIN, what: 'the pipeline hears of a partition that fails' });
  await world.pool.query(`alter table "${schema}".hidden rename to checkpoints`);
  await pipeline.executeUpdate('stop');
  await record(world, 'run-pipeline.stopped', pipelineId(topic));
  await record(world, 'ingest-partition.stopped', partitionId(topic, 0));
  await record(world, 'close-windows.stopped', windowsId(topic));
  await record(world, 'commit-offsets.stopped', offsetsId(topic));
}

/** A letter whose topic is missing at first; then a pause of the pipeline, and the end. */
async function recordLetters(world: PipelineWorld): Promise<void> {
  const { topic } = world.spec;
  const id = lettersId(topic);
  const pipeline = await world.start();
  await world.send([{ ...eventAt(new Date().toISOString()), event_type: 'unheard_of' }]);
  const until = async (what: string, isSo: (state: LettersState) => boolean): Promise<unknown> =>
    await eventually(async () => isSo(await world.state<LettersState>(id)), { ...WITHIN, what });
  await until('the missing topic is noticed', ({ phase }) => phase === 'backing-off');
  await ensureDeadLetterTopic({ brokers: world.servers.kafkaBrokers, topic });
  await until('the letter is published', ({ published }) => published === 1);
  await pipeline.executeUpdate('pause');
  await until('the publisher rests', ({ phase }) => phase === 'paused');
  await record(world, 'publish-letters.paused', id);
  await pipeline.executeUpdate('resume');
  await until('the publisher goes on', ({ phase }) => phase === 'publishing');
  await pipeline.executeUpdate('stop');
  await record(world, 'publish-letters.stopped', id);
}

async function startGenerator(world: PipelineWorld, given: object): Promise<WorkflowHandle<typeof generateEvents>> {
  const { topic } = world.spec;
  return await world.client.workflow.start<typeof generateEvents>('generateEvents', {
    workflowId: generatorId(topic),
    taskQueue: world.taskQueues.generator,
    args: [{ spec: createGeneratorSpec({ topic, name: topic, rate: 200, ...given }), options: world.options }],
  });
}

/** A generator that is given another rate, rests, goes on and is stopped; and one that ends by itself. */
async function recordGenerator(world: PipelineWorld): Promise<void> {
  const id = generatorId(world.spec.topic);
  const generator = await startGenerator(world, {});
  const sent = async (): Promise<boolean> => (await world.state<GeneratorState>(id)).nextIndex > 0;
  await eventually(sent, { ...WITHIN, what: 'the end of a lease' });
  await generator.executeUpdate('setRate', { args: [400] });
  await generator.executeUpdate('pause');
  await record(world, 'generate-events.paused', id);
  await generator.executeUpdate('resume');
  await generator.executeUpdate('stop');
  await generator.result();
  await record(world, 'generate-events.stopped', id);
  await (await startGenerator(world, { startTimeMs: Date.UTC(2026, 2, 1), count: 500 })).result();
  await record(world, 'generate-events.finished', id);
}

/** A partition that stops on a lost range, and goes on once the loss is accepted. */
async function recordLostRange(world: PipelineWorld): Promise<void> {
  const id = partitionId(world.spec.topic, 0);
  await loseRange(world);
  await record(world, 'ingest-partition.lost-range', id);
  await world.client.workflow.getHandle(id).executeUpdate(acceptGapUpdate);
  await untilAt(world, 0, 100);
  await record(world, 'ingest-partition.gap-accepted', id);
}

/** The first run of each long-lived workflow, up to the command that continues it as new. */
async function recordContinued(world: PipelineWorld): Promise<void> {
  const { topic } = world.spec;
  await world.start();
  const generator = await startGenerator(world, {});
  const named = {
    'run-pipeline': pipelineId(topic),
    'ingest-partition': partitionId(topic, 0),
    'close-windows': windowsId(topic),
    'commit-offsets': offsetsId(topic),
    'publish-letters': lettersId(topic),
    'generate-events': generatorId(topic),
  };
  for (const [name, id] of Object.entries(named)) {
    const query = `WorkflowId = '${id}' and ExecutionStatus = 'ContinuedAsNew'`;
    const runId = await eventually(
      async () => {
        for await (const run of world.client.workflow.list({ query })) return run.runId;
        return null;
      },
      { ...WITHIN, what: `${id} continues as new` },
    );
    await record(world, `${name}.continued`, { id, runId });
  }
  await generator.executeUpdate('stop');
}

mkdirSync(FOLDER, { recursive: true });
const servers = serversOfEnvironment();
const worker = await startWorker(servers);
const place = { servers, taskQueues: worker.taskQueues };
const recordings = {
  life: async () => await inWorld({ ...place, options: { leaseMs: 2_000 } }, recordLife),
  letters: async () => await inWorld({ ...place, options: { leaseMs: 2_000 } }, recordLetters),
  generator: async () => await inWorld({ ...place, options: { leaseMs: 1_000 } }, recordGenerator),
  'lost-range': async () => await inWorld({ ...place, options: { leaseMs: 2_000 } }, recordLostRange),
  rewind: async () =>
    await inWorld(
      { ...place, partitions: 1, options: { leaseMs: 2_000 } },
      async (world) => await recordRewind(world, async (name, of) => await record(world, name, of)),
    ),
  reprocess: async () =>
    await inWorld(
      { ...place, options: { leaseMs: 2_000 } },
      async (world) => await recordReprocess(world, async (name, of) => await record(world, name, of)),
    ),
  replays: async () =>
    await inWorld(
      { ...place, options: { leaseMs: 2_000 } },
      async (world) => await recordReplays(world, async (name, of) => await record(world, name, of)),
    ),
  continued: async () =>
    await inWorld({ ...place, options: { turnsPerRun: 2, leaseMs: 400, lookEveryMs: 300 } }, recordContinued),
};
const only = process.argv.slice(2);
try {
  for (const [name, run] of Object.entries(recordings)) if (only.length === 0 || only.includes(name)) await run();
} finally {
  await worker.drain();
}
