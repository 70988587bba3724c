// Makes Kafka lose messages of a running pipeline before they are read, as its retention does to one that rests too long.
import { openEventWriter } from '../../kafka/event-writer.ts';
import { partitionId } from '../../pipeline/ids.ts';
import { readCheckpoint } from '../../postgres/checkpoints.ts';
import type { PartitionState } from '../../workflows/commands.ts';
import { eventually } from '../support/eventually.ts';
import { eventsFrom } from './pipeline-world.ts';
import type { PipelineWorld } from './pipeline-world.ts';

const DAY = '2026-11-01T10:00:00.000Z';
const WITHIN = { deadlineMs: 60_000 };

/** Writes `count` events into one partition. */
export async function sendTo(world: PipelineWorld, partition: number, count: number): Promise<void> {
  const writer = await openEventWriter({ brokers: world.servers.kafkaBrokers, topic: world.spec.topic });
  try {
    const timestampMs = Date.now();
    await writer.write(
      eventsFrom(DAY, count).map((event) => ({
        key: null,
        value: Buffer.from(JSON.stringify(event)),
        timestampMs,
        partition,
      })),
    );
  } finally {
    await writer.close();
  }
}

/** Makes Kafka forget what lies before `offset` in a partition. */
export async function deleteBefore(world: PipelineWorld, partition: number, offset: number): Promise<void> {
  const { topic } = world.spec;
  await world.withAdmin(async (admin) => {
    // Makes kafkajs look up the leader that deleteTopicRecords needs.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
  });
}

export async function untilAt(world: PipelineWorld, partition: number, offset: number): Promise<void> {
  await eventually(
    async () => {
      const found = await readCheckpoint(world.pool, world.spec, partition);
      if (found?.nextOffset !== offset) throw new Error(`it is at ${found?.nextOffset}`);
      return true;
    },
    { ...WITHIN, what: `partition ${partition} is at offset ${offset}` },
  );
}

export async function untilPhase(
  world: PipelineWorld,
  partition: number,
  phase: PartitionState['phase'],
): Promise<PartitionState> {
  return await eventually(
    async () => {
      const state = await world.state<PartitionState>(partitionId(world.spec.topic, partition));
      if (state.phase !== phase) throw new Error(`it is ${state.phase}`);
      return state;
    },
    { ...WITHIN, what: `partition ${partition} is ${phase}` },
  );
}

/** Pauses a partition, does something to its log meanwhile, and lets it go on. */
export async function whilePaused(
  world: PipelineWorld,
  partition: number,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const handle = world.client.workflow.getHandle(partitionId(world.spec.topic, partition));
  await handle.executeUpdate('pause');
  await meanwhile();
  await handle.executeUpdate('resume');
}

/**
 * Starts a pipeline of 2 partitions, each of which holds 100 events, and lets partition 0 stop at offset 40 because its log
 * then starts at 70.
 */
export async function loseRange(world: PipelineWorld): Promise<PartitionState> {
  await sendTo(world, 0, 40);
  await sendTo(world, 1, 40);
  await world.start();
  await untilAt(world, 0, 40);
  await whilePaused(world, 0, async () => {
    await sendTo(world, 0, 60);
    await sendTo(world, 1, 60);
    await deleteBefore(world, 0, 70);
  });
  return await untilPhase(world, 0, 'stopped: lost range');
}
