// The lean decode against kafkajs's own, on bytes that a real broker sent.
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';

import { CompressionTypes } from 'kafkajs';
import { expect, test } from 'vitest';

import { BrokerLink } from '../../kafka/broker-link.ts';
import { readFetchResponse } from '../../kafka/fetch-response.ts';
import { protocolRequest } from '../../kafka/kafkajs-internals.ts';
import { readRecords } from '../../kafka/record-batch.ts';
import { freshTopic, produceWithKafkajs } from './fresh-topic.ts';
import type { FreshTopic } from './fresh-topic.ts';

type Decoded = {
  readonly responses: readonly {
    readonly partitions: readonly {
      readonly highWatermark: string;
      readonly lastStableOffset: string;
      readonly messages: readonly {
        readonly offset: string;
        readonly timestamp: string;
        readonly key: Buffer | null;
        readonly value: Buffer | null;
        readonly headers: Record<string, Buffer | Buffer[]>;
      }[];
    }[];
  }[];
};

const { decode: decodeWithKafkajs }: { decode: (payload: Buffer) => Promise<Decoded> } = createRequire(import.meta.url)(
  'kafkajs/src/protocol/requests/fetch/v11/response',
);

/** The bytes of a Fetch answer as they came. */
async function fetchBytes({ brokers, topic }: FreshTopic): Promise<Buffer> {
  const link = new BrokerLink({ brokers });
  try {
    const broker = await link.anyBroker();
    const partitions = [{ partition: 0, fetchOffset: 0, maxBytes: 5_000_000 }];
    const options = { maxWaitTime: 100, minBytes: 1, maxBytes: 5_000_000, topics: [{ topic, partitions }] };
    const request = protocolRequest<{ payload: Buffer }>(broker, 'Fetch', options);
    const response = {
      decode: (payload: Buffer) => Promise.resolve({ payload }),
      parse: (answer: { payload: Buffer }) => Promise.resolve(answer),
    };
    return (await broker.connectionPool.send({ ...request, response })).payload;
  } finally {
    link.close('The comparison is over.');
  }
}

test.each([
  ['plain', CompressionTypes.None],
  ['gzip', CompressionTypes.GZIP],
])('%s batches decode as kafkajs decodes them, byte by byte', async (_, compression) => {
  const fresh = await freshTopic();
  const messages = Array.from({ length: 400 }, (_unused, index) => ({
    key: index % 7 === 0 ? null : `user-${index}`,
    value: index % 11 === 0 ? null : Buffer.from('x'.repeat(index * 3)),
    ...(index % 5 === 0 ? { headers: { trace: ['one', 'two', Buffer.from([0, 255, index % 256])], empty: '' } } : {}),
  }));
  await produceWithKafkajs(fresh, [messages.slice(0, 3), messages.slice(3, 200), messages.slice(200)], compression);
  const payload = await fetchBytes(fresh);
  const theirs = (await decodeWithKafkajs(payload)).responses[0]?.partitions[0];
  const ours = readFetchResponse(payload);
  const { messages: read, nextOffset } = await readRecords({
    topic: fresh.topic,
    partition: 0,
    bytes: ours.records,
    fromOffset: 0,
    aborted: ours.aborted,
  });
  expect([String(ours.highWatermark), String(ours.lastStableOffset)]).toEqual([
    theirs?.highWatermark,
    theirs?.lastStableOffset,
  ]);
  expect(nextOffset).toBe(400);
  expect(read).toHaveLength(400);
  for (const [index, message] of (theirs?.messages ?? []).entries()) {
    const mine = read[index];
    expect([String(mine?.offset), String(mine?.timestampMs)]).toEqual([message.offset, message.timestamp]);
    expect([mine?.key, mine?.value]).toEqual([message.key, message.value]);
    const flat = Object.entries(message.headers).flatMap(([name, values]) =>
      (Array.isArray(values) ? values : [values]).map((value) => ({ name, value })),
    );
    expect(mine?.headers).toEqual(flat);
  }
});

test('gzip really came over the wire', async () => {
  const fresh = await freshTopic();
  const value = 'y'.repeat(10_000);
  await produceWithKafkajs(fresh, [[{ key: 'k', value }]], CompressionTypes.GZIP);
  const payload = await fetchBytes(fresh);
  expect(payload.length).toBeLessThan(gzipSync(value).length + 500);
});
