// Topics against a real broker: made once, described, watched, and positions published where Kafka's own tools look.
import { randomUUID } from 'node:crypto';

import { expect, test } from 'vitest';

import { connectKafka } from '../../kafka/client.ts';
import { KafkaRefusedError, KafkaUnreachableError, TopicMissingError } from '../../kafka/failures.ts';
import { describeTopic, ensureTopic, openTopicObserver, partitionOffsets } from '../../kafka/topics.ts';
import { freshTopic, produceWithKafkajs, withAdmin } from './fresh-topic.ts';

const NOWHERE = ['127.0.0.1:1'];

test('a missing topic is made with the partitions asked for; an existing one is left as it is', async () => {
  const { brokers } = await freshTopic();
  const topic = `test-${randomUUID()}`;
  expect(await ensureTopic({ brokers, topic, partitions: 6 })).toEqual({ topic, created: true, partitions: 6 });
  expect(await ensureTopic({ brokers, topic, partitions: 9 })).toEqual({ topic, created: false, partitions: 6 });
  const description = await describeTopic({ brokers, topic });
  expect(description.partitions.map(({ partition }) => partition)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(description.partitions.every(({ leader, inSync }) => leader !== null && inSync.includes(leader))).toBe(true);
});

test('two who make the same topic at once both get it', async () => {
  const { brokers } = await freshTopic();
  const topic = `test-${randomUUID()}`;
  const both = await Promise.all([1, 2].map(() => ensureTopic({ brokers, topic, partitions: 2 })));
  expect(both.map(({ partitions }) => partitions)).toEqual([2, 2]);
  expect(both.filter(({ created }) => created)).toHaveLength(1);
});

test('a topic name that Kafka does not take is refused with the reason', async () => {
  const { brokers } = await freshTopic();
  const refused = ensureTopic({ brokers, topic: 'not a name', partitions: 1 });
  await expect(refused).rejects.toBeInstanceOf(KafkaRefusedError);
  await expect(refused).rejects.toThrow(/topic not a name/);
});

test('start and end of each partition follow what is written and deleted', async () => {
  const fresh = await freshTopic({ partitions: 2 });
  const observer = await openTopicObserver(fresh);
  expect(await observer.partitions()).toEqual([0, 1]);
  expect(await observer.offsets()).toEqual([
    { partition: 0, logStartOffset: 0, endOffset: 0 },
    { partition: 1, logStartOffset: 0, endOffset: 0 },
  ]);
  await produceWithKafkajs(fresh, [[{ value: 'a' }, { value: 'b' }, { value: 'c' }]]);
  await withAdmin(fresh.client, async (admin) => {
    await admin.fetchTopicOffsets(fresh.topic); // makes kafkajs look up the leader that deleteTopicRecords needs
    await admin.deleteTopicRecords({ topic: fresh.topic, partitions: [{ partition: 0, offset: '2' }] });
  });
  const expected = [
    { partition: 0, logStartOffset: 2, endOffset: 3 },
    { partition: 1, logStartOffset: 0, endOffset: 0 },
  ];
  expect(await observer.offsets()).toEqual(expected);
  expect(await partitionOffsets(fresh)).toEqual(expected);
  await observer.close();
});

test('the end of a partition with an open transaction is where a committed reader stops', async () => {
  const fresh = await freshTopic();
  const producer = fresh.client.kafka.producer({ transactionalId: randomUUID(), idempotent: true });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic: fresh.topic, messages: [{ value: 'a' }] });
  expect(await partitionOffsets(fresh)).toEqual([{ partition: 0, logStartOffset: 0, endOffset: 0 }]);
  await transaction.commit();
  // The broker answers before the marker is in the partition.
  const ends = (): ReturnType<typeof partitionOffsets> => partitionOffsets(fresh);
  await expect.poll(ends, { timeout: 30_000 }).toEqual([{ partition: 0, logStartOffset: 0, endOffset: 2 }]);
  await producer.disconnect();
});

test('partitions that are added are seen', async () => {
  const fresh = await freshTopic();
  const observer = await openTopicObserver(fresh);
  await withAdmin(fresh.client, (admin) =>
    admin.createPartitions({ topicPartitions: [{ topic: fresh.topic, count: 3 }] }),
  );
  await expect.poll(() => observer.partitions()).toEqual([0, 1, 2]);
  expect((await observer.offsets()).map(({ partition }) => partition)).toEqual([0, 1, 2]);
  await observer.close();
});

test('published offsets are those of the group, and publishing again takes milliseconds', async () => {
  const fresh = await freshTopic({ partitions: 2 });
  const group = `test-${randomUUID()}`;
  const observer = await openTopicObserver(fresh);
  await observer.publishOffsets(group, [
    { partition: 0, offset: 5 },
    { partition: 1, offset: 7 },
  ]);
  const before = performance.now();
  for (const offset of [8, 9, 10]) await observer.publishOffsets(group, [{ partition: 1, offset }]);
  expect(performance.now() - before).toBeLessThan(1_000);
  await observer.publishOffsets(group, []);
  const [published] = await withAdmin(fresh.client, (admin) =>
    admin.fetchOffsets({ groupId: group, topics: [fresh.topic] }),
  );
  const offsets = published?.partitions.toSorted((a, b) => a.partition - b.partition);
  expect(offsets?.map(({ offset }) => offset)).toEqual(['5', '10']);
  await observer.close();
});

test('a group with live members is left to them', async () => {
  const fresh = await freshTopic();
  const group = `test-${randomUUID()}`;
  const consumer = fresh.client.kafka.consumer({ groupId: group, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic: fresh.topic });
  const joined = new Promise((resolve) => consumer.on('consumer.group_join', resolve));
  await consumer.run({ eachMessage: () => Promise.resolve() });
  await joined;
  const observer = await openTopicObserver(fresh);
  const published = observer.publishOffsets(group, [{ partition: 0, offset: 0 }]);
  await expect(published).rejects.toThrow(/stop other consumers that use this group name/);
  await observer.close();
  await consumer.disconnect();
});

test('a missing topic and a missing broker are one sentence each', async () => {
  const { brokers } = await freshTopic();
  const topic = `test-${randomUUID()}`;
  await expect(openTopicObserver({ brokers, topic })).rejects.toBeInstanceOf(TopicMissingError);
  await expect(describeTopic({ brokers, topic })).rejects.toThrow(
    /Topic .* does not exist .*: create it, or set WEIR_TOPIC/,
  );
  await expect(ensureTopic({ brokers: NOWHERE, topic, partitions: 1 })).rejects.toBeInstanceOf(KafkaUnreachableError);
  await expect(partitionOffsets({ brokers: NOWHERE, topic })).rejects.toThrow(
    /No Kafka broker answers at 127\.0\.0\.1:1/,
  );
});

test('an address without a port is named', () => {
  expect(() => connectKafka({ brokers: ['localhost'] })).toThrow(
    /"localhost" is no Kafka address: write WEIR_KAFKA_BROKERS/,
  );
  expect(() => connectKafka({ brokers: ['[::1]:9092', 'kafka:9092'] })).not.toThrow();
});
