// Messages become a record batch (message format 2) here: one buffer, written once, in about a tenth of kafkajs's time.
import type { Header } from '../pipeline/message.ts';
import { crc32c } from './crc32c.ts';

/** A message to write. Without `timestampMs` it gets the time of sending; a null value is a tombstone. */
export type OutgoingMessage = {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestampMs?: number | undefined;
  readonly headers?: readonly Header[] | undefined;
};

/** Who writes, and the number of the first message in that producer's row of messages for the partition. */
export type BatchStamp = {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly nowMs: number;
};

const HEADER_BYTES = 61;
const CRC_AT = 17;
const CRC_COVERS_FROM = 21;
const LONGEST_VARINT = 5;
/** Length, attributes, timestamp and offset deltas, and the lengths of key, value and headers, at their longest. */
const RECORD_OVERHEAD = 1 + 10 + 5 * LONGEST_VARINT;
const TWO_TO_32 = 2 ** 32;

const lengthOf = (bytes: Buffer | null): number => bytes?.length ?? 0;
const nameOf = ({ name, nameBytes }: Header): Buffer => nameBytes ?? Buffer.from(name);

/** The most bytes that `message` can take in a batch. */
export function encodedSizeLimit(message: OutgoingMessage): number {
  let size = RECORD_OVERHEAD + lengthOf(message.key) + lengthOf(message.value);
  for (const header of message.headers ?? []) {
    size += 2 * LONGEST_VARINT + nameOf(header).length + lengthOf(header.value);
  }
  return size;
}

/** One uncompressed batch that holds `messages` in order. */
export function encodeBatch(messages: readonly OutgoingMessage[], stamp: BatchStamp): Buffer {
  const sizeLimit = messages.reduce((size, message) => size + encodedSizeLimit(message), HEADER_BYTES);
  const bytes = Buffer.allocUnsafe(sizeLimit);
  const timestamps = messages.map((message) => message.timestampMs ?? stamp.nowMs);
  const firstTimestampMs = timestamps[0] ?? stamp.nowMs;
  const writer = new RecordWriter(bytes, HEADER_BYTES);
  for (const [index, message] of messages.entries()) {
    writer.record(message, (timestamps[index] ?? firstTimestampMs) - firstTimestampMs, index);
  }
  const end = writer.position;
  const maxTimestampMs = timestamps.reduce((max, each) => Math.max(max, each), firstTimestampMs);
  writeInt64(bytes, 0, 0); // base offset: the broker's to set
  bytes.writeInt32BE(end - 12, 8);
  bytes.writeInt32BE(-1, 12); // leader epoch: the broker's to set
  bytes.writeInt8(2, 16);
  bytes.writeInt16BE(0, 21); // no compression, time of creation
  bytes.writeInt32BE(messages.length - 1, 23);
  writeInt64(bytes, firstTimestampMs, 27);
  writeInt64(bytes, maxTimestampMs, 35);
  writeInt64(bytes, stamp.producerId, 43);
  bytes.writeInt16BE(stamp.producerEpoch, 51);
  bytes.writeInt32BE(stamp.firstSequence, 53);
  bytes.writeInt32BE(messages.length, 57);
  bytes.writeUInt32BE(crc32c(bytes.subarray(CRC_COVERS_FROM, end)), CRC_AT);
  return bytes.subarray(0, end);
}

function writeInt64(bytes: Buffer, value: number, at: number): void {
  bytes.writeInt32BE(Math.floor(value / TWO_TO_32), at);
  bytes.writeUInt32BE(value >>> 0, at + 4);
}

/** Zigzag: small numbers of either sign become small unsigned ones. */
const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);

function varintSize(value: number): number {
  let size = 1;
  for (let rest = zigzag(value); rest >= 128; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

class RecordWriter {
  position: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, position: number) {
    this.#bytes = bytes;
    this.position = position;
  }

  record(message: OutgoingMessage, timestampDelta: number, offsetDelta: number): void {
    const { key, value } = message;
    const headers = message.headers ?? [];
    this.#varint(bodySize(message, timestampDelta, offsetDelta));
    this.#bytes[this.position++] = 0; // attributes of a record: none are defined
    this.#varint(timestampDelta);
    this.#varint(offsetDelta);
    this.#field(key);
    this.#field(value);
    this.#varint(headers.length);
    for (const header of headers) {
      this.#field(nameOf(header));
      this.#field(header.value);
    }
  }

  #varint(value: number): void {
    let rest = zigzag(value);
    // Division, not shifts: a timestamp delta may need more than 32 bits.
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[this.position++] = (rest % 128) | 0x80;
    this.#bytes[this.position++] = rest;
  }

  #field(bytes: Buffer | null): void {
    this.#varint(bytes === null ? -1 : bytes.length);
    if (bytes !== null) this.position += bytes.copy(this.#bytes, this.position);
  }
}

function fieldSize(bytes: Buffer | null): number {
  return bytes === null ? 1 : varintSize(bytes.length) + bytes.length;
}

function bodySize(message: OutgoingMessage, timestampDelta: number, offsetDelta: number): number {
  const headers = message.headers ?? [];
  let size = 1 + varintSize(timestampDelta) + varintSize(offsetDelta) + varintSize(headers.length);
  size += fieldSize(message.key) + fieldSize(message.value);
  for (const header of headers) size += fieldSize(nameOf(header)) + fieldSize(header.value);
  return size;
}
