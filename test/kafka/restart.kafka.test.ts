// Reader, writer and observer while brokers are killed, frozen, started again, and while a partition moves between them.
import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { connectKafka } from '../../kafka/client.ts';
import { openEventWriter } from '../../kafka/event-writer.ts';
import { KafkaUnreachableError } from '../../kafka/failures.ts';
import { openPartitionReader } from '../../kafka/partition-reader.ts';
import { describeTopic, openTopicObserver } from '../../kafka/topics.ts';
import { must } from '../../pipeline/ensure.ts';
import { eventually } from '../support/eventually.ts';
import { makeTopic, withAdmin } from './fresh-topic.ts';
import { startOwnCluster } from './own-cluster.ts';
import type { OwnCluster } from './own-cluster.ts';

let cluster: OwnCluster;

beforeAll(async () => {
  cluster = await startOwnCluster(2);
}, 240_000);
afterAll(() => cluster.remove());

/** A topic of one partition that lies on one broker only. */
async function topicOn(nodeId: number) {
  const topic = `test-${randomUUID()}`;
  const brokers = cluster.addresses;
  const client = connectKafka({ brokers });
  const replicaAssignment = [{ partition: 0, replicas: [nodeId] }];
  await makeTopic(client, { topic, replicaAssignment });
  return { brokers, topic, client };
}

/** Writes numbers one batch after another and reads them meanwhile, until told to end; gives back what was read. */
function stream({ brokers, topic }: { brokers: string[]; topic: string }) {
  const seen = { written: 0, read: [] as number[], offsets: [] as number[], waited: new Set<string>() };
  const state = { ending: false, allWritten: false };
  const write = async () => {
    const writer = await openEventWriter({ brokers, topic });
    while (!state.ending) {
      const batch = Array.from({ length: 20 }, (_, index) => ({
        key: 'k',
        value: Buffer.from(`${seen.written + index}`),
      }));
      await writer.write(batch);
      seen.written += batch.length;
    }
    await writer.close();
  };
  const writing = write();
  const read = async () => {
    const reader = await openPartitionReader({ brokers, topic, partition: 0, fromOffset: 0 });
    const watch = setInterval(() => {
      const reason = reader.waitingFor();
      if (reason !== null) seen.waited.add(reason);
    }, 10);
    for (let done = false; !done;) {
      const fetched = await reader.next();
      for (const { offset, value } of fetched.messages) {
        seen.read.push(Number(value?.toString()));
        seen.offsets.push(offset);
      }
      done = state.allWritten && seen.read.length >= seen.written;
    }
    clearInterval(watch);
    await reader.close();
  };
  const reading = read();
  const progress = async (what: string) => {
    const before = seen.read.length;
    await eventually(() => seen.read.length > before + 200, { deadlineMs: 60_000, what });
  };
  const end = async () => {
    state.ending = true;
    await writing;
    state.allWritten = true;
    await reading;
    return seen;
  };
  return { progress, end, seen };
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

test('through a broker that is killed and started again, each message is written once and read once, in order', async () => {
  const broker = must(cluster.brokers[1], 'the cluster has two brokers');
  const flow = stream(await topicOn(2));
  await flow.progress('messages flow');
  broker.signal('SIGKILL');
  await eventually(() => flow.seen.waited.size > 0, { deadlineMs: 30_000, what: 'the reader says why it waits' });
  await broker.start();
  await flow.progress('messages flow again');
  const { read, offsets, written, waited } = await flow.end();
  expect(read).toEqual(upTo(written));
  expect(offsets).toEqual(upTo(written));
  expect([...waited].join(' ')).toMatch(/connection to Kafka broke|No Kafka broker answers|has no leader/);
});

test('when the partition moves to another broker, reader and writer follow it', async () => {
  const topic = await topicOn(1);
  const flow = stream(topic);
  await flow.progress('messages flow');
  const partitionAssignment = [{ partition: 0, replicas: [2] }];
  await withAdmin(topic.client, (admin) =>
    admin.alterPartitionReassignments({ topics: [{ topic: topic.topic, partitionAssignment }] }),
  );
  const leader = async () => (await describeTopic(topic)).partitions[0]?.leader === 2;
  await eventually(leader, { deadlineMs: 60_000, what: 'broker 2 leads the partition' });
  await flow.progress('messages flow again');
  const { read, written } = await flow.end();
  expect(read).toEqual(upTo(written));
});

test('a frozen broker does not hold up an abort, and reading goes on when it wakes', async () => {
  const broker = must(cluster.brokers[1], 'the cluster has two brokers');
  const { brokers, topic } = await topicOn(2);
  const writer = await openEventWriter({ brokers, topic });
  await writer.write([{ key: 'k', value: Buffer.from('a') }]);
  await writer.close();
  const place = { brokers, topic, partition: 0, fromOffset: 0 };
  const stop = new AbortController();
  const aborted = await openPartitionReader({ ...place, maxWaitMs: 30_000, signal: stop.signal });
  const kept = await openPartitionReader(place);
  expect((await Promise.all([aborted.next(), kept.next()])).map(({ nextOffset }) => nextOffset)).toEqual([1, 1]);
  broker.signal('SIGSTOP');
  try {
    const waiting = aborted.next();
    const before = performance.now();
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await aborted.close();
    expect(performance.now() - before).toBeLessThan(1_000);
  } finally {
    broker.signal('SIGCONT');
  }
  expect(await kept.next()).toMatchObject({ messages: [], nextOffset: 1 });
  await kept.close();
});

test('an observer fails while the leader is gone, and works again by itself when it is back', async () => {
  const broker = must(cluster.brokers[1], 'the cluster has two brokers');
  const { topic } = await topicOn(2);
  const observer = await openTopicObserver({ brokers: [broker.address], topic });
  const group = `test-${randomUUID()}`;
  await observer.publishOffsets(group, [{ partition: 0, offset: 1 }]);
  broker.signal('SIGKILL');
  // The other broker still answers, and the metadata it gives may name the dead leader or none.
  await expect(observer.offsets()).rejects.toThrow(/no leader now|The connection to Kafka broke|127\.0\.0\.1:\d+/);
  await broker.start();
  const ready = async () => (await observer.offsets()).length === 1;
  await eventually(ready, { deadlineMs: 60_000, what: 'the observer sees the partition again' });
  await observer.publishOffsets(group, [{ partition: 0, offset: 2 }]);
  await observer.close();
  const alone = openTopicObserver({ brokers: ['127.0.0.1:1'], topic });
  await expect(alone).rejects.toBeInstanceOf(KafkaUnreachableError);
});
