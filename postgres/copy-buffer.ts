// The bytes of a binary COPY: PostgreSQL's types written one after another into one growing, reused buffer.

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
/** 2000-01-01T00:00:00Z, where PostgreSQL's timestamps begin, in epoch ms. */
const POSTGRES_EPOCH_MS = 946_684_800_000;
/** Years 1 and 9999: what a record's own Kafka timestamp says is up to its sender, and must not fail a batch. */
const EARLIEST_MS = -62_135_596_800_000;
const LATEST_MS = 253_402_300_799_999;

/** Epoch milliseconds that a stranger chose: beyond the years 1 to 9999 the nearest instant within them. */
export function storableMs(ms: number): number {
  return Math.max(EARLIEST_MS, Math.min(LATEST_MS, ms));
}

/** What ends the rows: a row of -1 fields. */
const TRAILER = Buffer.from([0xff, 0xff]);

/** Several finished data of one table's columns as one. */
export function joinCopies(copies: readonly Buffer[]): Buffer {
  const rows = copies.map((data) => data.subarray(SIGNATURE.length, -TRAILER.length));
  return Buffer.concat([SIGNATURE, ...rows, TRAILER]);
}

const TEXT_OID = 25;
const INT4_OID = 23;
const NUMERIC_BASE = 10_000;
const NUMERIC_NEGATIVE = 0x4000;

/** Value of each character code as a hex digit. */
const HEX = new Uint8Array(128);
for (let digit = 0; digit < 16; digit++) {
  HEX[digit.toString(16).charCodeAt(0)] = digit;
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/**
 * Format: https://www.postgresql.org/docs/18/sql-copy.html, "Binary Format". Each method appends one field, null as -1.
 * Call `begin`, then `row` and its fields for each row, then `end`.
 */
export class CopyBuffer {
  #bytes = Buffer.allocUnsafe(1 << 20);
  #at = 0;

  begin(): void {
    SIGNATURE.copy(this.#bytes);
    this.#at = SIGNATURE.length;
  }

  /** Starts a row of `fields` fields. `maxBytes`: no less than what they will take, so that no field has to check. */
  row(fields: number, maxBytes: number): void {
    const needed = this.#at + maxBytes + 4 * fields + 2;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, needed));
      this.#bytes.copy(larger, 0, 0, this.#at);
      this.#bytes = larger;
    }
    this.#int16(fields);
  }

  /** The finished data; it stays valid until the next `begin`. */
  end(): Buffer {
    this.row(-1 & 0xffff, 0);
    return this.#bytes.subarray(0, this.#at);
  }

  null(): void {
    this.#int32(-1);
  }

  int4(value: number | null | undefined): void {
    if (value === null || value === undefined) return this.null();
    this.#int32(4);
    this.#int32(value);
  }

  bool(value: boolean | null | undefined): void {
    if (value === null || value === undefined) return this.null();
    this.#int32(1);
    this.#bytes[this.#at++] = value ? 1 : 0;
  }

  /** A whole number below 2^53. */
  int8(value: number): void {
    this.#int32(8);
    this.#int64(value);
  }

  /** Epoch milliseconds and the microseconds (0 to 999) below them; split, because years far off exceed 2^53 microseconds. */
  timestamptz(ms: number, us: number): void {
    const sinceEpochMs = ms - POSTGRES_EPOCH_MS;
    this.#int32(8);
    const high = Math.floor(sinceEpochMs / 4_294_967_296);
    const low = (sinceEpochMs - high * 4_294_967_296) * 1000 + us;
    const carry = Math.floor(low / 4_294_967_296);
    this.#int32(high * 1000 + carry);
    this.#at = this.#bytes.writeUInt32BE(low - carry * 4_294_967_296, this.#at);
  }

  /** Epoch milliseconds that a stranger chose: see `storableMs`. */
  clampedTimestamptz(ms: number): void {
    this.timestamptz(storableMs(ms), 0);
  }

  text(value: string | null | undefined): void {
    if (value === null || value === undefined) return this.null();
    const lengthAt = this.#at;
    const bytes = this.#bytes.write(value, lengthAt + 4, 'utf8');
    this.#bytes.writeInt32BE(bytes, lengthAt);
    this.#at = lengthAt + 4 + bytes;
  }

  bytea(value: Buffer | null): void {
    if (value === null) return this.null();
    this.#int32(value.length);
    value.copy(this.#bytes, this.#at);
    this.#at += value.length;
  }

  /** jsonb from JSON text: a version byte goes before the text. */
  jsonb(json: string | null): void {
    if (json === null) return this.null();
    const lengthAt = this.#at;
    this.#bytes[lengthAt + 4] = 1;
    const bytes = this.#bytes.write(json, lengthAt + 5, 'utf8') + 1;
    this.#bytes.writeInt32BE(bytes, lengthAt);
    this.#at = lengthAt + 4 + bytes;
  }

  /** A uuid in its 36-character form, either case. */
  uuid(value: string): void {
    this.#int32(16);
    for (let i = 0; i < 36; i += 2) {
      if (value.charCodeAt(i) === 45) i++;
      this.#bytes[this.#at++] = ((HEX[value.charCodeAt(i)] ?? 0) << 4) | (HEX[value.charCodeAt(i + 1)] ?? 0);
    }
  }

  /** A decimal of two places, given as a number within 1e-6 of one: numeric(n, 2) in base-10000 digits. */
  money(value: number | null | undefined): void {
    if (value === null || value === undefined) return this.null();
    const cents = Math.round(Math.abs(value) * 100);
    let whole = Math.floor(cents / 100);
    const fraction = (cents % 100) * 100;
    const low = whole % NUMERIC_BASE;
    whole = Math.floor(whole / NUMERIC_BASE);
    const middle = whole % NUMERIC_BASE;
    const high = Math.floor(whole / NUMERIC_BASE);
    const integerDigits = high > 0 ? 3 : middle > 0 ? 2 : low > 0 ? 1 : 0;
    const digits = integerDigits + (fraction > 0 ? 1 : 0);
    this.#int32(8 + 2 * digits);
    this.#int16(digits);
    // The weight of the first digit; -1 when only cents are left, 0 for zero itself.
    this.#int16(digits === 0 ? 0 : (integerDigits - 1) & 0xffff);
    this.#int16(value < 0 && cents > 0 ? NUMERIC_NEGATIVE : 0);
    this.#int16(2);
    if (integerDigits >= 3) this.#int16(high);
    if (integerDigits >= 2) this.#int16(middle);
    if (integerDigits >= 1) this.#int16(low);
    if (fraction > 0) this.#int16(fraction);
  }

  textArray(values: readonly string[] | undefined): void {
    if (values === undefined) return this.null();
    const lengthAt = this.#arrayHeader(TEXT_OID, values.length);
    for (const value of values) this.text(value);
    this.#bytes.writeInt32BE(this.#at - lengthAt - 4, lengthAt);
  }

  int4Array(values: readonly number[] | undefined): void {
    if (values === undefined) return this.null();
    const lengthAt = this.#arrayHeader(INT4_OID, values.length);
    for (const value of values) this.int4(value);
    this.#bytes.writeInt32BE(this.#at - lengthAt - 4, lengthAt);
  }

  /** One dimension, no nulls, lower bound 1. Returns where the field's length has to be written. */
  #arrayHeader(elementOid: number, length: number): number {
    const lengthAt = this.#at;
    this.#at += 4;
    this.#int32(1);
    this.#int32(0);
    this.#int32(elementOid);
    this.#int32(length);
    this.#int32(1);
    return lengthAt;
  }

  #int16(value: number): void {
    this.#at = this.#bytes.writeUInt16BE(value & 0xffff, this.#at);
  }

  #int32(value: number): void {
    this.#at = this.#bytes.writeInt32BE(value | 0, this.#at);
  }

  #int64(value: number): void {
    const high = Math.floor(value / 4_294_967_296);
    this.#int32(high);
    this.#at = this.#bytes.writeUInt32BE(value - high * 4_294_967_296, this.#at);
  }
}
