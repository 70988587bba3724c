// A topic that the broker forbids for a while: everybody who wants it is told which and why, and goes on once it is allowed.
import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { connectKafka } from '../../kafka/client.ts';
import { openEventWriter } from '../../kafka/event-writer.ts';
import { KafkaRefusedError } from '../../kafka/failures.ts';
import { openPartitionReader } from '../../kafka/partition-reader.ts';
import { describeTopic, openTopicObserver, partitionOffsets } from '../../kafka/topics.ts';
import { eventually } from '../support/eventually.ts';
import { AUTHORIZER, allowTopic, forbidTopic } from '../support/topic-access.ts';
import { makeTopic } from './fresh-topic.ts';
import { startOwnCluster } from './own-cluster.ts';
import type { OwnCluster } from './own-cluster.ts';

let cluster: OwnCluster;

beforeAll(async () => {
  cluster = await startOwnCluster(1, AUTHORIZER);
}, 240_000);
afterAll(() => cluster.remove());

async function topicOfItsOwn() {
  const place = { brokers: cluster.addresses, topic: `test-${randomUUID()}` };
  await makeTopic(connectKafka({ brokers: place.brokers }), { topic: place.topic, numPartitions: 1 });
  return place;
}

type Place = Awaited<ReturnType<typeof topicOfItsOwn>>;

/** The rule spreads through the broker within moments. */
async function forbid(place: Place): Promise<void> {
  await forbidTopic(place);
  const isForbidden = async () => await describeTopic(place).then(...answers);
  await eventually(isForbidden, { deadlineMs: 30_000, what: 'the topic is forbidden' });
}

async function allow(place: Place): Promise<void> {
  await allowTopic(place);
  const isForbidden = async () => !(await describeTopic(place).then(...answers));
  await eventually(isForbidden, { deadlineMs: 30_000, what: 'the topic is allowed' });
}

const answers = [() => false, (thrown: unknown) => thrown instanceof KafkaRefusedError] as const;

async function refusal(work: Promise<unknown>, { topic }: Place): Promise<string> {
  const thrown = await work.catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(KafkaRefusedError);
  expect(thrown).toMatchObject({ reason: 'TOPIC_AUTHORIZATION_FAILED' });
  expect(String(thrown)).toContain(topic);
  return String(thrown);
}

const say = (value: string) => [{ key: 'k', value: Buffer.from(value) }];

test('a reader fails with the reason and the place, and reads on from there when the topic is back', async () => {
  const place = await topicOfItsOwn();
  const writer = await openEventWriter(place);
  await writer.write(say('a'));
  const reader = await openPartitionReader({ ...place, partition: 0, fromOffset: 0 });
  expect((await reader.next()).nextOffset).toBe(1);
  await forbid(place);
  const failure = async () => await reader.next().catch((error: unknown) => error);
  const failed = async () => (await failure()) instanceof Error;
  await eventually(failed, { deadlineMs: 10_000, what: 'the reader meets the rule' });
  expect(await refusal(reader.next(), place)).toMatch(
    /Partition 0 of topic \S+ can't be read.* the rights of this client/,
  );
  const another = await openPartitionReader({ ...place, partition: 0, fromOffset: 1 });
  expect(await refusal(another.next(), place)).toMatch(/can't be read.* the rights of this client/);
  await another.close();
  await allow(place);
  await writer.write(say('b'));
  expect(await reader.next()).toMatchObject({ fromOffset: 1 });
  await reader.close();
  await writer.close();
});

test('an observer fails with the reason for partitions, offsets and publishing, and the same one works again', async () => {
  const place = await topicOfItsOwn();
  const observer = await openTopicObserver(place);
  const group = `test-${randomUUID()}`;
  const positions = [{ partition: 0, offset: 0 }];
  await observer.publishOffsets(group, positions);
  await forbid(place);
  const works = [
    () => observer.offsets(),
    () => observer.publishOffsets(group, positions),
    () => observer.partitions(),
    () => observer.offsets(),
  ];
  for (const work of works) {
    expect(await refusal(work(), place)).toMatch(/^KafkaRefusedError: Kafka does .* the rights of this client/);
  }
  await refusal(partitionOffsets(place), place);
  await refusal(openTopicObserver(place), place);
  await allow(place);
  expect(await observer.offsets()).toEqual([{ partition: 0, logStartOffset: 0, endOffset: 0 }]);
  await observer.publishOffsets(group, positions);
  await observer.close();
});

test('a writer fails with the reason, has written nothing, and writes again when the topic is back', async () => {
  const place = await topicOfItsOwn();
  const writer = await openEventWriter(place);
  await writer.write(say('a'));
  await forbid(place);
  expect(await refusal(writer.write(say('b')), place)).toMatch(/Kafka did not write to partition 0/);
  await refusal(openEventWriter(place), place);
  await allow(place);
  await writer.write(say('c'));
  expect(await partitionOffsets(place)).toMatchObject([{ endOffset: 2 }]);
  await writer.close();
});
