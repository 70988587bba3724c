// Record batches (message format 2) become messages here: the one decode of the hot path, with no copies and no BigInt.
import { assert } from '../pipeline/ensure.ts';
import type { Header, Message } from '../pipeline/message.ts';
import { crc32c } from './crc32c.ts';
import { decompress } from './decompress.ts';
import { UnreadableRecordsError } from './failures.ts';
import type { PartitionPlace } from './failures.ts';

/** A transaction that was aborted: records of `producerId` from `firstOffset` on, up to its abort marker, never happened. */
export type AbortedTransaction = { readonly producerId: number; readonly firstOffset: number };

export type RecordSet = PartitionPlace & {
  /** Whole batches, the last one possibly cut off by the size of the fetch. */
  readonly bytes: Buffer;
  /** Records below are dropped: a fetch returns the whole batch that holds its offset. */
  readonly fromOffset: number;
  readonly aborted: readonly AbortedTransaction[];
};

/** `nextOffset` lies behind the last whole batch, so it also passes control records, aborted records and holes. */
export type ReadRecords = { readonly messages: Message[]; readonly nextOffset: number };

type Batch = {
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly attributes: number;
  readonly firstTimestampMs: number;
  readonly maxTimestampMs: number;
  readonly producerId: number;
  readonly recordCount: number;
  readonly records: Buffer;
};

const HEADER_BYTES = 61;
const LENGTH_FIELD_END = 12;
const MAGIC_AT = 16;
const CRC_AT = 17;
const CRC_COVERS_FROM = 21;
const CODEC_MASK = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const ABORT_MARKER = 0;
const TWO_TO_32 = 2 ** 32;
const NO_BYTES = Buffer.alloc(0);
/** Shared by every message without headers. */
const NO_HEADERS: readonly Header[] = Object.freeze([]);

/** An int64 as a number: exact up to 2^53, rounded beyond (only timestamps may lie there; offsets are checked). */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * TWO_TO_32 + bytes.readUInt32BE(at + 4);
}

/** Reads every message that a read-committed consumer at `fromOffset` may see. Message bytes are views into `bytes`. */
export async function readRecords(set: RecordSet): Promise<ReadRecords> {
  const messages: Message[] = [];
  const hidden = new HiddenProducers(set.aborted);
  let nextOffset = set.fromOffset;
  let at = 0;
  while (at + HEADER_BYTES <= set.bytes.length) {
    const end = at + LENGTH_FIELD_END + set.bytes.readInt32BE(at + 8);
    refuseOtherFormats(set, at);
    if (end > set.bytes.length) break;
    if (end < at + HEADER_BYTES) throw broken(set, readInt64(set.bytes, at), 'its length is impossible');
    refuseOtherBytes(set, at, end);
    const batch = readBatchHeader(set.bytes, at, end);
    if (hidden.shows(batch) && batch.nextOffset > set.fromOffset) {
      const codec = batch.attributes & CODEC_MASK;
      const place = { topic: set.topic, partition: set.partition, offset: batch.baseOffset };
      const records = codec === 0 ? batch.records : await decompress(batch.records, codec, place);
      decodeRecords({ ...batch, records }, set, messages);
    }
    nextOffset = Math.max(nextOffset, batch.nextOffset);
    at = end;
  }
  return { messages, nextOffset };
}

function refuseOtherFormats(set: RecordSet, at: number): void {
  const magic = set.bytes[at + MAGIC_AT];
  if (magic === 2) return;
  const offset = readInt64(set.bytes, at);
  throw new UnreadableRecordsError(
    { offset },
    `Partition ${set.partition} of topic ${set.topic} holds message format ${magic} at offset ${offset}; only format 2 ` +
      `(Kafka 0.11 and later) is read: copy the topic with a current producer.`,
  );
}

/** A broker trusts its disk and sends what lies there: only the checksum tells that these are the bytes that were written. */
function refuseOtherBytes(set: RecordSet, at: number, end: number): void {
  const told = set.bytes.readUInt32BE(at + CRC_AT);
  const found = crc32c(set.bytes.subarray(at + CRC_COVERS_FROM, end));
  if (found !== told) throw broken(set, readInt64(set.bytes, at), `its checksum is ${found} and should be ${told}`);
}

function readBatchHeader(bytes: Buffer, at: number, end: number): Batch {
  const baseOffset = readInt64(bytes, at);
  const nextOffset = baseOffset + bytes.readInt32BE(at + 23) + 1;
  assert(Number.isSafeInteger(nextOffset), `Offset ${nextOffset} lies past 2^53.`);
  return {
    baseOffset,
    nextOffset,
    attributes: bytes.readInt16BE(at + 21),
    firstTimestampMs: readInt64(bytes, at + 27),
    maxTimestampMs: readInt64(bytes, at + 35),
    producerId: readInt64(bytes, at + 43),
    recordCount: bytes.readInt32BE(at + 57),
    records: bytes.subarray(at + HEADER_BYTES, end),
  };
}

/** Which producers' records are hidden at this point of the log: read-committed, as Kafka's own consumer does it. */
class HiddenProducers {
  readonly #aborted: AbortedTransaction[];
  readonly #hidden = new Set<number>();
  #next = 0;

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#aborted = [...aborted].toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  shows(batch: Batch): boolean {
    for (let coming = this.#aborted[this.#next]; coming; coming = this.#aborted[this.#next]) {
      if (coming.firstOffset >= batch.nextOffset) break;
      this.#hidden.add(coming.producerId);
      this.#next += 1;
    }
    if ((batch.attributes & CONTROL) !== 0) {
      if (isAbortMarker(batch)) this.#hidden.delete(batch.producerId);
      return false;
    }
    return (batch.attributes & TRANSACTIONAL) === 0 || !this.#hidden.has(batch.producerId);
  }
}

function isAbortMarker(batch: Batch): boolean {
  if (batch.recordCount === 0) return false;
  const cursor = new Cursor(batch.records);
  cursor.varint();
  cursor.position += 1;
  cursor.varlong();
  cursor.varint();
  const key = cursor.bytes(batch.records.length);
  // The key of a control record: int16 version, int16 type.
  return key !== null && key.length >= 4 && key.readInt16BE(2) === ABORT_MARKER;
}

function broken(set: PartitionPlace, offset: number, what: string): UnreadableRecordsError {
  return new UnreadableRecordsError(
    { offset },
    `The batch at offset ${offset} of partition ${set.partition} of topic ${set.topic} is broken: ${what}; check the ` +
      `broker's disk and log.`,
  );
}

function decodeRecords(batch: Batch, set: RecordSet, into: Message[]): void {
  const { records } = batch;
  const { fromOffset } = set;
  const appendTimeMs = (batch.attributes & LOG_APPEND_TIME) === 0 ? null : batch.maxTimestampMs;
  const cursor = new Cursor(records);
  for (let index = 0; index < batch.recordCount; index += 1) {
    const length = cursor.varint();
    const end = cursor.position + length;
    if (length < 0 || end > records.length) throw broken(set, batch.baseOffset, `record ${index} ends outside of it`);
    cursor.position += 1; // attributes of a record: none are defined
    const timestampMs = appendTimeMs ?? batch.firstTimestampMs + cursor.varlong();
    if (appendTimeMs !== null) cursor.varlong();
    const offset = batch.baseOffset + cursor.varint();
    if (offset >= fromOffset) {
      const key = cursor.bytes(end);
      const value = cursor.bytes(end);
      const headers = cursor.headers(end);
      if (cursor.position > end) throw broken(set, batch.baseOffset, `record ${index} is longer than it says`);
      into.push({ offset, timestampMs, key, value, headers });
    }
    cursor.position = end;
  }
  const leftBytes = records.length - cursor.position;
  if (leftBytes > 0) throw broken(set, batch.baseOffset, `${leftBytes} bytes are left behind its last record`);
}

/** Walks over the bytes of records. Reading past the end gives zeros; the checks of the caller then find the overrun. */
class Cursor {
  position = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** A zigzag varint of 32 bits. */
  varint(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.position++] ?? 0;
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80 && shift < 35; shift += 7) {
      byte = bytes[this.position++] ?? 0;
      value |= (byte & 0x7f) << shift;
    }
    return (value >>> 1) ^ -(value & 1);
  }

  /** A zigzag varint of 64 bits as a number: 28 bits at a time, because shifts work on 32. */
  varlong(): number {
    const bytes = this.#bytes;
    let value = 0;
    let scale = 1;
    let byte = 0x80;
    for (let read = 0; byte >= 0x80 && read < 10; read += 1) {
      byte = bytes[this.position++] ?? 0;
      value += (byte & 0x7f) * scale;
      scale *= 128;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A length and that many bytes, as a view; null for length -1. Past `end` the position alone moves. */
  bytes(end: number): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const from = this.position;
    this.position = from + length;
    return this.#bytes.subarray(from, Math.min(this.position, end));
  }

  headers(end: number): readonly Header[] {
    const count = this.varint();
    if (count <= 0) return NO_HEADERS;
    const headers: Header[] = [];
    for (let index = 0; index < count && this.position <= end; index += 1) {
      const nameBytes = this.bytes(end) ?? NO_BYTES;
      const name = nameBytes.toString('utf8');
      const value = this.bytes(end);
      const isBroken = name.includes('\uFFFD') && !nameBytes.equals(Buffer.from(name));
      headers.push(isBroken ? { name, value, nameBytes } : { name, value });
    }
    return headers;
  }
}
