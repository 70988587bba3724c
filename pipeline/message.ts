// A message: one Kafka record as it was read, before anyone has looked at what it says.

/** One header; Kafka allows a name twice and any bytes or null as its value. */
export type Header = { readonly name: string; readonly value: Buffer | null };

/** One record of a partition. `offset` is its position; `timestampMs` is the record's own Kafka timestamp (epoch ms). */
export type Message = {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
};
