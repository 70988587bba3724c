// Dead letters in their topic, on real servers: whole, at least once, in order, and none that holds up the others.
import { afterAll, describe, expect, inject, test } from 'vitest';

import { createPublishLetters } from '../../activities/publish-letters.ts';
import type { PublishLettersResult } from '../../activities/publish-letters.ts';
import { ensureDeadLetterTopic } from '../../kafka/dead-letter-topic.ts';
import { partitionOffsets } from '../../kafka/topics.ts';
import { openMetrics } from '../../observability/metrics.ts';
import { must } from '../../pipeline/ensure.ts';
import { deadLetterTopic } from '../../pipeline/ids.ts';
import type { Header, Message } from '../../pipeline/message.ts';
import { readLetter } from '../../postgres/letter.ts';
import { activityWorld } from '../crash/crash-world.ts';
import { freshTopic, makeTopic, readUpTo, withReader } from '../kafka/fresh-topic.ts';
import type { FreshTopic } from '../kafka/fresh-topic.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { insertLetters } from '../support/letters.ts';
import type { StoredLetter } from '../support/letters.ts';

const ONE_MIB = 1_048_576;
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const header = (name: string, value: Buffer | string | null): Header => ({
  name,
  value: typeof value === 'string' ? Buffer.from(value) : value,
});

/** Each a kind of its own. */
const KINDS: Readonly<Record<string, StoredLetter>> = {
  'NUL and every other byte': { key: everyByte, value: everyByte, headers: [header('all', everyByte)] },
  'UTF-8 cut off': { key: Buffer.from([0xe2]), value: Buffer.from('{"a":"\u20AC"}').subarray(0, 8) },
  'an empty value': { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: [header('', Buffer.alloc(0))] },
  'a tombstone': { key: Buffer.from('gone'), value: null, headers: [header('why', null)] },
  'nothing at all': { key: null, value: null },
  'headers that repeat, in their order': {
    value: 'x',
    headers: [header('a', '1'), header('b', '2'), header('a', '3'), header('a', null), header('a', '1')],
  },
  'header names that are no UTF-8, and ours': {
    value: 'x',
    headers: [
      { name: 'a\uFFFD', nameBytes: Buffer.from([0x61, 0xff]), value: Buffer.from('1') },
      header('weir-letter', '17'),
      header('weir-dead-letter-id', '4711'),
    ],
  },
  'a value of 1 MiB with a large key': { key: Buffer.alloc(10_000, 0xfe), value: Buffer.alloc(ONE_MIB, 0xff) },
  'half a MiB of headers': { value: '{', headers: [header('large', Buffer.alloc(ONE_MIB / 2, 0x80))] },
};

const brokers = inject('servers').kafkaBrokers;
const made: FreshTopic[] = [];

type World = {
  readonly database: TestDatabase;
  readonly source: FreshTopic;
  readonly target: string;
  /** Runs one lease until `until` holds. */
  lease(until: () => Promise<boolean>): Promise<PublishLettersResult>;
  messages(): Promise<Message[]>;
  waiting(): Promise<number>;
  page(): Promise<string>;
};

/** A source topic, and letters in a schema; `settings`: those of the topic of dead letters, null for none of it. */
async function world(settings: Readonly<Record<string, string>> | null = {}): Promise<World> {
  const source = await freshTopic();
  made.push(source);
  const database = await freshDatabase();
  const { topic } = source;
  const target = deadLetterTopic(topic);
  if (settings !== null && Object.keys(settings).length > 0) {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await makeTopic(source.client, { topic: target, numPartitions: 1, configEntries });
  } else if (settings !== null) await ensureDeadLetterTopic({ brokers, topic });
  const metrics = openMetrics({ processMetrics: false });
  const activity = createPublishLetters({ pool: database.pool, kafkaBrokers: brokers, metrics: metrics.letters });
  const spec = {
    topic,
    schema: database.schema,
    latenessMs: 1,
    idleAfterMs: 1,
    maxFutureMs: 1,
    amendHorizonMs: 1,
    amendIntervalMs: 1,
    retentionMs: null,
  };
  return {
    database,
    source,
    target,
    async lease(until) {
      const environment = activityWorld();
      const over: Promise<PublishLettersResult> = environment.run(activity, { spec, leaseMs: 600_000, everyMs: 100 });
      over.catch(() => undefined);
      await Promise.race([eventually(until, { deadlineMs: 90_000, what: 'the letters are published' }), over]);
      environment.cancel('CANCELLED');
      return await over;
    },
    async messages() {
      const [of] = await partitionOffsets({ brokers, topic: target });
      const end = must(of, 'the partition').endOffset;
      if (end === 0) return [];
      return await withReader({ ...source, topic: target }, {}, (reader) => readUpTo(reader, end));
    },
    async waiting() {
      const { rows } = await database.pool.query<{ n: number }>(
        `select count(*)::int as n from "${database.schema}".dead_letters where published_at is null`,
      );
      return must(rows[0], 'a count').n;
    },
    page: () => metrics.page(),
  };
}

afterAll(async () => {
  const admin = must(made[0], 'a topic').client.kafka.admin();
  await admin.connect();
  const there = new Set(await admin.listTopics());
  const topics = made.flatMap(({ topic }) => [topic, deadLetterTopic(topic)]).filter((topic) => there.has(topic));
  await admin.deleteTopics({ topics });
  await admin.disconnect();
});

const none = (of: World) => async (): Promise<boolean> => (await of.waiting()) === 0;
const named = (headers: readonly Header[]): Record<string, string | null> =>
  Object.fromEntries(headers.map(({ name, value }) => [name, value?.toString() ?? null]));

describe('published dead letters', { timeout: 180_000 }, () => {
  test('are the original messages, byte for byte, with what is known of them behind their own headers', async () => {
    const of = await world();
    const { pool, schema } = of.database;
    const letters = Object.values(KINDS);
    const ids = await insertLetters(pool, schema, letters);
    expect(await of.lease(none(of))).toEqual({ published: letters.length, refused: 0, reason: 'drained' });
    const messages = await of.messages();
    expect(messages).toHaveLength(letters.length);
    for (const [at, [kind, letter]] of Object.entries(KINDS).entries()) {
      const message = must(messages[at], kind);
      const stored = must(await readLetter(pool, schema, must(ids[at], kind)), kind);
      const value = typeof letter.value === 'string' ? Buffer.from(letter.value) : (letter.value ?? null);
      const count = letter.headers?.length ?? 0;
      expect(value === null ? message.value === null : message.value?.equals(value), kind).toBe(true);
      expect(message.headers.slice(0, count), kind).toEqual(letter.headers ?? []);
      expect(message.key?.toString()).toBe(`0/${stored.offset}`);
      const ours = message.headers.slice(count);
      expect(named(ours.filter(({ name }) => name !== 'weir-dead-letter-key')), kind).toEqual({
        'weir-dead-letter-id': ids[at],
        'weir-dead-letter-reason': stored.reason,
        'weir-dead-letter-field': stored.field,
        'weir-dead-letter-detail': stored.detail,
        'weir-dead-letter-topic': of.source.topic,
        'weir-dead-letter-partition': '0',
        'weir-dead-letter-offset': String(stored.offset),
        'weir-dead-letter-timestamp': String(stored.kafkaTimestampMs),
        'weir-dead-letter-refused-at': String(stored.refusedAtMs),
        'weir-dead-letter-attempt': '1',
        'weir-dead-letter-parent': null,
        'weir-dead-letter-headers': String(count),
      });
      const key = must(
        ours.find(({ name }) => name === 'weir-dead-letter-key'),
        'the key',
      ).value;
      expect(letter.key ? key?.equals(letter.key) : key === (letter.key ?? null), kind).toBe(true);
      expect(stored.publishedAtMs).toBeTypeOf('number');
    }
    expect(await of.page()).toContain(`weir_letters_published_total{topic="${of.source.topic}"} ${letters.length}`);
  });

  test('come again, and are never left out, when the process ends between sending and marking', async () => {
    const of = await world();
    const { pool, schema } = of.database;
    const ids = await insertLetters(
      pool,
      schema,
      Array.from({ length: 1_200 }, (_, index) => ({ value: `{"n":${index}}` })),
    );
    await pool.query(
      `create function "${schema}".die() returns trigger language plpgsql as $$ begin raise 'The process is gone.'; end $$`,
    );
    await pool.query(
      `create trigger die before update on "${schema}".dead_letters for each row execute function "${schema}".die()`,
    );
    await expect(of.lease(none(of))).rejects.toThrow('The process is gone.');
    const sent = (await of.messages()).length;
    expect(sent).toBeGreaterThan(0);
    expect(await of.waiting()).toBe(1_200);
    await pool.query(`drop trigger die on "${schema}".dead_letters`);
    await of.lease(none(of));
    const published = (await of.messages()).map(({ headers }) => named(headers)['weir-dead-letter-id']);
    expect(published).toHaveLength(1_200 + sent);
    expect(published.slice(sent)).toEqual(ids);
  });

  test('come again when a batch holds their rows just then, and nobody waits for it', async () => {
    const of = await world();
    const { pool, schema } = of.database;
    const [held] = await insertLetters(pool, schema, [{}, {}, {}]);
    const batch = await pool.connect();
    await batch.query('begin');
    await batch.query(`select from "${schema}".dead_letters where id = $1 for update`, [held]);
    await of.lease(async () => (await of.messages()).length > 3);
    expect(await of.waiting()).toBe(1);
    await batch.query('commit');
    batch.release();
    await of.lease(none(of));
    expect((await of.messages()).length).toBeGreaterThan(4);
  });

  test('are all there but those that Kafka finds too large, which are told and counted', async () => {
    const of = await world({ 'max.message.bytes': '20000' });
    const { pool, schema } = of.database;
    const large = Buffer.alloc(100_000, 0x41);
    const letters = [{ value: '{"n":0}' }, { value: large }, { value: '{"n":2}' }, { value: large }, { value: '[]' }];
    const ids = await insertLetters(pool, schema, letters);
    // More than a request to Kafka may hold: it is not even read.
    await pool.query(
      `update "${schema}".dead_letters set value = convert_to(repeat('x', 33554433), 'UTF8') where id = $1`,
      [ids[3]],
    );
    expect(await of.lease(none(of))).toEqual({ published: 3, refused: 2, reason: 'drained' });
    expect((await of.messages()).map(({ value }) => value?.toString())).toEqual(['{"n":0}', '{"n":2}', '[]']);
    const told = must(await readLetter(pool, schema, must(ids[1], 'an id')), 'a letter');
    expect(told).toMatchObject({ publishedAtMs: 'refused by Kafka', status: 'open' });
    expect(told.note).toMatch(/^Not published: Kafka did not write .*\(MESSAGE_TOO_LARGE\).* bytes/);
    const page = await of.page();
    expect(page).toContain(`weir_letters_refused_total{topic="${of.source.topic}"} 2`);
    expect(page).toContain(`weir_letters_published_total{topic="${of.source.topic}"} 3`);
  });

  test('wait in PostgreSQL with one sentence while their topic is missing, and follow once it is made', async () => {
    const of = await world(null);
    await insertLetters(of.database.pool, of.database.schema, [{}, {}]);
    await expect(of.lease(none(of))).rejects.toThrow(
      new RegExp(`^Topic ${of.target} does not exist on Kafka at .*: make it .* wait in PostgreSQL`),
    );
    expect(await of.waiting()).toBe(2);
    await ensureDeadLetterTopic({ brokers, topic: of.source.topic });
    expect(await of.lease(none(of))).toMatchObject({ published: 2 });
  });
});
