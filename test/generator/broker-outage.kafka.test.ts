// A generator's sending while its broker is frozen, killed and started again: nothing skipped, nothing doubled, the schedule kept.
import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { behindMs, dueThrough } from '../../generator/pace.ts';
import { createPatientWriter } from '../../generator/patient-writer.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import { SYSTEM_CLOCK, sendOnSchedule } from '../../generator/send-on-schedule.ts';
import { connectKafka } from '../../kafka/client.ts';
import { openEventWriter } from '../../kafka/event-writer.ts';
import { openPartitionReader } from '../../kafka/partition-reader.ts';
import { must } from '../../pipeline/ensure.ts';
import { makeTopic } from '../kafka/fresh-topic.ts';
import { startOwnCluster } from '../kafka/own-cluster.ts';
import type { OwnCluster } from '../kafka/own-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { indexesOf } from './generator-world.ts';

const PATIENCE_MS = 100_000;
vi.setConfig({ testTimeout: 3 * PATIENCE_MS });
const RATE = 200;

let cluster: OwnCluster;

beforeAll(async () => {
  cluster = await startOwnCluster(1);
}, 240_000);
afterAll(() => cluster.remove());

async function readAll(topic: string, messages: number) {
  const reader = await openPartitionReader({ brokers: cluster.addresses, topic, partition: 0, fromOffset: 0 });
  const read = [];
  while (read.length < messages) read.push(...(await reader.next()).messages);
  await reader.close();
  return read;
}

test('a frozen and a killed broker hold up the acknowledgements, not the schedule', async () => {
  const broker = must(cluster.brokers[0], 'the cluster has one broker');
  const topic = `test-${randomUUID()}`;
  const replicaAssignment = [{ partition: 0, replicas: [1] }];
  await makeTopic(connectKafka({ brokers: cluster.addresses }), { topic, replicaAssignment });
  const spec = createGeneratorSpec({ topic, rate: RATE });
  const stop = new AbortController();
  const writer = createPatientWriter(
    async (onTrouble) => await openEventWriter({ brokers: cluster.addresses, topic, onTrouble }),
    { giveUp: new AbortController().signal },
  );
  const segment = { fromIndex: 0, startMs: Date.now(), rate: RATE };
  let acknowledged = 0;
  const sending = sendOnSchedule({
    maker: createMessageMaker(spec),
    segment,
    fromIndex: 0,
    endIndex: Infinity,
    endMs: Infinity,
    paced: true,
    clock: SYSTEM_CLOCK,
    signal: stop.signal,
    write: writer.write,
    onAcknowledged: (nextIndex) => {
      acknowledged = nextIndex;
    },
  });
  const late = (): number => behindMs(segment, acknowledged, Date.now());
  const flows = async (what: string): Promise<void> => {
    const before = acknowledged;
    await eventually(() => acknowledged > before && late() < 1_000, { deadlineMs: PATIENCE_MS, what });
  };

  await flows('messages flow');
  broker.signal('SIGSTOP');
  await eventually(() => late() > 2_000, { deadlineMs: PATIENCE_MS, what: 'a frozen broker shows as being behind' });
  broker.signal('SIGCONT');
  await flows('what had fallen due is caught up with');
  broker.signal('SIGKILL');
  await eventually(() => writer.trouble() !== null && late() > 2_000, { deadlineMs: PATIENCE_MS, what: 'a reason' });
  await broker.start();
  await flows('what had fallen due is caught up with again');
  stop.abort();
  const sent = await sending;
  const errors = writer.errors();
  await writer.close();

  expect(sent).toMatchObject({ unconfirmed: 0, nextIndex: dueThrough(segment, Number(sent.stoppedMs)) });
  const messages = await readAll(topic, sent.nextIndex);
  expect(messages).toHaveLength(sent.nextIndex);
  expect([...indexesOf(spec, messages, sent.nextIndex).values()]).toEqual(
    Array.from({ length: sent.nextIndex }, (_, index) => index),
  );
  expect(Object.keys(errors).join(' ')).toMatch(/CONNECTION_LOST|UNREACHABLE/);
});
