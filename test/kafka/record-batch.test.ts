// Decoding of record batches: what kafkajs's own encoder wrote comes out whole, and hostile bytes end in a sentence.
import { createRequire } from 'node:module';

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { crc32c } from '../../kafka/crc32c.ts';
import { UnreadableRecordsError } from '../../kafka/failures.ts';
import { readRecords } from '../../kafka/record-batch.ts';
import { encodeBatch } from '../../kafka/record-encode.ts';
import type { OutgoingMessage } from '../../kafka/record-encode.ts';
import type { Message } from '../../pipeline/message.ts';

type Encoder = { readonly buffer: Buffer };
type BatchOptions = Record<string, unknown> & { readonly records: Encoder[] };
type DecodedRecord = { offset: string; timestamp: string; key: Buffer | null; value: Buffer | null };
const load = createRequire(import.meta.url);
const encodeRecord: (record: object) => Encoder = load('kafkajs/src/protocol/recordBatch/record/v0');
const { RecordBatch }: { RecordBatch: (batch: BatchOptions) => Promise<Encoder> } = load(
  'kafkajs/src/protocol/recordBatch/v0',
);
const KafkajsDecoder: new (bytes: Buffer) => object = load('kafkajs/src/protocol/decoder');
const decodeWithKafkajs: (decoder: object) => Promise<{ records: DecodedRecord[] }> = load(
  'kafkajs/src/protocol/recordBatch/v0/decoder',
);

const PLACE = { topic: 'events', partition: 3 };
const read = (
  bytes: Buffer,
  changes: { fromOffset?: number; aborted?: { producerId: number; firstOffset: number }[] } = {},
) => readRecords({ ...PLACE, bytes, fromOffset: 0, aborted: [], ...changes });

/** As if these bytes had been written so. */
function sealed(set: Buffer): Buffer {
  set.writeUInt32BE(crc32c(set.subarray(21)), 17);
  return set;
}

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: null });
const record = fc.record({
  gap: fc.nat({ max: 3 }),
  timestampDelta: fc.integer({ min: -1_000_000_000_000, max: 1_000_000_000_000 }),
  key: maybe(bytes(300)),
  value: maybe(bytes(2_000)),
  headers: fc.dictionary(fc.string({ maxLength: 200 }), fc.array(bytes(200), { minLength: 1, maxLength: 3 }), {
    maxKeys: 3,
  }),
});
const batch = fc.record({
  firstOffset: fc.nat({ max: 2 ** 31 }).map((offset) => offset * 1_000),
  firstTimestamp: fc.integer({ min: 1_000_000_000_000, max: 2_000_000_000_000 }),
  compression: fc.constantFrom(0, 1),
  records: fc.array(record, { minLength: 1, maxLength: 20 }),
});

async function encode(given: typeof batch extends fc.Arbitrary<infer Value> ? Value : never) {
  const messages: Message[] = [];
  let offset = given.firstOffset;
  const records = given.records.map(({ gap, headers, ...rest }) => {
    offset += gap;
    const flat = Object.entries(headers).flatMap(([name, values]) => values.map((value) => ({ name, value })));
    const { key, value } = rest;
    messages.push({ offset, timestampMs: given.firstTimestamp + rest.timestampDelta, key, value, headers: flat });
    const encoded = encodeRecord({ ...rest, headers, offsetDelta: offset - given.firstOffset });
    offset += 1;
    return encoded;
  });
  const lastOffsetDelta = offset - given.firstOffset - 1;
  const encoded = await RecordBatch({ ...given, maxTimestamp: 0, lastOffsetDelta, records });
  return { bytes: encoded.buffer, messages, nextOffset: offset };
}

test('batches that kafkajs encoded come out as they went in', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { maxLength: 4 }), async (given) => {
      const encoded = await Promise.all(given.map(encode));
      const result = await read(Buffer.concat(encoded.map((each) => each.bytes)));
      expect(result.messages).toEqual(encoded.flatMap((each) => each.messages));
      expect(result.nextOffset).toBe(Math.max(0, ...encoded.map((each) => each.nextOffset)));
    }),
    { numRuns: 300 },
  );
});

test('a set cut anywhere gives its whole batches and the position behind them', async () => {
  await fc.assert(
    fc.asyncProperty(batch, batch, fc.nat(), async (one, two, cut) => {
      const [first, second] = [await encode({ ...one, firstOffset: 10 }), await encode({ ...two, firstOffset: 1_000 })];
      const set = Buffer.concat([first.bytes, second.bytes.subarray(0, cut % second.bytes.length)]);
      expect(await read(set)).toEqual({ messages: first.messages, nextOffset: first.nextOffset });
    }),
  );
});

test('records below the wanted offset are dropped', async () => {
  await fc.assert(
    fc.asyncProperty(batch, fc.nat({ max: 30 }), async (given, ahead) => {
      const { bytes: set, messages, nextOffset } = await encode(given);
      const fromOffset = given.firstOffset + ahead;
      const result = await read(set, { fromOffset });
      expect(result.messages).toEqual(messages.filter(({ offset }) => offset >= fromOffset));
      expect(result.nextOffset).toBe(Math.max(fromOffset, nextOffset));
    }),
  );
});

test('broken bytes give messages or one clear sentence, never anything else', async () => {
  await fc.assert(
    fc.asyncProperty(
      batch,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 5 }),
      async (given, hits) => {
        const set = Buffer.from((await encode(given)).bytes);
        // The header of the batch stays: its length and offsets come from the broker, which checks them.
        for (const [at, byte] of hits) set[61 + (at % (set.length - 61))] = byte;
        const result = await read(sealed(set)).catch((thrown: unknown) => thrown);
        expect(!(result instanceof Error) || result instanceof UnreadableRecordsError).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});

test('one changed bit anywhere behind the length of a batch is noticed', async () => {
  await fc.assert(
    fc.asyncProperty(batch, fc.nat(), async (given, hit) => {
      const set = Buffer.from((await encode(given)).bytes);
      const bit = hit % ((set.length - 21) * 8);
      const at = 21 + Math.floor(bit / 8);
      set[at] = (set[at] ?? 0) ^ (1 << (bit % 8));
      await expect(read(set)).rejects.toThrow(
        /The batch at offset \d+ of partition 3 .* its checksum is \d+ and should be/,
      );
    }),
  );
});

test('a batch that holds more than the records it counts is broken', async () => {
  const one = { key: null, value: Buffer.from('a') };
  const set = encodeBatch([one, one], { producerId: 1, producerEpoch: 0, firstSequence: 0, nowMs: 0 });
  set.writeInt32BE(1, 57);
  await expect(read(sealed(set))).rejects.toThrow(/8 bytes are left behind its last record/);
});

test('the time that the broker appended a batch replaces the times of its records', async () => {
  const { bytes: set, messages } = await encode({
    firstOffset: 0,
    firstTimestamp: 1_700_000_000_000,
    compression: 0,
    records: [{ gap: 0, timestampDelta: 5, key: null, value: Buffer.from('a'), headers: {} }],
  });
  set.writeInt16BE(0x08, 21);
  set.writeBigInt64BE(1_800_000_000_000n, 35);
  expect((await read(sealed(set))).messages).toEqual([{ ...messages[0], timestampMs: 1_800_000_000_000 }]);
});

test('messages without headers share one empty list', async () => {
  const plain = { key: null, value: Buffer.from('a') };
  const result = await read(
    encodeBatch([plain, plain], { producerId: 1, producerEpoch: 0, firstSequence: 0, nowMs: 0 }),
  );
  expect(result.messages[0]?.headers).toBe(result.messages[1]?.headers);
});

describe('formats that are not read', () => {
  const encoded = encodeBatch([{ key: null, value: null }], {
    producerId: 1,
    producerEpoch: 0,
    firstSequence: 0,
    nowMs: 0,
  });

  test.each([0, 1])('message format %i is refused with its offset', async (magic) => {
    const set = Buffer.from(encoded);
    set[16] = magic;
    set.writeInt32BE(77, 4);
    await expect(read(set)).rejects.toThrow(/Partition 3 of topic events holds message format [01] at offset 77/);
  });

  test.each([
    [2, 'snappy'],
    [3, 'lz4'],
    [4, 'zstd'],
  ])('codec %i is named when none is registered', async (codec, name) => {
    const set = Buffer.from(encoded);
    set.writeInt16BE(codec, 21);
    const sentence = `The batch at offset 0 of partition 3 of topic events is compressed with ${name}, which`;
    await expect(read(sealed(set))).rejects.toThrow(sentence);
  });

  test('a codec that is registered with kafkajs is used', async () => {
    const { CompressionCodecs }: { CompressionCodecs: Record<number, unknown> } = load('kafkajs');
    const before = CompressionCodecs[4];
    CompressionCodecs[4] = () => ({ decompress: (packed: Buffer) => Promise.resolve(packed) });
    try {
      const set = Buffer.from(encoded);
      set.writeInt16BE(4, 21);
      expect((await read(sealed(set))).messages).toHaveLength(1);
    } finally {
      CompressionCodecs[4] = before;
    }
  });
});

describe('what the encoder writes', () => {
  const header = fc.record({ name: fc.string({ maxLength: 100 }), value: maybe(bytes(100)) });
  const outgoing = fc.record({
    key: maybe(bytes(300)),
    value: maybe(bytes(2_000)),
    timestampMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
    headers: fc.array(header, { maxLength: 4 }),
  });
  const stamp = { producerId: 2 ** 40, producerEpoch: 7, firstSequence: 12, nowMs: 1_700_000_000_000 };

  test('comes back from the decoder, doubled header names and all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(outgoing, { minLength: 1, maxLength: 20 }), async (messages: OutgoingMessage[]) => {
        const result = await read(encodeBatch(messages, stamp));
        expect(result.messages).toEqual(messages.map((message, offset) => ({ ...message, offset })));
      }),
    );
  });

  test('keeps the bytes of a header name that is not UTF-8', async () => {
    const names = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((array) => Buffer.from(array));
    await fc.assert(
      fc.asyncProperty(fc.array(names, { minLength: 1, maxLength: 4 }), async (written) => {
        const headers = written.map((nameBytes) => ({ name: nameBytes.toString(), value: null, nameBytes }));
        const [message] = (await read(encodeBatch([{ key: null, value: null, headers }], stamp))).messages;
        expect(message?.headers.map(({ name, nameBytes }) => nameBytes ?? Buffer.from(name))).toEqual(written);
      }),
    );
  });

  test('is read alike by kafkajs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(outgoing, { minLength: 1, maxLength: 20 }), async (messages: OutgoingMessage[]) => {
        const { records } = await decodeWithKafkajs(new KafkajsDecoder(encodeBatch(messages, stamp)));
        const seen = records.map(({ timestamp, key, value }) => ({ timestampMs: Number(timestamp), key, value }));
        expect(seen).toEqual(messages.map(({ timestampMs, key, value }) => ({ timestampMs, key, value })));
      }),
    );
  });
});
