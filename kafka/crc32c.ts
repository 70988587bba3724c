// The checksum of record batches: CRC-32C (Castagnoli), eight bytes a step, because every byte that is written passes here.

const POLYNOMIAL = 0x82f63b78;
const LANES = 8;

/** `TABLE[lane * 256 + byte]`: what `byte` adds to the checksum when `lane` more bytes follow it in the same step. */
const TABLE = buildTable();

function buildTable(): Int32Array {
  const table = new Int32Array(LANES * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    table[byte] = value;
  }
  for (let at = 256; at < table.length; at += 1) {
    const before = table[at - 256] ?? 0;
    table[at] = (before >>> 8) ^ (table[before & 0xff] ?? 0);
  }
  return table;
}

/** CRC-32C of `bytes`, unsigned. */
export function crc32c(bytes: Buffer): number {
  const table = TABLE;
  let crc = -1;
  let at = 0;
  // Written out: with a function for each look-up this takes four times as long.
  for (; at + LANES <= bytes.length; at += LANES) {
    const b0 = (crc ^ (bytes[at] ?? 0)) & 0xff;
    const b1 = ((crc >>> 8) ^ (bytes[at + 1] ?? 0)) & 0xff;
    const b2 = ((crc >>> 16) ^ (bytes[at + 2] ?? 0)) & 0xff;
    const b3 = ((crc >>> 24) ^ (bytes[at + 3] ?? 0)) & 0xff;
    crc =
      (table[1792 + b0] ?? 0) ^
      (table[1536 + b1] ?? 0) ^
      (table[1280 + b2] ?? 0) ^
      (table[1024 + b3] ?? 0) ^
      (table[768 + (bytes[at + 4] ?? 0)] ?? 0) ^
      (table[512 + (bytes[at + 5] ?? 0)] ?? 0) ^
      (table[256 + (bytes[at + 6] ?? 0)] ?? 0) ^
      (table[bytes[at + 7] ?? 0] ?? 0);
  }
  for (; at < bytes.length; at += 1) crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return ~crc >>> 0;
}
