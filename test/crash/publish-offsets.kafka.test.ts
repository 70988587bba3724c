// Crash point: the checkpoint has moved, and Kafka's group offsets have not, or nobody knows whether they have.
import { expect, inject, test } from 'vitest';

import { createPublishOffsets } from '../../activities/publish-offsets.ts';
import { openTopicObserver } from '../../kafka/topics.ts';
import { CONSUMER_GROUP } from '../../pipeline/ids.ts';
import { eventually } from '../support/eventually.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
import { withAdmin } from '../kafka/fresh-topic.ts';
import { connectKafka } from '../../kafka/client.ts';
import { CrashWorld, activityWorld } from './crash-world.ts';

test('group offsets that are behind, ahead or of unknown fate are only hints: the checkpoint goes on, and they follow', async () => {
  const brokers = inject('servers').kafkaBrokers;
  const world = await CrashWorld.open();
  const published = async (): Promise<string | undefined> => {
    const [of] = await withAdmin(connectKafka({ brokers }), (admin) =>
      admin.fetchOffsets({ groupId: CONSUMER_GROUP, topics: [world.spec.topic] }),
    );
    return of?.partitions[0]?.offset;
  };
  const publish = (kafkaBrokers: readonly string[]) => {
    const environment = activityWorld();
    const activity = createPublishOffsets({ pool: world.database.pool, kafkaBrokers });
    const input = { spec: world.spec, leaseMs: 600_000, everyMs: 100 };
    const over: Promise<unknown> = environment.run(activity, input).catch((error: unknown) => error);
    return { over, end: () => environment.cancel('CANCELLED') };
  };
  const arePublished = (offset: string) =>
    eventually(async () => (await published()) === offset, { deadlineMs: 30_000, what: `${offset} is published` });
  const ingest = async (from: number, to: number): Promise<void> => {
    const lease = world.lease();
    await world.topic.send(from, to);
    await world.untilIngested();
    await lease.drain();
  };

  const proxy = await openTcpProxy({ target: brokers[0] ?? '', namesItself: true });
  const first = publish([proxy.address]);
  await ingest(0, 500);
  await arePublished('500');
  // The request arrives, its answer does not, and the process that waits for it dies.
  proxy.dropReplies();
  await ingest(500, 1_000);
  await arePublished('1000');
  first.end();
  await proxy.close();
  await first.over;

  for (const [hint, from] of [
    [5, 1_000],
    [2_500, 1_500],
  ] as const) {
    const observer = await openTopicObserver({ brokers, topic: world.spec.topic });
    await observer.publishOffsets(CONSUMER_GROUP, [{ partition: 0, offset: hint }]);
    await observer.close();
    await ingest(from, from + 500);
  }
  const second = publish(brokers);
  await arePublished('2000');
  second.end();
  await second.over;
  await world.close(0.9);
  expect(await world.problemsInTheEnd()).toEqual([]);
});
