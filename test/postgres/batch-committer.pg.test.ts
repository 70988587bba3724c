// The commit of a micro-batch: one transaction, exactly once, whatever the batch holds.
import { randomUUID } from 'node:crypto';

import { Client } from 'pg';
import { afterAll, beforeEach, expect, test } from 'vitest';

import type { Message } from '../../pipeline/message.ts';
import { formMicroBatch } from '../../pipeline/micro-batch.ts';
import type { MicroBatch } from '../../pipeline/micro-batch.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { RecentIdentities } from '../../pipeline/recent-identities.ts';
import { unaccountedOffsets } from '../../pipeline/checkpoint.ts';
import { BatchCommitter, FencedError } from '../../postgres/batch-committer.ts';
import { ensureCheckpoint, readCheckpoints, takeLease } from '../../postgres/checkpoints.ts';
import { clientConfig } from '../../postgres/pool.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { messageOf, pageView } from '../support/messages.ts';

const clients: Client[] = [];
let database: TestDatabase;
let spec: PipelineSpec;

beforeEach(async () => {
  database = await freshDatabase();
  spec = {
    topic: 'shop',
    schema: database.schema,
    latenessMs: 300_000,
    idleAfterMs: 30_000,
    maxFutureMs: 300_000,
    amendHorizonMs: 86_400_000,
    amendIntervalMs: 10_000,
    retentionMs: null,
  };
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
});

async function connect(): Promise<Client> {
  const client = new Client(clientConfig({ url: database.url }));
  client.on('error', () => {});
  await client.connect();
  clients.push(client);
  return client;
}

/** A lease on a partition, from offset 0 unless somebody has been there. */
async function lease(partition = 0): Promise<{ committer: BatchCommitter; client: Client }> {
  await ensureCheckpoint(database.pool, spec, { partition, firstOffset: 0 });
  const { epoch } = await takeLease(database.pool, spec, partition);
  const client = await connect();
  return { client, committer: new BatchCommitter(client, { spec, partition, epoch }) };
}

function batchOf(
  messages: Message[],
  { from = messages[0]?.offset ?? 0, to = (messages.at(-1)?.offset ?? -1) + 1 } = {},
): MicroBatch {
  const judge = (message: Message) => parseMessage(message, spec);
  return formMicroBatch({ messages, fromOffset: from, nextOffset: to }, judge, new RecentIdentities());
}

const commit = (committer: BatchCommitter, batch: MicroBatch) => committer.commit(committer.prepare(batch));

async function rowsOf(table: string): Promise<Record<string, unknown>[]> {
  const { rows } = await database.pool.query<Record<string, unknown>>(`select * from ${database.schema}.${table}`);
  return rows;
}

async function checkpointOf(partition: number) {
  const all = await readCheckpoints(database.pool, spec);
  const found = all.find((each) => each.partition === partition);
  if (!found) throw new Error(`no checkpoint of partition ${partition}`);
  return found;
}

test('every column of every event type comes back from PostgreSQL as it was sent', async () => {
  const { committer } = await lease();
  const common = pageView({ page: undefined, referrer: undefined, duration_seconds: undefined });
  const sent = [
    { ...common, event_type: 'user_login', login_method: 'sso', success: false },
    pageView({
      timestamp: '1969-12-31T23:59:59.999999+01:00',
      user_id: 'ünïcode 🛒',
      schema_version: 1,
      more: [1.1, 'x'],
    }),
    { ...common, event_type: 'item_click', item_id: 'i1', category: 'toys', position: 2147483647 },
    {
      ...common,
      event_type: 'purchase',
      order_id: 'o1',
      items: ['i1', 'i2'],
      quantities: [1, 20],
      total_amount: 9999999999.99,
      currency: 'EUR',
      payment_method: 'google_pay',
      coupon_code: 'SAVE10',
      schema_version: 2,
    },
    { ...common, event_type: 'cart_add', item_id: 'i1', quantity: 3, category: 'toys', price: 0.05 },
    { ...common, event_type: 'search', search_query: '', results_count: 0, clicked_position: null },
  ].map((event: Record<string, unknown>, index) => ({ ...event, event_id: randomUUID(), index }));
  await commit(committer, batchOf(sent.map((event, offset) => messageOf(offset, event))));

  const rows = await rowsOf('events');
  expect(rows).toHaveLength(6);
  const byId = new Map(rows.map((row) => [row['event_id'], row]));
  for (const [index, event] of sent.entries()) {
    const row = byId.get(event.event_id);
    for (const [field, value] of Object.entries(event)) {
      if (field === 'timestamp' || field === 'more' || field === 'index' || value === undefined) continue;
      const shown = field === 'total_amount' || field === 'price' ? Number(row?.[field]) : row?.[field];
      expect(shown, `${index}: ${field}`).toEqual(value);
    }
  }
  expect(byId.get(sent[1]?.event_id)?.['extra']).toEqual({ more: [1.1, 'x'], index: 1 });
  const { rows: times } = await database.pool.query(
    `select occurred_at::text from ${database.schema}.events where user_id = 'ünïcode 🛒'`,
  );
  expect(times).toEqual([{ occurred_at: '1969-12-31 22:59:59.999999+00' }]);
});

test('money keeps its cents from nothing to the largest amount', async () => {
  const { committer } = await lease();
  const amounts = [0, 0.01, 0.1, 1, 9.99, 10, 100.5, 9999, 10000, 10000.01, 99999999.99, 100000000, 1234567890.12];
  const events = amounts.map((price) => ({
    ...pageView({ page: undefined, referrer: undefined, duration_seconds: undefined }),
    event_type: 'cart_add',
    item_id: String(price),
    quantity: 1,
    category: 'c',
    price,
  }));
  await commit(committer, batchOf(events.map((event, offset) => messageOf(offset, event))));
  const rows = await rowsOf('events');
  expect(new Set(rows.map((row) => row['price']))).toEqual(new Set(amounts.map((amount) => amount.toFixed(2))));
});

test('a rejected message is a dead letter with its bytes, key and headers, committed with the events around it', async () => {
  const { committer } = await lease();
  const value = Buffer.from([0xff, 0x00, 0x7b]);
  const headers = [
    { name: 'trace', value: Buffer.from([0, 255]) },
    { name: 'trace', value: null },
  ];
  const messages = [
    messageOf(0, pageView()),
    messageOf(1, value, { key: Buffer.from('k\0'), headers }),
    messageOf(2, pageView()),
  ];
  const { counts } = await commit(committer, batchOf(messages));
  expect(counts).toEqual({ recorded: 2, duplicate: 0, late: 0, rejected: 1, skipped: 0 });
  const [letter] = await rowsOf('dead_letters');
  expect(letter).toMatchObject({
    kafka_offset: '1',
    reason: 'not_utf8',
    value,
    key: Buffer.from('k\0'),
    status: 'open',
  });
  expect(letter?.['headers']).toEqual([
    { name: 'trace', value: 'AP8=' },
    { name: 'trace', value: null },
  ]);
});

test('an event that is there already is a duplicate: within a batch, across batches and across partitions', async () => {
  const first = await lease(0);
  const event = pageView();
  const within = await commit(first.committer, batchOf([messageOf(0, event), messageOf(1, event)]));
  expect(within.counts).toMatchObject({ recorded: 1, duplicate: 1 });
  const across = await commit(first.committer, batchOf([messageOf(2, pageView()), messageOf(3, event)]));
  expect(across).toMatchObject({ staged: true, counts: { recorded: 1, duplicate: 1 } });
  const second = await lease(1);
  const elsewhere = await commit(second.committer, batchOf([messageOf(0, event)]));
  expect(elsewhere.counts).toMatchObject({ recorded: 0, duplicate: 1 });
  expect(await rowsOf('events')).toHaveLength(2);
  for (const partition of [0, 1]) expect(unaccountedOffsets(await checkpointOf(partition))).toBe(0);
  expect((await checkpointOf(0)).counts).toEqual({ recorded: 2, duplicate: 2, late: 0, rejected: 0, skipped: 0 });
});

test('the same event id at another time is another event', async () => {
  const { committer } = await lease();
  const event = pageView();
  const later = { ...event, timestamp: '2026-11-01T10:00:00.001Z' };
  const { counts } = await commit(committer, batchOf([messageOf(0, event), messageOf(1, later)]));
  expect(counts.recorded).toBe(2);
});

test('offsets that held no message are counted as skipped', async () => {
  const { committer } = await lease();
  const { counts } = await commit(committer, batchOf([messageOf(3, pageView())], { from: 0, to: 10 }));
  expect(counts).toMatchObject({ recorded: 1, skipped: 9 });
  expect((await checkpointOf(0)).nextOffset).toBe(10);
});

test('of three writers on one partition, only the newest lease commits, and nothing is lost or doubled', async () => {
  const writers = [await lease(), await lease(), await lease()];
  let fenced = 0;
  for (let offset = 0; offset < 30; offset += 10) {
    const messages = Array.from({ length: 10 }, (_, i) => messageOf(offset + i, pageView()));
    const outcomes = await Promise.allSettled(writers.map(({ committer }) => commit(committer, batchOf(messages))));
    fenced += outcomes.filter((each) => each.status === 'rejected' && each.reason instanceof FencedError).length;
    expect(outcomes[2]?.status).toBe('fulfilled');
  }
  expect(fenced).toBe(6);
  expect(await rowsOf('events')).toHaveLength(30);
  expect(await checkpointOf(0)).toMatchObject({ nextOffset: 30, epoch: 3 });
});

test('a batch that was committed once cannot be committed again, not even by its own lease', async () => {
  const { committer } = await lease();
  const batch = batchOf([messageOf(0, pageView())]);
  await commit(committer, batch);
  await expect(commit(committer, batch)).rejects.toThrow(FencedError);
  expect(await rowsOf('events')).toHaveLength(1);
});

test('a commit that fails leaves nothing behind, and its connection usable', async () => {
  const { committer, client } = await lease();
  await database.pool.query(
    `alter table ${database.schema}.dead_letters add constraint no_letters check (kafka_offset < 0)`,
  );
  const messages = [messageOf(0, pageView()), messageOf(1, 'not json')];
  await expect(commit(committer, batchOf(messages))).rejects.toThrow('no_letters');
  expect(await rowsOf('events')).toHaveLength(0);
  expect(await checkpointOf(0)).toMatchObject({ nextOffset: 0, counts: { recorded: 0 } });
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await database.pool.query(`alter table ${database.schema}.dead_letters drop constraint no_letters`);
  expect((await commit(committer, batchOf(messages))).counts).toMatchObject({ recorded: 1, rejected: 1 });
});

test('a row that PostgreSQL refuses becomes a dead letter, and the rest of its batch is recorded', async () => {
  const { committer } = await lease();
  await database.pool.query(`alter table ${database.schema}.events alter column user_id type varchar(10)`);
  const messages = Array.from({ length: 9 }, (_, offset) =>
    messageOf(offset, pageView(offset === 4 ? { user_id: 'far too long a name' } : {})),
  );
  const committed = await commit(committer, batchOf(messages, { from: 0, to: 12 }));
  expect(committed).toMatchObject({ toOffset: 5, refused: 1, counts: { recorded: 4, rejected: 1, skipped: 0 } });
  await commit(committer, batchOf(messages.slice(5), { from: 5, to: 12 }));
  expect(await rowsOf('dead_letters')).toMatchObject([{ kafka_offset: '4', reason: 'unstorable' }]);
  expect(unaccountedOffsets(await checkpointOf(0))).toBe(0);
  expect((await checkpointOf(0)).nextOffset).toBe(12);
});

test('an event behind closed_through is marked late, also when it closed after the batch was judged', async () => {
  const { committer } = await lease();
  await commit(committer, batchOf([messageOf(0, pageView())]));
  await database.pool.query(`update ${database.schema}.closed_through set closed_through = '2026-11-01T10:05:00Z'`);
  const messages = [
    messageOf(1, pageView({ timestamp: '2026-11-01T10:04:59.999Z' })),
    messageOf(2, pageView({ timestamp: '2026-11-01T10:05:00Z' })),
    messageOf(3, pageView({ timestamp: '2026-10-01T00:00:00Z' })),
  ];
  const { counts, remarked } = await commit(committer, batchOf(messages));
  expect({ counts, remarked }).toMatchObject({ counts: { recorded: 3, late: 2 }, remarked: 1 });
  const late = await rowsOf('late_events');
  expect(new Map(late.map((row) => [row['kafka_offset'], row['beyond_horizon']]))).toEqual(
    new Map([
      ['1', false],
      ['3', true],
    ]),
  );
});

test('a late duplicate is a duplicate and not a late event', async () => {
  const { committer } = await lease();
  const event = pageView();
  await commit(committer, batchOf([messageOf(0, event)]));
  await database.pool.query(`update ${database.schema}.closed_through set closed_through = '2026-11-01T10:05:00Z'`);
  const fresh = pageView({ timestamp: '2026-11-01T10:01:00Z' });
  const { counts } = await commit(committer, batchOf([messageOf(1, event), messageOf(2, fresh)]));
  expect(counts).toMatchObject({ recorded: 1, duplicate: 1, late: 1 });
  expect(await rowsOf('late_events')).toHaveLength(1);
});

test('the watermark is the latest event time less the lateness, and never runs ahead of the server clock by more than allowed', async () => {
  const { committer } = await lease();
  await commit(committer, batchOf([messageOf(0, pageView({ timestamp: '2026-11-01T10:07:00Z' }))]));
  expect((await checkpointOf(0)).watermarkMs).toBe(Date.parse('2026-11-01T10:02:00Z'));
  await commit(committer, batchOf([messageOf(1, pageView({ timestamp: '2026-11-01T10:01:00Z' }))]));
  expect((await checkpointOf(0)).watermarkMs).toBe(Date.parse('2026-11-01T10:02:00Z'));
  const hostile = messageOf(2, pageView({ timestamp: '2999-01-01T00:00:00Z' }), {
    timestampMs: Date.parse('2999-01-01T00:00:00Z'),
  });
  await commit(committer, batchOf([hostile]));
  const { watermarkMs, committedAtMs } = await checkpointOf(0);
  expect(watermarkMs).toBeLessThanOrEqual(committedAtMs + spec.maxFutureMs - spec.latenessMs);
});

test('events of any day find a partition, and hostile dates share one', async () => {
  const { committer } = await lease();
  const days = ['0001-01-01', '1970-01-01', '2019-06-01', '2020-02-29', '2026-10-31', '2026-11-01'];
  const messages = days.map((day, offset) => messageOf(offset, pageView({ timestamp: `${day}T12:00:00Z` })));
  await commit(committer, batchOf(messages));
  const { rows } = await database.pool.query<{ tableoid: string }>(
    `select distinct tableoid::regclass::text as tableoid from ${database.schema}.events order by 1`,
  );
  const tables = rows.map(({ tableoid }) => tableoid.replace(`${database.schema}.`, ''));
  expect(tables).toEqual(['events_20261031', 'events_20261101', 'events_before']);
});

test('5,000 days up to the year 9999 share less than 200 tables', async () => {
  const { committer } = await lease();
  const firstMs = Date.parse('2031-01-01T00:00:00Z');
  const lastMs = Date.parse('9999-12-31T00:00:00Z');
  const untimed = { timestampMs: -1 };
  const messages = Array.from({ length: 5000 }, (_, at) => {
    const timestamp = new Date(firstMs + ((lastMs - firstMs) / 4999) * at).toISOString();
    return messageOf(at, pageView({ timestamp }), untimed);
  });
  const thisCentury = Array.from({ length: 69 }, (_, at) =>
    messageOf(5000 + at, pageView({ timestamp: `${2031 + at}-06-15T12:00:00Z` }), untimed),
  );
  await commit(committer, batchOf([...messages, ...thisCentury]));
  const { rows } = await database.pool.query<{ tables: number; events: number }>(
    `select count(distinct tableoid)::int as tables, count(*)::int as events from ${database.schema}.events
     where occurred_at >= '2031-01-01'`,
  );
  expect(rows[0]?.events).toBe(5069);
  expect(rows[0]?.tables).toBeLessThan(200);
  const again = await lease();
  await commit(again.committer, batchOf([messageOf(5069, pageView({ timestamp: '2031-06-15T12:00:00Z' }), untimed)]));
});

test('a Kafka timestamp that no calendar holds stops neither an event nor a dead letter', async () => {
  const { committer } = await lease();
  const hostile = [Number.MAX_SAFE_INTEGER, -1, -9e18, 9.2e18].flatMap((timestampMs, index) => [
    messageOf(2 * index, pageView({ timestamp: '2026-11-01T10:00:00Z' }), { timestampMs: Math.max(timestampMs, -1) }),
    messageOf(2 * index + 1, 'not json', { timestampMs }),
  ]);
  const { counts } = await commit(committer, batchOf(hostile));
  expect(counts).toMatchObject({ recorded: 4, rejected: 4 });
});

test('a session whose connection dies in the middle of a batch leaves nothing behind', async () => {
  const { committer, client } = await lease();
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const locker = await connect();
  await locker.query('begin');
  await locker.query(`select * from ${database.schema}.checkpoints for update`);
  const outcome = commit(committer, batchOf([messageOf(0, pageView())]));
  outcome.catch(() => {});
  await database.pool.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
  await expect(outcome).rejects.toThrow(/terminat/);
  await locker.query('rollback');
  expect(await checkpointOf(0)).toMatchObject({ nextOffset: 0 });
  expect(await rowsOf('events')).toHaveLength(0);
});
