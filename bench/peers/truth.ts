// The truth about a topic: every event that it holds, once, and the results that follow from them, in a schema of their own.
// It is read by nothing of Weir but its Kafka client: what is JSON is an event, what is not is not.
import type { Client } from 'pg';

import { openPartitionReader } from '../../kafka/partition-reader.ts';
import { partitionOffsets } from '../../kafka/topics.ts';
import type { StackAddresses } from '../../local/stack.ts';
import { AGGREGATES } from '../../pipeline/aggregates.ts';
import type { Aggregate } from '../../pipeline/aggregates.ts';
import type { Message } from '../../pipeline/message.ts';
import { CopyBuffer } from '../../postgres/copy-buffer.ts';
import { fusedCopy } from '../../postgres/fused-copy.ts';
import { interval } from '../../postgres/instant.ts';
import { eventsMeasure, keyColumns, namedMeasures, ofItsTypes, windowStartsOf } from '../../postgres/result-sql.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { withPostgres } from './postgres.ts';

export type Truth = {
  readonly schema: string;
  readonly messages: number;
  /** Different events, and messages that repeat one. */
  readonly events: number;
  readonly repeated: number;
  readonly malformed: number;
};

type PlainEvent = {
  readonly event_id: string;
  readonly timestamp: string;
  readonly event_type: string;
  readonly user_id: string;
  readonly session_id: string;
  readonly device: string;
  readonly location: string;
  readonly total_amount?: number;
  readonly currency?: string;
};

const FETCH_BYTES = 4 * 1024 * 1024;
const FIELDS = 9;

/** Reads the whole topic into `schema`, which must be there and empty. */
export async function readTruth(place: {
  readonly addresses: StackAddresses;
  readonly topic: string;
  readonly schema: string;
  readonly signal: AbortSignal;
}): Promise<Truth> {
  const schema = quoteSchema(place.schema);
  return await withPostgres(place, async (db) => {
    await db.query(`create unlogged table ${schema}.messages (event_id uuid, occurred_at timestamptz, event_type text collate "C",
      user_id text collate "C", session_id text collate "C", device text collate "C", location text collate "C",
      total_amount numeric(12, 2), currency text collate "C")`);
    const { messages, malformed } = await copyTopic(db, place);
    await db.query(`create unlogged table ${schema}.events as
      select event_id, min(occurred_at) as occurred_at, min(event_type) as event_type, min(user_id) as user_id,
        min(session_id) as session_id, min(device) as device, min(location) as location,
        min(total_amount) as total_amount, min(currency) as currency, count(*) as copies
      from ${schema}.messages group by event_id`);
    await db.query(`drop table ${schema}.messages; analyze ${schema}.events`);
    for (const aggregate of AGGREGATES) {
      await db.query(`create unlogged table ${schema}.${aggregate.name} as ${resultsOf(aggregate, schema)}`);
      await db.query(`create index on ${schema}.${aggregate.name} (${keyColumns(aggregate).join(', ')})`);
      await db.query(`analyze ${schema}.${aggregate.name}`);
    }
    const { rows } = await db.query<{ events: string }>(`select count(*) as events from ${schema}.events`);
    const events = Number(rows[0]?.events);
    return { schema: place.schema, messages, events, repeated: messages - malformed - events, malformed };
  });
}

/** The rows of a result table, counted from the events one by one. */
function resultsOf(aggregate: Aggregate, schema: string): string {
  const { from, start } = windowStartsOf(aggregate, 'e.occurred_at');
  const groups = aggregate.groupBy.join(', ');
  return `
    select window_start, window_start + ${interval(aggregate.window.lengthMs)} as window_end, ${groups},
      ${namedMeasures(aggregate, eventsMeasure)}
    from (select ${start} as window_start, e.* from ${schema}.events e ${from} where ${ofItsTypes(aggregate, 'e')}) as e
    group by window_start, ${groups}`;
}

type Place = Parameters<typeof readTruth>[0];

async function copyTopic(db: Client, place: Place): Promise<{ messages: number; malformed: number }> {
  const brokers = [...place.addresses.kafka.brokers];
  const buffer = new CopyBuffer();
  const sql = `copy ${quoteSchema(place.schema)}.messages from stdin (format binary)`;
  let [messages, malformed] = [0, 0];
  for (const { partition, logStartOffset, endOffset } of await partitionOffsets({ brokers, topic: place.topic })) {
    if (endOffset === logStartOffset) continue;
    const reader = await openPartitionReader({
      brokers,
      topic: place.topic,
      partition,
      fromOffset: logStartOffset,
      maxBytes: FETCH_BYTES,
      signal: place.signal,
    });
    try {
      for (let position = logStartOffset; position < endOffset;) {
        const fetched = await reader.next();
        position = fetched.nextOffset;
        const events = fetched.messages.map(eventOf).filter((event) => event !== null);
        messages += fetched.messages.length;
        malformed += fetched.messages.length - events.length;
        if (events.length > 0) await fusedCopy(db, sql, [encode(events, buffer)]);
      }
    } finally {
      await reader.close();
    }
  }
  return { messages, malformed };
}

function eventOf({ value }: Message): PlainEvent | null {
  try {
    const event: PlainEvent = JSON.parse(String(value));
    return event;
  } catch {
    return null;
  }
}

function encode(events: readonly PlainEvent[], buffer: CopyBuffer): Buffer {
  buffer.begin();
  for (const event of events) {
    buffer.row(FIELDS, 4096);
    buffer.uuid(event.event_id);
    buffer.timestamptz(Date.parse(event.timestamp), 0);
    buffer.text(event.event_type);
    buffer.text(event.user_id);
    buffer.text(event.session_id);
    buffer.text(event.device);
    buffer.text(event.location);
    buffer.money(event.total_amount);
    buffer.text(event.currency);
  }
  return buffer.end();
}
