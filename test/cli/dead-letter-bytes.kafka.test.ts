// Whatever bytes a message has: from Kafka through dead_letters to `weir dead-letters show`, none of them changes.
import * as fc from 'fast-check';
import { beforeAll, describe, expect, inject, test } from 'vitest';

import { openEventWriter } from '../../kafka/event-writer.ts';
import { must } from '../../pipeline/ensure.ts';
import type { Header, Message } from '../../pipeline/message.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import { readLetter } from '../../postgres/letter.ts';
import { freshTopic, produceWithKafkajs } from '../kafka/fresh-topic.ts';
import { freshDatabase } from '../support/database.ts';
import { handDrivenPipeline } from '../support/hand-driven-pipeline.ts';
import { EMPTY_HOME, runWeir, runWeirForBytes } from './run-weir.ts';

type Sent = Pick<Message, 'key' | 'value' | 'headers'>;

const ONE_MIB = 1_048_576;
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const header = (name: string, value: Buffer | string | null): Header => ({
  name,
  value: typeof value === 'string' ? Buffer.from(value) : value,
});

/** Named, because each of them is a kind of its own. */
const SPECIAL: Readonly<Record<string, Sent>> = {
  'every byte': { key: everyByte, value: everyByte, headers: [header('all', everyByte)] },
  'NUL alone': { key: Buffer.alloc(1), value: Buffer.alloc(1), headers: [header('\0', Buffer.alloc(1))] },
  'UTF-8 cut off': { key: Buffer.from([0xe2]), value: Buffer.from('{"a":"\u20AC"}').subarray(0, 8), headers: [] },
  'an empty value': { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: [header('', Buffer.alloc(0))] },
  'a tombstone': { key: Buffer.from('gone'), value: null, headers: [header('why', null)] },
  'nothing at all': { key: null, value: null, headers: [] },
  'headers that repeat': {
    key: Buffer.from('k'),
    value: Buffer.from('x'),
    headers: [
      header('a', '1'),
      header('b', '2'),
      header('a', '3'),
      header('a', null),
      header('a', '1'),
      header('A', ''),
    ],
  },
  'headers by hostile names': {
    key: null,
    value: Buffer.from('x'),
    headers: ['__proto__', 'constructor', '"', '\\', '\u202E', 'weir-letter', '💥', 'a'.repeat(5_000)].map((name) =>
      header(name, name),
    ),
  },
  'header names that are no UTF-8': {
    key: null,
    value: Buffer.from('x'),
    headers: [
      { name: 'a\uFFFD', nameBytes: Buffer.from([0x61, 0xff]), value: Buffer.from('1') },
      header('a\uFFFD', '2'),
    ],
  },
  'a byte order mark and line ends': { key: Buffer.from('\uFEFF'), value: Buffer.from('\uFEFF{}\r\n\r'), headers: [] },
  'text that looks like bytea': { key: Buffer.from('\\x00'), value: Buffer.from('\\\\x00\\000'), headers: [] },
  'one MiB': { key: Buffer.alloc(1_000, 0xfe), value: Buffer.alloc(ONE_MIB, 0xff), headers: [] },
  'one byte more than one MiB': { key: null, value: Buffer.alloc(ONE_MIB + 1, 0x20), headers: [] },
  'headers of half a MiB': {
    key: null,
    value: Buffer.from('{'),
    headers: [header('large', Buffer.alloc(ONE_MIB / 2, 0x80))],
  },
};

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
  fc.string({ unit: 'binary', maxLength: 100 }).map((text) => Buffer.from(text)),
  fc.json().map((text) => Buffer.from(text)),
);
const headers = fc.array(fc.record({ name: fc.string({ unit: 'grapheme', maxLength: 20 }), value: fc.option(bytes) }), {
  maxLength: 6,
});
const anyMessage: fc.Arbitrary<Sent> = fc.record({ key: fc.option(bytes), value: fc.option(bytes), headers });

const { kafkaBrokers, postgresUrl, temporalAddress } = inject('servers');
const database = await freshDatabase();
const { pool, schema } = database;
const sent: Sent[] = [
  ...Object.values(SPECIAL),
  ...fc.sample(anyMessage, { numRuns: 300, seed: 20_261_123 }).filter(isRefused),
];
const byKafkajs: Sent = {
  key: everyByte,
  value: Buffer.from([0xff, 0, 0xc3]),
  headers: [header('h', 'one'), header('h', everyByte)],
};
const ids = new Map<number, string>();
let env: Record<string, string>;

function isRefused(message: Sent): boolean {
  const timestampMs = Date.now();
  return parseMessage({ offset: 0, timestampMs, ...message }, { maxFutureMs: 1, retentionMs: null }).rejection !== null;
}

beforeAll(async () => {
  const fresh = await freshTopic({ settings: { 'max.message.bytes': '4000000' } });
  const writer = await openEventWriter({ brokers: kafkaBrokers, topic: fresh.topic });
  try {
    for (const message of sent) await writer.write([{ ...message, timestampMs: Date.now(), partition: 0 }]);
  } finally {
    await writer.close();
  }
  await produceWithKafkajs(fresh, [
    [{ key: byKafkajs.key, value: byKafkajs.value, headers: { h: ['one', everyByte] } }],
  ]);
  await (await handDrivenPipeline(database, { brokers: kafkaBrokers, topic: fresh.topic })).ingest();
  const { rows } = await pool.query<{ id: string; at: number }>(
    `select id::text as id, kafka_offset::int as at from "${schema}".dead_letters`,
  );
  for (const { id, at } of rows) ids.set(at, id);
  env = {
    WEIR_HOME: EMPTY_HOME,
    WEIR_KAFKA_BROKERS: kafkaBrokers.join(','),
    WEIR_POSTGRES_URL: postgresUrl,
    WEIR_TEMPORAL_ADDRESS: temporalAddress,
    WEIR_SCHEMA: schema,
  };
});

/** Equal bytes, without a diff of a MiB where they are not. */
const digest = ({ key, value, headers: list }: Sent): unknown => ({
  key: key?.toString('hex').slice(0, 4_000) ?? null,
  keyLength: key?.length,
  value: value?.toString('hex').slice(0, 4_000) ?? null,
  valueLength: value?.length,
  headers: list.map(({ name, value: of }) => [name, of?.toString('hex').slice(0, 4_000) ?? null, of?.length]),
});

const idAt = (offset: number): string => must(ids.get(offset), `a letter of offset ${offset}`);

describe('a message that became a dead letter', { timeout: 180_000 }, () => {
  test('has all its bytes and headers in PostgreSQL, in their order', async () => {
    expect(ids.size).toBe(sent.length + 1);
    for (const [offset, message] of [...sent, byKafkajs].entries()) {
      const letter = must(await readLetter(pool, schema, idAt(offset)), 'a letter');
      expect(digest(letter), `offset ${offset}`).toEqual(digest(message));
      expect(message.value === null || letter.value?.equals(message.value), `value of ${offset}`).toBe(true);
      expect(message.key === null || letter.key?.equals(message.key), `key of ${offset}`).toBe(true);
      expect(letter.headers, `headers of ${offset}`).toEqual(message.headers);
    }
  });

  test.each(Object.keys(SPECIAL))('is written by show --raw and --raw-key as it came: %s', async (name) => {
    const message = must(SPECIAL[name], name);
    const id = idAt(Object.keys(SPECIAL).indexOf(name));
    const [value, key] = await Promise.all(
      ['--raw', '--raw-key'].map(async (flag) => await runWeirForBytes(['dead-letters', 'show', id, flag], env)),
    );
    expect(value?.code).toBe(0);
    expect(value?.stdout.equals(message.value ?? Buffer.alloc(0))).toBe(true);
    expect(value?.stderr).toBe(message.value === null ? 'weir: the value is null, which has no bytes.\n' : '');
    expect(key?.stdout.equals(message.key ?? Buffer.alloc(0))).toBe(true);
  });

  test.each(['every byte', 'headers that repeat', 'headers by hostile names', 'header names that are no UTF-8'])(
    'is given to programs by show --json with every header: %s',
    async (name) => {
      const id = idAt(Object.keys(SPECIAL).indexOf(name));
      const { stdout } = await runWeir(['dead-letters', 'show', id, '--json'], env);
      const { key, headers: list } = must(SPECIAL[name], name);
      expect(JSON.parse(stdout)).toMatchObject({
        key: key?.toString('base64') ?? null,
        headers: list.map((one) => ({
          name: one.name,
          value: one.value?.toString('base64') ?? null,
          ...(one.nameBytes ? { nameBytes: one.nameBytes.toString('base64') } : {}),
        })),
      });
    },
  );

  test('is shown without a character that a terminal would obey', async () => {
    const shown = await Promise.all(
      [0, 7].map(async (offset) => (await runWeir(['dead-letters', 'show', idAt(offset), '--full'], env)).stdout),
    );
    for (const text of shown) expect(text).not.toMatch(/[^\P{C}\n]/u);
  });
});
