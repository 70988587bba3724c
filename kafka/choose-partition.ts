// Which partition a key belongs to: murmur2 as Kafka's Java clients compute it, so that every producer agrees.

const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;

/** The partition of `key` among `partitionCount`; the same as Java's and kafkajs's default partitioner. */
export function partitionOf(key: Buffer, partitionCount: number): number {
  return (murmur2(key) & 0x7fffffff) % partitionCount;
}

function murmur2(bytes: Buffer): number {
  const { length } = bytes;
  const whole = length - (length % 4);
  let hash = SEED ^ length;
  for (let at = 0; at < whole; at += 4) {
    let part = Math.imul(bytes.readInt32LE(at), MULTIPLIER);
    part = Math.imul(part ^ (part >>> 24), MULTIPLIER);
    hash = Math.imul(hash, MULTIPLIER) ^ part;
  }
  if (length > whole) hash = Math.imul(hash ^ bytes.readUIntLE(whole, length - whole), MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}
