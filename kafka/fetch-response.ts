// The answer to a Fetch of one partition (version 11), read straight from its bytes: position of the log, and its records.
import { assert } from '../pipeline/ensure.ts';
import type { AbortedTransaction } from './record-batch.ts';
import { readInt64 } from './record-batch.ts';

/**
 * Offsets are -1 where the broker gave an error instead, and -1 without an error when it throttles: then it answers with
 * nothing at all. `records` is a view into the answer, which nobody else uses.
 */
export type FetchResponse = {
  readonly throttleMs: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  readonly records: Buffer;
};

const NO_RECORDS = Buffer.alloc(0);

function failed(throttleMs: number, errorCode: number): FetchResponse {
  const unknown = -1;
  return {
    throttleMs,
    errorCode,
    highWatermark: unknown,
    lastStableOffset: unknown,
    logStartOffset: unknown,
    aborted: [],
    records: NO_RECORDS,
  };
}

/** Reads a Fetch v11 answer that holds one topic with one partition, as one was asked for. Throws when it is torn. */
export function readFetchResponse(payload: Buffer): FetchResponse {
  try {
    return readWhole(payload);
  } catch (thrown) {
    // Node's way to say that the bytes ended too early.
    if (!(thrown instanceof RangeError)) throw thrown;
    throw new Error(`Kafka's answer to a Fetch is torn: it ends after ${payload.length} bytes.`, { cause: thrown });
  }
}

function readWhole(payload: Buffer): FetchResponse {
  const throttleMs = payload.readInt32BE(0);
  const errorCode = payload.readInt16BE(4);
  const topicCount = payload.readInt32BE(10);
  if (errorCode !== 0 || topicCount <= 0) return failed(throttleMs, errorCode);
  let at = 14;
  at += 2 + payload.readInt16BE(at);
  const partitionCount = payload.readInt32BE(at);
  assert(topicCount === 1 && partitionCount === 1, 'Kafka answered a Fetch of one partition with several.');
  at += 8;
  const partitionError = payload.readInt16BE(at);
  if (partitionError !== 0) return failed(throttleMs, partitionError);
  const highWatermark = readInt64(payload, at + 2);
  const lastStableOffset = readInt64(payload, at + 10);
  const logStartOffset = readInt64(payload, at + 18);
  const abortedCount = payload.readInt32BE(at + 26);
  at += 30;
  const aborted: AbortedTransaction[] = [];
  for (let index = 0; index < abortedCount; index += 1) {
    aborted.push({ producerId: readInt64(payload, at), firstOffset: readInt64(payload, at + 8) });
    at += 16;
  }
  at += 4; // preferred read replica: only for consumers that name a rack
  const size = payload.readInt32BE(at);
  const there = payload.length - at - 4;
  assert(size <= there, `Kafka's answer to a Fetch is torn: it holds ${there} of ${size} bytes of records.`);
  const records = size > 0 ? payload.subarray(at + 4, at + 4 + size) : NO_RECORDS;
  return { throttleMs, errorCode, highWatermark, lastStableOffset, logStartOffset, aborted, records };
}
