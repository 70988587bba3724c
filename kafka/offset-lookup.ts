// Where a partition's log starts and ends, and where a time lies in it, asked of its leader.
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

/** The same with `atOffset`: the first offset whose Kafka timestamp is at or after a time; the end when there is none. */
export type OffsetsAtTime = PartitionOffsets & { readonly atOffset: number };

type ListOffsetsAnswer = {
  readonly responses: readonly {
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number; readonly offset: string }[];
  }[];
};

type Lookup = { readonly topic: string; readonly partitions: readonly number[]; readonly end?: 'stable' | 'written' };

const EARLIEST = -2;
const LATEST = -1;
const NO_SUCH_OFFSET = -1;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;

/** Start and end of the logs of `partitions`, all led by `broker`. Throws PassingError or KafkaRefusedError. */
export async function lookUpOffsets(broker: Broker, what: Lookup): Promise<PartitionOffsets[]> {
  const [starts, ends] = await Promise.all([ask(broker, what, EARLIEST), ask(broker, what, LATEST)]);
  return what.partitions.map((partition) => ({
    partition,
    logStartOffset: starts.get(partition) ?? -1,
    endOffset: ends.get(partition) ?? -1,
  }));
}

/** The same, and where `timeMs` (epoch ms by the records' Kafka timestamps) lies. */
export async function lookUpOffsetsAt(broker: Broker, what: Lookup, timeMs: number): Promise<OffsetsAtTime[]> {
  // The ends first: a message that is written meanwhile must not lie before an end that stands for "no such message".
  const logs = await lookUpOffsets(broker, what);
  const found = await ask(broker, what, Math.max(0, timeMs));
  return logs.map(({ partition, logStartOffset, endOffset }) => {
    const at = found.get(partition) ?? NO_SUCH_OFFSET;
    return { partition, logStartOffset, endOffset, atOffset: at === NO_SUCH_OFFSET ? endOffset : at };
  });
}

async function ask(broker: Broker, { topic, end, ...what }: Lookup, timestamp: number): Promise<Map<number, number>> {
  const isolationLevel = end === 'written' ? READ_UNCOMMITTED : READ_COMMITTED;
  const partitions = what.partitions.map((partition) => ({ partition, timestamp }));
  const topics = [{ topic, partitions }];
  const request = unjudgedRequest<ListOffsetsAnswer>(broker, 'ListOffsets', { isolationLevel, topics });
  return readOffsets(await broker.connectionPool.send(request), topic);
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
