// Crash point: Kafka has taken messages, and its acknowledgement to the event writer is lost.
import { expect, inject, onTestFinished, test } from 'vitest';

import { openEventWriter } from '../../kafka/event-writer.ts';
import type { EventWriter } from '../../kafka/event-writer.ts';
import { partitionOffsets } from '../../kafka/topics.ts';
import { eventually } from '../support/eventually.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { CrashWorld } from './crash-world.ts';

const brokers = inject('servers').kafkaBrokers;

/** A writer whose acknowledgement is lost: its messages are in the topic, and it does not know. */
async function unacknowledged(
  world: CrashWorld,
): Promise<{ writer: EventWriter; proxy: TcpProxy; writing: Promise<void> }> {
  const proxy = await openTcpProxy({ target: brokers[0] ?? '', namesItself: true });
  onTestFinished(async () => await proxy.close());
  const writer = await openEventWriter({ brokers: [proxy.address], topic: world.spec.topic });
  // The first one finds the leader and opens the line; the acknowledgement of the rest is lost.
  await writer.write(world.topic.messages().slice(0, 1));
  proxy.dropReplies();
  const writing = writer.write(world.topic.messages().slice(1, 400));
  writing.catch(() => {});
  await eventually(async () => (await endOf(world)) === 400, { deadlineMs: 30_000, what: 'Kafka has the messages' });
  return { writer, proxy, writing };
}

async function endOf(world: CrashWorld): Promise<number | undefined> {
  const [partition] = await partitionOffsets({ brokers, topic: world.spec.topic });
  return partition?.endOffset;
}

test('a writer that missed an acknowledgement sends again, and Kafka keeps the messages once', async () => {
  const world = await CrashWorld.open();
  const { writer, proxy, writing } = await unacknowledged(world);
  await proxy.heal();
  await writing;
  await writer.close();
  expect(await endOf(world)).toBe(400);
});

test('a writer that died before the acknowledgement is followed by one that sends all again, and each event counts once', async () => {
  const world = await CrashWorld.open();
  const { writer } = await unacknowledged(world);
  await writer.close();
  await world.sendWave(0);
  expect(await endOf(world)).toBe(1_400);
  const lease = world.lease();
  await world.sendWave(1);
  await world.untilIngested();
  await lease.drain();
  await world.close(0.8);
  const problems = await world.problemsInTheEnd();
  expect(problems).toEqual([]);
  const { counts } = await world.checkpoint();
  expect(counts.duplicate).toBeGreaterThan(390);
});
