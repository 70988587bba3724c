// One Produce request: a batch for each of some partitions, all led by one broker, and what Kafka said about each.
import { assert } from '../pipeline/ensure.ts';
import { unjudgedRequest } from './kafkajs-internals.ts';
import type { Broker } from './kafkajs-internals.ts';
import { throwProtocolError } from './trouble.ts';

export type PartitionBatch = { readonly partition: number; readonly bytes: Buffer };
/** The identity under which Kafka recognizes a batch that comes twice. */
export type ProducerIdentity = { readonly producerId: number; readonly producerEpoch: number };

type ProduceAnswer = {
  readonly topics: readonly {
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[];
  }[];
};
type IdentityAnswer = { readonly errorCode: number; readonly producerId: string; readonly producerEpoch: number };

/** Confirmed only when every in-sync replica has it. */
const ACKS_OF_ALL = -1;
/** Below the request timeout, so that the broker gives up before the client does. */
const TIMEOUT_MS = 15_000;
/** Record batches came with version 3. */
const FIRST_VERSION_WITH_BATCHES = 3;

/** Asks any broker for a new identity. Throws PassingError or KafkaRefusedError. */
export async function newIdentity(broker: Broker): Promise<ProducerIdentity> {
  const options = { transactionalId: undefined, transactionTimeout: 60_000 };
  const request = unjudgedRequest<IdentityAnswer>(broker, 'InitProducerId', options);
  const { errorCode, producerId, producerEpoch } = await broker.connectionPool.send(request);
  throwProtocolError(errorCode, { sentence: 'Kafka lets this client write nothing', advice: 'check its rights' });
  return { producerId: Number(producerId), producerEpoch };
}

/** Sends `batches` to their leader; the error code of each partition that the answer names (0: written). */
export async function produce(
  leader: Broker,
  topic: string,
  batches: readonly PartitionBatch[],
): Promise<Map<number, number>> {
  const request = unjudgedRequest<ProduceAnswer>(leader, 'Produce', {
    acks: ACKS_OF_ALL,
    timeout: TIMEOUT_MS,
    topicData: [],
  });
  assert(request.request.apiVersion >= FIRST_VERSION_WITH_BATCHES, 'This Kafka broker is older than 0.11: update it.');
  // kafkajs's encoder makes an object and a 512-byte buffer per message; only its connection and decoder are used here.
  const encode = () => {
    const buffer = encodeRequest(topic, batches);
    return Promise.resolve({ buf: buffer, buffer });
  };
  const answer = await leader.connectionPool.send({ ...request, request: { ...request.request, encode } });
  const partitions = answer.topics.flatMap((each) => each.partitions);
  return new Map(partitions.map(({ partition, errorCode }) => [partition, errorCode]));
}

function encodeRequest(topic: string, batches: readonly PartitionBatch[]): Buffer {
  const name = Buffer.from(topic);
  const head = Buffer.alloc(2 + 2 + 4 + 4 + 2 + name.length + 4);
  head.writeInt16BE(-1, 0); // no transaction
  head.writeInt16BE(ACKS_OF_ALL, 2);
  head.writeInt32BE(TIMEOUT_MS, 4);
  head.writeInt32BE(1, 8); // one topic
  head.writeInt16BE(name.length, 12);
  name.copy(head, 14);
  head.writeInt32BE(batches.length, 14 + name.length);
  const parts = batches.flatMap(({ partition, bytes }) => {
    const partHead = Buffer.alloc(8);
    partHead.writeInt32BE(partition, 0);
    partHead.writeInt32BE(bytes.length, 4);
    return [partHead, bytes];
  });
  return Buffer.concat([head, ...parts]);
}
