// Where a partition's log starts and ends, asked of its leader.
import { parseOffset } from '../pipeline/offset.ts';
import { unjudgedRequest } from './kafkajs-internals.ts';
import type { Broker } from './kafkajs-internals.ts';
import { throwProtocolError } from './trouble.ts';

/** `logStartOffset` is the first offset still stored; `endOffset` the last stable one, where a read-committed reader stops. */
export type PartitionOffsets = {
  readonly partition: number;
  readonly logStartOffset: number;
  readonly endOffset: number;
};

type ListOffsetsAnswer = {
  readonly responses: readonly {
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number; readonly offset: string }[];
  }[];
};

const EARLIEST = -2;
const LATEST = -1;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;

/** Start and end of the logs of `partitions`, all led by `broker`. Throws PassingError or KafkaRefusedError. */
export async function lookUpOffsets(
  broker: Broker,
  what: { readonly topic: string; readonly partitions: readonly number[]; readonly end?: 'stable' | 'written' },
): Promise<PartitionOffsets[]> {
  const isolationLevel = what.end === 'written' ? READ_UNCOMMITTED : READ_COMMITTED;
  const ask = async (timestamp: number): Promise<Map<number, number>> => {
    const partitions = what.partitions.map((partition) => ({ partition, timestamp }));
    const topics = [{ topic: what.topic, partitions }];
    const request = unjudgedRequest<ListOffsetsAnswer>(broker, 'ListOffsets', { isolationLevel, topics });
    return readOffsets(await broker.connectionPool.send(request), what.topic);
  };
  const [starts, ends] = await Promise.all([ask(EARLIEST), ask(LATEST)]);
  return what.partitions.map((partition) => ({
    partition,
    logStartOffset: starts.get(partition) ?? -1,
    endOffset: ends.get(partition) ?? -1,
  }));
}

function readOffsets(answer: ListOffsetsAnswer, topic: string): Map<number, number> {
  const offsets = new Map<number, number>();
  for (const found of answer.responses.flatMap((response) => response.partitions)) {
    const sentence = `Kafka does not say where partition ${found.partition} of topic ${topic} starts and ends`;
    throwProtocolError(found.errorCode, { sentence });
    offsets.set(found.partition, parseOffset(found.offset));
  }
  return offsets;
}
