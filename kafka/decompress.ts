// Decompression of record batches: gzip by Node itself, the other codecs of Kafka by what is registered with kafkajs.
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

import { messageOf } from '../pipeline/ensure.ts';
import { UnreadableRecordsError } from './failures.ts';
import type { PartitionPlace } from './failures.ts';
import { registeredCodec } from './kafkajs-internals.ts';

const CODEC_NAMES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
/** Far above what one batch of honest events unpacks to; below what would end the process. */
const MAX_UNPACKED_BYTES = 512 * 1024 * 1024;

const unpackGzip = promisify(gunzip);

/** The records of one batch, unpacked. Throws UnreadableRecordsError naming codec, partition and offset when it can't. */
export async function decompress(
  packed: Buffer,
  codec: number,
  place: PartitionPlace & { readonly offset: number },
): Promise<Buffer> {
  const name = CODEC_NAMES[codec] ?? `codec ${codec}`;
  const where = `the batch at offset ${place.offset} of partition ${place.partition} of topic ${place.topic}`;
  try {
    if (codec === 1) return await unpackGzip(packed, { maxOutputLength: MAX_UNPACKED_BYTES });
    const registered = registeredCodec(codec);
    if (registered) return await registered.decompress(packed);
  } catch (thrown) {
    throw new UnreadableRecordsError(place, `${name} could not unpack ${where} (${messageOf(thrown)}).`, {
      cause: thrown,
    });
  }
  throw new UnreadableRecordsError(
    place,
    `${where[0]?.toUpperCase()}${where.slice(1)} is compressed with ${name}, which this build can't read: ` +
      `let producers use gzip or none, or register a ${name} codec with kafkajs's CompressionCodecs.`,
  );
}
