// A generator on real servers, for tests: a topic and a task queue of its own, workers to come and go, and what the topic holds.
import { randomUUID } from 'node:crypto';

import { Client, Connection } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { inject } from 'vitest';

import { eventIdOf } from '../../generator/event-id.ts';
import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import type { GeneratorSpec } from '../../generator/generator-spec.ts';
import { createWorld } from '../../generator/world.ts';
import { openPartitionReader } from '../../kafka/partition-reader.ts';
import { ensureTopic, openTopicObserver } from '../../kafka/topics.ts';
import type { Message } from '../../pipeline/message.ts';
import type { generateEvents } from '../../workflows/generate-events.ts';
import type { RunOptions } from '../../workflows/run-options.ts';
import { runWorker } from './run-worker.ts';

export const brokers = (): string[] => inject('servers').kafkaBrokers;

/** A topic of a test's own, with three partitions. */
export async function freshTopic(): Promise<string> {
  const topic = `generator-${randomUUID()}`;
  await ensureTopic({ brokers: brokers(), topic, partitions: 3 });
  return topic;
}

/** Every message that a topic holds, partition by partition. */
export async function readWholeTopic(topic: string): Promise<Message[]> {
  const observer = await openTopicObserver({ brokers: brokers(), topic });
  const ends = await observer.offsets();
  await observer.close();
  const messages: Message[] = [];
  for (const { partition, endOffset } of ends) {
    if (endOffset === 0) continue;
    const reader = await openPartitionReader({ brokers: brokers(), topic, partition, fromOffset: 0 });
    for (let next = 0; next < endOffset;) {
      const fetched = await reader.next();
      messages.push(...fetched.messages);
      next = fetched.nextOffset;
    }
    await reader.close();
  }
  return messages;
}

/** Index and event id of plain events, which tell their index by the end of their id. */
export function indexesOf(spec: GeneratorSpec, messages: readonly Message[], below: number): Map<string, number> {
  const { key } = createWorld(spec);
  const indexByEnd = new Map<string, number>();
  for (let index = 0; index < below; index++) indexByEnd.set(eventIdOf(key, index, 0).slice(-8), index);
  const indexById = new Map<string, number>();
  for (const { value } of messages) {
    const id: string = JSON.parse(String(value)).event_id;
    indexById.set(id, indexByEnd.get(id.slice(-8)) ?? -1);
  }
  return indexById;
}

export type GeneratorWorld = {
  readonly spec: GeneratorSpec;
  readonly queue: string;
  readonly handle: WorkflowHandle<typeof generateEvents>;
};

/** Starts `generateEvents` on a task queue that nobody polls yet. */
export async function startGenerator(
  given: Partial<GeneratorSpec>,
  options: Partial<RunOptions> = {},
): Promise<GeneratorWorld> {
  const queue = `generator-${randomUUID()}`;
  const spec = createGeneratorSpec({ topic: await freshTopic(), ...given });
  const connection = await Connection.connect({ address: inject('servers').temporalAddress });
  const taskQueues = { ingest: queue, windows: queue, generator: queue };
  const handle = await new Client({ connection }).workflow.start<typeof generateEvents>('generateEvents', {
    taskQueue: queue,
    workflowId: queue,
    args: [{ spec, options: { leaseMs: 1_500, heartbeatTimeoutMs: 3_000, taskQueues, ...options } }],
  });
  return { spec, queue, handle };
}

/** Runs `work` while a worker of this process polls the queue; then the worker drains and goes. */
export async function withWorker<T>(queue: string, work: () => Promise<T>): Promise<T> {
  const servers = inject('servers');
  return await runWorker({ queue, address: servers.temporalAddress, kafkaBrokers: servers.kafkaBrokers }, work);
}
