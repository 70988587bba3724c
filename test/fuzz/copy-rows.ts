// Reads binary COPY data back, field by field as PostgreSQL's documents describe it, with nothing of the encoder's.

export type ColumnKind =
  | 'text' | 'int4' | 'int8' | 'bool' | 'uuid' | 'timestamptz' | 'numeric' | 'text[]' | 'int4[]' | 'jsonb' | 'bytea'; // prettier-ignore

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const NUMERIC_SIGNS = new Map([
  [0x0000, 1n],
  [0x4000, -1n],
]);
/** Epoch microseconds of 2000-01-01, where PostgreSQL begins to count. */
const POSTGRES_EPOCH_US = 946_684_800_000_000n;

/** The rows of COPY data whose columns are of these kinds. Throws a sentence where the data is not what the format asks for. */
export function copyRows(data: Buffer, kinds: readonly ColumnKind[]): unknown[][] {
  check(data.subarray(0, 11).equals(SIGNATURE), 'the data does not begin with the signature');
  let at = 19;
  const rows: unknown[][] = [];
  for (;;) {
    const fields = data.readInt16BE(at);
    at += 2;
    if (fields === -1) break;
    check(fields === kinds.length, `a row has ${fields} fields`);
    rows.push(
      kinds.map((kind) => {
        const length = data.readInt32BE(at);
        at += 4;
        if (length === -1) return null;
        check(length >= 0 && at + length <= data.length, `a ${kind} has ${length} bytes`);
        at += length;
        return READERS[kind](data.subarray(at - length, at));
      }),
    );
  }
  check(at === data.length, 'bytes are left behind the trailer');
  return rows;
}

const READERS: Readonly<Record<ColumnKind, (bytes: Buffer) => unknown>> = {
  text: textOf,
  jsonb: (bytes) => {
    check(bytes[0] === 1, 'jsonb is not of version 1');
    return textOf(bytes.subarray(1));
  },
  bytea: (bytes) => bytes.toString('base64'),
  uuid: (bytes) => sized(bytes, 16).toString('hex'),
  bool: (bytes) => {
    check((sized(bytes, 1)[0] ?? 2) <= 1, 'a bool is neither 0 nor 1');
    return bytes[0] === 1;
  },
  int4: (bytes) => sized(bytes, 4).readInt32BE(),
  int8: (bytes) => sized(bytes, 8).readBigInt64BE(),
  timestamptz: (bytes) => sized(bytes, 8).readBigInt64BE() + POSTGRES_EPOCH_US,
  numeric: centsOf,
  'text[]': (bytes) => elementsOf(bytes, 25, textOf),
  'int4[]': (bytes) => elementsOf(bytes, 23, (element) => sized(element, 4).readInt32BE()),
};

function textOf(bytes: Buffer): string {
  check(!bytes.includes(0), 'a text holds U+0000');
  return UTF8.decode(bytes);
}

/** Hundredths of a numeric of two places. */
function centsOf(bytes: Buffer): bigint {
  const digits = bytes.readInt16BE(0);
  const weight = bytes.readInt16BE(2);
  const sign = NUMERIC_SIGNS.get(bytes.readUInt16BE(4));
  check(sign !== undefined, 'a numeric is NaN or infinite');
  check(bytes.readInt16BE(6) === 2, 'a numeric has not two places');
  check(bytes.length === 8 + 2 * digits, 'a numeric is not as long as it says');
  // In units of 10^-4: weight counts groups of four digits.
  let units = 0n;
  for (let index = 0; index < digits; index += 1) {
    const digit = bytes.readInt16BE(8 + 2 * index);
    check(digit >= 0 && digit < 10_000, 'a digit of a numeric is not below 10,000');
    check(weight - index >= -1, 'a numeric has more than four places');
    units += BigInt(digit) * 10_000n ** BigInt(weight - index + 1);
  }
  check(units % 100n === 0n, 'a numeric is no whole number of cents');
  return ((sign ?? 1n) * units) / 100n;
}

function elementsOf<T>(bytes: Buffer, elementOid: number, read: (element: Buffer) => T): T[] {
  const [dimensions, nulls, oid, length, lowerBound] = [0, 4, 8, 12, 16].map((at) => bytes.readInt32BE(at));
  check(dimensions === 1 && nulls === 0 && oid === elementOid && lowerBound === 1, 'an array is not a plain list');
  const elements: T[] = [];
  let at = 20;
  for (let index = 0; index < (length ?? 0); index += 1) {
    const size = bytes.readInt32BE(at);
    check(size >= 0, 'an element of an array is null');
    elements.push(read(bytes.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  check(at === bytes.length, 'an array is not as long as it says');
  return elements;
}

function sized(bytes: Buffer, length: number): Buffer {
  check(bytes.length === length, `${bytes.length} bytes are there in place of ${length}`);
  return bytes;
}

function check(holds: boolean, whatIsWrong: string): void {
  if (!holds) throw new Error(`COPY: ${whatIsWrong}.`);
}
