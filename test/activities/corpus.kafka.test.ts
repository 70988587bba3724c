// The corpus through real servers: every hostile message becomes exactly one event or one letter, with its bytes unchanged.
import { beforeAll, expect, inject, test } from 'vitest';

import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import { openEventWriter } from '../../kafka/event-writer.ts';
import { must } from '../../pipeline/ensure.ts';
import type { Header } from '../../pipeline/message.ts';
import { NO_COUNTS } from '../../pipeline/micro-batch.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import { readCheckpoints } from '../../postgres/checkpoints.ts';
import { headersFrom } from '../../postgres/letter.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { CORPUS } from '../corpus/corpus.ts';
import { asMessage } from '../corpus/hostile-message.ts';
import { freshTopic } from '../kafka/fresh-topic.ts';
import { KAFKA_MS, RULES } from '../pipeline/valid-messages.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { handDrivenPipeline } from '../support/hand-driven-pipeline.ts';
import type { HandDrivenPipeline } from '../support/hand-driven-pipeline.ts';

const HOUR_MS = 3_600_000;
const LAST_DAY_ENDS_MS = Date.UTC(10_000, 0, 1);
const brokers = inject('servers').kafkaBrokers;
let database: TestDatabase;
let pipeline: HandDrivenPipeline;
let tables: string;

beforeAll(async () => {
  const { topic } = await freshTopic({
    settings: {
      'max.message.bytes': '8000000',
      'retention.ms': '-1',
      'message.timestamp.after.max.ms': String(2n ** 63n - 1n),
    },
  });
  const writer = await openEventWriter({ brokers, topic });
  for (const hostile of CORPUS) await writer.write([asMessage(hostile)]);
  await writer.close();
  database = await freshDatabase();
  tables = quoteSchema(database.schema);
  pipeline = await handDrivenPipeline(database, { brokers, topic });
  await pipeline.ingest();
}, 300_000);

const EXPECTED = CORPUS.map((hostile, offset) => ({ hostile, offset, message: asMessage(hostile, offset) }));

test('each message is recorded or rejected, none is skipped', async () => {
  const { counts, nextOffset } = must((await readCheckpoints(database.pool, pipeline.spec))[0], 'the checkpoint');
  const recorded = CORPUS.filter(({ verdict }) => verdict === 'event').length;
  expect(nextOffset).toBe(CORPUS.length);
  expect(counts).toEqual({ ...NO_COUNTS, recorded, rejected: CORPUS.length - recorded });
});

test('every letter has the reason, the field, the key, the value and the headers of its message', async () => {
  const { rows } = await database.pool.query<{
    at: string;
    verdict: string;
    key: Buffer | null;
    value: Buffer | null;
    headers: string;
    ms: number;
  }>(
    `select kafka_offset as at, concat_ws(' ', reason, field) as verdict, key, value, headers::text as headers,
       (extract(epoch from kafka_timestamp) * 1000)::float8 as ms
     from ${tables}.dead_letters order by kafka_offset`,
  );
  const letters = EXPECTED.filter(({ hostile }) => hostile.verdict !== 'event');
  expect(rows.map(({ at, verdict }) => [Number(at), verdict])).toEqual(
    letters.map(({ offset, hostile }) => [offset, hostile.verdict]),
  );
  for (const [index, { hostile, message }] of letters.entries()) {
    const row = must(rows[index], 'the letter');
    expect(row.key === null ? null : row.key.toString('hex'), hostile.claim).toBe(message.key?.toString('hex') ?? null);
    expect(sameBytes(row.value, message.value), hostile.claim).toBe(true);
    expect(inHex(headersFrom(JSON.parse(row.headers))), hostile.claim).toBe(inHex(message.headers));
    expect(row.ms, hostile.claim).toBe(message.timestampMs);
  }
});

test('every event is stored as it was judged', async () => {
  const { rows } = await database.pool.query<Record<string, unknown>>(
    `select kafka_offset, event_id, user_id, device, location, session_id, search_query, order_id, items,
       total_amount::float8 as total_amount, price::float8 as price, results_count, clicked_position, position,
       (extract(epoch from occurred_at) * 1000000)::numeric::text as us, extra
     from ${tables}.events order by kafka_offset`,
  );
  const events = EXPECTED.filter(({ hostile }) => hostile.verdict === 'event');
  expect(rows.map((row) => Number(row['kafka_offset']))).toEqual(events.map(({ offset }) => offset));
  for (const [index, { hostile, message }] of events.entries()) {
    const { fields, eventId, occurredAtMs, occurredAtUs, extra } = must(
      parseMessage(message, RULES).event,
      'the event',
    );
    const { kafka_offset: _, us, extra: stored, ...columns } = must(rows[index], 'the row');
    expect(columns, hostile.claim).toEqual({
      event_id: eventId,
      user_id: fields.user_id,
      device: fields.device,
      location: fields.location,
      session_id: fields.session_id,
      search_query: fields.search_query ?? null,
      order_id: fields.order_id ?? null,
      items: fields.items ?? null,
      total_amount: cents(fields.total_amount),
      price: cents(fields.price),
      results_count: unsigned(fields.results_count),
      clicked_position: unsigned(fields.clicked_position),
      position: unsigned(fields.position),
    });
    expect(Number(us), hostile.claim).toBe(Number(BigInt(occurredAtMs) * 1000n + BigInt(occurredAtUs)));
    expect(stored === null, hostile.claim).toBe(extra === null);
  }
});

test.each([
  ['before any window closes', null],
  ['with the windows of the day closed', KAFKA_MS + HOUR_MS],
  ['with every window closed, of year 1 and of year 9999', LAST_DAY_ENDS_MS],
])('verification finds the corpus clean %s', async (_, throughMs) => {
  if (throughMs !== null) await pipeline.close(throughMs);
  const { postgresUrl } = inject('servers');
  const verification = await verifyPipeline({ brokers, postgresUrl, spec: pipeline.spec });
  expect(verification.checks.flatMap(({ examples }) => examples)).toEqual([]);
  expect(verification).toMatchObject({ clean: true, differences: 0 });
  expect(verification.coverage).toMatchObject({ recountedMessages: CORPUS.length, beyondRecount: 0, unstorable: 0 });
});

function inHex(headers: readonly Header[]): string {
  const bytes = headers.map(({ name, value, nameBytes }) => [nameBytes ?? Buffer.from(name), value]);
  return bytes.map((pair) => pair.map((part) => part?.toString('hex') ?? 'null').join('=')).join(' ');
}

function sameBytes(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other);
}

function cents(amount: number | undefined): number | null {
  return amount === undefined ? null : unsigned(Math.round(amount * 100) / 100);
}

/** PostgreSQL has no minus zero. */
function unsigned(value: number | null | undefined): number | null {
  return value === undefined || value === null ? null : value + 0;
}
