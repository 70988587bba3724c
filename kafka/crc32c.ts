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
  const entry = (lane: number, byte: number): number => table[lane * 256 + (byte & 0xff)] ?? 0;
  let crc = -1;
  let at = 0;
  for (; at + LANES <= bytes.length; at += LANES) {
    const low = crc ^ bytes.readInt32LE(at);
    const high = bytes.readInt32LE(at + 4);
    crc =
      entry(7, low) ^
      entry(6, low >>> 8) ^
      entry(5, low >>> 16) ^
      entry(4, low >>> 24) ^
      entry(3, high) ^
      entry(2, high >>> 8) ^
      entry(1, high >>> 16) ^
      entry(0, high >>> 24);
  }
  for (; at < bytes.length; at += 1) crc = (crc >>> 8) ^ entry(0, crc ^ (bytes[at] ?? 0));
  return ~crc >>> 0;
}
