// A message: one Kafka record as it was read, before anyone has looked at what it says.

/**
 * One header; Kafka allows a name twice and any bytes or null as its value. `nameBytes`: the bytes of a name that is not
 * UTF-8, which Kafka passes on too; `name` then shows U+FFFD for what is broken.
 */
export type Header = { readonly name: string; readonly value: Buffer | null; readonly nameBytes?: Buffer };

/** One record of a partition. `offset` is its position; `timestampMs` is the record's own Kafka timestamp (epoch ms). */
export type Message = {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
};
