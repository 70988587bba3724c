// Replayed letters on real servers: every byte goes out again, what becomes of them is written back, and no crash counts twice.
import { describe, expect, test } from 'vitest';

import type { Header } from '../../pipeline/message.ts';
import { selectLetters } from '../../pipeline/letter-selection.ts';
import { parseRename, parseSet } from '../../pipeline/repair.ts';
import { countOutcomes, markSent } from '../../postgres/replayed-letters.ts';
import { freshDatabase } from '../support/database.ts';
import { insertLetters } from '../support/letters.ts';
import { pageView } from '../support/messages.ts';
import { ReplayWorld, newEnvironment } from './replay-world.ts';

const ONE_MIB = 1_048_576;
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const header = (name: string, value: Buffer | string | null): Header => ({
  name,
  value: typeof value === 'string' ? Buffer.from(value) : value,
});
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
/** Without a device, which a repair can give it. */
const deviceless = (changes: Record<string, unknown> = {}): Record<string, unknown> =>
  pageView({ device: undefined, ...changes });
const setDevice = { steps: [parseSet('device=mobile')], transform: null };
const transformOf = (body: string) => ({ steps: [], transform: `module.exports.default = ${body};` });

const HOSTILE: Readonly<Record<string, { key: Buffer | null; value: Buffer | null; headers: readonly Header[] }>> = {
  'every byte': { key: everyByte, value: everyByte, headers: [header('all', everyByte)] },
  'NUL alone': { key: Buffer.alloc(1), value: Buffer.alloc(1), headers: [header('\0', Buffer.alloc(1))] },
  'bytes that are not UTF-8': { key: Buffer.from([0xe2]), value: Buffer.from([0xff, 0xfe]), headers: [] },
  'an empty value': { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: [header('', Buffer.alloc(0))] },
  'a tombstone': { key: Buffer.from('gone'), value: null, headers: [header('why', null)] },
  'nothing at all': { key: null, value: null, headers: [] },
  'headers that repeat': {
    key: Buffer.from('k'),
    value: Buffer.from('x'),
    headers: [header('a', '1'), header('b', '2'), header('a', '3'), header('a', null), header('A', '')],
  },
  'header names that are no UTF-8': {
    key: null,
    value: Buffer.from('x'),
    headers: [
      { name: 'a\uFFFD', nameBytes: Buffer.from([0x61, 0xff]), value: Buffer.from('1') },
      header('a\uFFFD', '2'),
    ],
  },
  'one MiB': { key: Buffer.alloc(1_000, 0xfe), value: Buffer.alloc(ONE_MIB, 0xff), headers: [] },
};

/** Runs `work` while no letter can be written to: whoever marks one dies between sending and marking. */
async function withCrashOnUpdate({ database }: ReplayWorld, work: () => Promise<void>): Promise<void> {
  const { pool, schema } = database;
  await pool.query(`create function "${schema}".crash() returns trigger language plpgsql as $$ begin raise exception 'crash'; end $$;
    create trigger crash before update on "${schema}".dead_letters for each statement execute function "${schema}".crash()`);
  await work();
  await pool.query(`drop trigger crash on "${schema}".dead_letters`);
}

describe('a lease of a replay', { timeout: 120_000 }, () => {
  test('sends key, value and headers as they came, byte for byte, and its own two headers behind them', async () => {
    const world = await ReplayWorld.open(await freshDatabase(), { settings: { 'max.message.bytes': '4000000' } });
    const sent = Object.values(HOSTILE);
    await world.take(sent.map((message) => ({ ...message, partition: 0 })));
    expect(await world.replay()).toMatchObject({
      sent: sent.length,
      done: true,
      reason: 'done',
      unsent: { letters: 0 },
    });
    const again = await world.messagesFrom(sent.length);
    expect(again).toHaveLength(sent.length);
    for (const [index, name] of Object.keys(HOSTILE).entries()) {
      const [before, after] = [sent[index], again[index]];
      expect(after?.key, name).toEqual(before?.key);
      expect(after?.value === null ? null : after?.value.equals(before?.value ?? Buffer.alloc(0)), name).toBe(
        before?.value === null ? null : true,
      );
      const ours = [header('weir-letter', String(index + 1)), header('weir-attempt', '2'), header('weir-replay', 'r1')];
      expect(after?.headers, name).toEqual([...(before?.headers ?? []), ...ours]);
    }
    await world.pipeline.ingest();
    expect(await world.count(`dead_letters where status = 'replaced' and attempt = 1`)).toBe(sent.length);
    expect(
      await world.count(`dead_letters c join "${world.database.schema}".dead_letters p on p.id = c.parent
      where c.attempt = 2 and c.value is not distinct from p.value and c.key is not distinct from p.key`),
    ).toBe(sent.length);
  });

  test('recovers a repaired letter as its event, and a letter that is refused again has a child with one attempt more', async () => {
    const world = await ReplayWorld.open(await freshDatabase());
    const good = deviceless();
    await world.take([
      { key: 'u', value: json(good) },
      { key: 'u', value: json(deviceless({ page: 'cellar' })) },
    ]);
    expect(await world.replay({ repair: setDevice })).toMatchObject({ sent: 2 });
    await world.pipeline.ingest();
    const [first, second, child] = await world.letters();
    expect(first).toMatchObject({ status: 'recovered', event: { id: good['event_id'] } });
    expect(second).toMatchObject({ status: 'replaced', attempt: 1 });
    expect(child).toMatchObject({
      status: 'open',
      attempt: 2,
      parent: second?.id,
      reason: 'wrong_field',
      field: 'page',
    });
    expect(child?.value?.toString()).toContain('"device":"mobile"');
    expect(await countOutcomes(world.database.pool, world.database.schema, 'r1')).toEqual({
      sent: 2,
      recovered: 1,
      replaced: 1,
      parked: 0,
      undecided: 0,
    });
  });

  test('parks a letter at its fifth refusal, and takes it again only by its state or number', async () => {
    const world = await ReplayWorld.open(await freshDatabase());
    await world.take([{ key: 'u', value: 'no json' }].map((each) => ({ ...each, value: Buffer.from(each.value) })));
    for (let attempt = 2; attempt <= 5; attempt += 1) {
      expect(await world.replay({ replay: `r${attempt}` })).toMatchObject({ sent: 1 });
      await world.pipeline.ingest();
    }
    expect((await world.letters()).map(({ status, attempt }) => [status, attempt])).toEqual([
      ['replaced', 1],
      ['replaced', 2],
      ['replaced', 3],
      ['replaced', 4],
      ['parked', 5],
    ]);
    const { pool, schema } = world.database;
    expect(await countOutcomes(pool, schema, 'r5')).toMatchObject({ replaced: 1, parked: 1 });
    expect(await world.replay({ replay: 'r6' })).toMatchObject({ sent: 0, done: true });
    expect(await world.replay({ replay: 'r7', selection: selectLetters({ status: ['parked'] }, 0) })).toMatchObject({
      sent: 1,
    });
  });

  test('that crashes between sending and marking sends twice, and one event results', async () => {
    const world = await ReplayWorld.open(await freshDatabase());
    const refused = Array.from({ length: 5 }, () => deviceless());
    await world.take(refused.map((value) => ({ key: 'u', value: json(value) })));
    await withCrashOnUpdate(world, async () => {
      await expect(world.replay({ repair: setDevice })).rejects.toThrow('crash');
    });
    expect(await world.count(`dead_letters where status = 'open'`)).toBe(5);
    expect(await world.replay({ repair: setDevice })).toMatchObject({ sent: 5 });
    expect(await world.messagesFrom(5)).toHaveLength(10);
    await world.pipeline.ingest();
    expect(await world.count('events')).toBe(5);
    expect(await world.count(`dead_letters where status = 'recovered'`)).toBe(5);
    expect(await world.count('dead_letters')).toBe(5);
    // A third lease, from the beginning again, finds nothing of this replay.
    expect(await world.replay({ repair: setDevice })).toMatchObject({ sent: 0, done: true });
  });

  test('that crashes between sending and marking counts what the pipeline has taken in meanwhile as its own', async () => {
    const world = await ReplayWorld.open(await freshDatabase());
    const { pool, schema } = world.database;
    const refused = [deviceless(), deviceless(), deviceless({ page: 'cellar' })];
    await world.take(refused.map((value) => ({ key: 'u', value: json(value) })));
    await withCrashOnUpdate(world, async () => {
      await expect(world.replay({ repair: setDevice })).rejects.toThrow('crash');
    });
    await world.pipeline.ingest();
    // The lease that is given again finds no open letter any more.
    expect(await world.replay({ repair: setDevice })).toMatchObject({ sent: 0, done: true });
    expect(await countOutcomes(pool, schema, 'r1')).toEqual({
      sent: 3,
      recovered: 2,
      replaced: 1,
      parked: 0,
      undecided: 0,
    });
    expect(await world.count('dead_letters where replay is not null and sent_at is null')).toBe(0);
  });

  test('marks what the pipeline was faster with, and leaves its word', async () => {
    const { pool, schema } = await freshDatabase();
    const ids = await insertLetters(pool, schema, [
      { status: 'recovered' },
      { status: 'replaced' },
      {},
      { status: 'parked' },
    ]);
    await markSent(pool, schema, { replay: 'r1', ids });
    const { rows } = await pool.query(
      `select status, replay, sent_at is not null as at from "${schema}".dead_letters order by id`,
    );
    expect(rows).toEqual(
      ['recovered', 'replaced', 'sent', 'sent'].map((status) => ({ status, replay: 'r1', at: true })),
    );
    expect(await countOutcomes(pool, schema, 'r1')).toMatchObject({ sent: 4, recovered: 1, replaced: 1, undecided: 2 });
  });

  test('never meets its own children, and leaves younger letters alone', async () => {
    const world = await ReplayWorld.open(await freshDatabase());
    await world.take([{ key: 'u', value: Buffer.from('no json') }]);
    const input = await world.input();
    await world.take([{ key: 'u', value: Buffer.from('younger') }]);
    expect(await world.replay(input)).toMatchObject({ sent: 1, done: true });
    await world.pipeline.ingest();
    expect(await world.replay(input)).toMatchObject({ sent: 0, done: true });
    expect(await world.count('dead_letters')).toBe(3);
  });

  test('leaves what cannot be repaired or sent as it is, each with the reason, and goes on', async () => {
    const world = await ReplayWorld.open(await freshDatabase());
    const { pool, schema } = world.database;
    await insertLetters(pool, schema, [
      { value: 'no json' },
      { value: '{"a":1}' },
      { value: '{"b":1}' },
      // Larger than the topic takes.
      { value: Buffer.alloc(2 * ONE_MIB, 0x20) },
      { value: JSON.stringify({ a: 1, b: 2 }) },
    ]);
    const renamed = await world.replay({ repair: { steps: [parseRename('a=b')], transform: null } });
    expect(renamed).toMatchObject({ sent: 1, leftOut: 0, unsent: { letters: 4 } });
    expect(renamed.unsent.examples.map(({ id, why }) => `${id} ${why.slice(0, 34)}`)).toEqual([
      '1 its value is not JSON (Unexpected ',
      '3 the repair changes nothing in it',
      '4 its value is not JSON (Unexpected ',
      '5 it has both a and b',
    ]);
    const plain = await world.replay({ replay: 'r2' });
    expect(plain).toMatchObject({ sent: 3, unsent: { letters: 1 } });
    expect(plain.unsent.examples[0]).toMatchObject({ id: '4', why: expect.stringMatching(/MESSAGE_TOO_LARGE/) });
    expect(await world.count(`dead_letters where status = 'open' and replay is null`)).toBe(1);
  });

  test('transforms letters apart from itself: one that hangs is left as it is, others go out or stay out', async () => {
    const world = await ReplayWorld.open(await freshDatabase());
    const { pool, schema } = world.database;
    await insertLetters(pool, schema, [
      { value: '{"n":1}' },
      { value: '{"n":2}' },
      { value: '{"n":3}' },
      { value: '{"n":4.50}' },
    ]);
    const repair = transformOf(`({ value }) => {
      if (value.n === 1) for (;;);
      if (value.n === 2) return null;
      if (value.n === 3) throw new Error('three');
      return { value: { ...value, device: 'mobile' } };
    }`);
    const { leftOut, sent, unsent } = await world.replay({ repair });
    expect({ leftOut, sent, examples: unsent.examples }).toEqual({
      leftOut: 1,
      sent: 1,
      examples: [
        { id: '1', why: 'the transform took longer than 2000 ms' },
        { id: '3', why: 'the transform threw Error: three' },
      ],
    });
    expect((await world.messagesFrom(0)).map(({ value }) => value?.toString())).toEqual([
      '{"n":4.50,"device":"mobile"}',
    ]);
    expect(await world.count(`dead_letters where status = 'open'`)).toBe(3);
  });

  test('keeps to its rate, and asked to stop it ends behind the page in hand', async () => {
    const world = await ReplayWorld.open(await freshDatabase());
    const { pool, schema } = world.database;
    await insertLetters(
      pool,
      schema,
      Array.from({ length: 60 }, () => ({})),
    );
    const startMs = performance.now();
    const first = await world.replay({ rate: 20, leaseMs: 900 });
    expect(first.reason).toBe('lease-over');
    expect(first.sent).toBeGreaterThan(0);
    expect(first.sent).toBeLessThanOrEqual(((performance.now() - startMs) / 1_000) * 20);
    const environment = newEnvironment();
    environment.on('heartbeat', ({ sent }: { sent?: number } = {}) => {
      if (sent) environment.cancel('CANCELLED');
    });
    const stopped = await world.replay({ replay: 'r2', rate: 20 }, environment);
    expect(stopped).toMatchObject({ reason: 'drained', sent: 5 });
    expect(await world.count(`dead_letters where status = 'sent'`)).toBe(first.sent + 5);
    expect(await world.messagesFrom(0)).toHaveLength(first.sent + 5);
  });

  test('goes through pages that are large, whole and in order', async () => {
    const world = await ReplayWorld.open(await freshDatabase(), { settings: { 'max.message.bytes': '4000000' } });
    const { pool, schema } = world.database;
    await insertLetters(
      pool,
      schema,
      Array.from({ length: 12 }, () => ({ value: Buffer.alloc(2 * ONE_MIB, 0x20) })),
    );
    expect(await world.replay()).toMatchObject({ sent: 12, done: true });
    const ids = (await world.messagesFrom(0)).map(({ headers }) => Number(headers[0]?.value?.toString()));
    expect(ids).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
  });
});
