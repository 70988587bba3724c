// A reader that the broker throttles by quota: it slows down, says so, and loses nothing.
import { randomUUID } from 'node:crypto';

import { expect, test } from 'vitest';

import { BrokerLink } from '../../kafka/broker-link.ts';
import { freshTopic, produceWithKafkajs, withReader } from './fresh-topic.ts';

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

/** AlterClientQuotas, version 0, which kafkajs doesn't have. */
async function limitConsumer(brokers: string[], clientId: string, bytesPerSecond: number): Promise<void> {
  const rate = Buffer.alloc(8);
  rate.writeDoubleBE(bytesPerSecond);
  const entity = Buffer.concat([int32(1), text('client-id'), text(clientId)]);
  const change = Buffer.concat([int32(1), text('consumer_byte_rate'), rate, Buffer.from([0])]);
  const buffer = Buffer.concat([int32(1), entity, change, Buffer.from([0])]);
  const link = new BrokerLink({ brokers });
  try {
    const broker = await link.anyBroker();
    const answer = await broker.connectionPool.send<{ payload: Buffer }>({
      request: {
        apiKey: 49,
        apiVersion: 0,
        apiName: 'AlterClientQuotas',
        encode: () => Promise.resolve({ buf: buffer, buffer }),
      },
      response: { decode: (payload) => Promise.resolve({ payload }), parse: (decoded) => Promise.resolve(decoded) },
    });
    // throttle time, count of entries, then the error code of the first
    expect(answer.payload.readInt16BE(8)).toBe(0);
  } finally {
    link.close('The quota is set.');
  }
}

test('a throttled reader waits as long as it is told, says why, and reads everything once', async () => {
  const fresh = await freshTopic();
  const clientId = `test-${randomUUID()}`;
  await limitConsumer(fresh.brokers, clientId, 20_000);
  const batch = Array.from({ length: 50 }, (_, index) => ({ key: `k${index}`, value: 'x'.repeat(2_000) }));
  await produceWithKafkajs(fresh, [batch, batch, batch]);
  await withReader(fresh, { clientId, maxBytes: 1_000 }, async (reader) => {
    const offsets: number[] = [];
    const reasons: string[] = [];
    const watch = setInterval(() => reasons.push(reader.waitingFor() ?? ''), 10);
    while (offsets.length < 150) {
      const fetched = await reader.next();
      expect(fetched.endOffset).toBe(150);
      offsets.push(...fetched.messages.map(({ offset }) => offset));
    }
    clearInterval(watch);
    expect(offsets).toEqual(Array.from({ length: 150 }, (_, index) => index));
    expect(reasons.join('\n')).toMatch(/Kafka throttles this client for \d+ ms more/);
  });
});
