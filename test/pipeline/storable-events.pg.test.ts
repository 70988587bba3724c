// What validation lets through, PostgreSQL can hold: no accepted message fails a batch.
import * as fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { parseMessage } from '../../pipeline/parse-message.ts';
import { changed, RULES, withMember } from './valid-messages.ts';

const client = new Client({ connectionString: inject('servers').postgresUrl });
beforeAll(() => client.connect());
afterAll(() => client.end());

async function storedExtra(member: string): Promise<string | null> {
  const { event } = parseMessage(withMember('search', member), RULES);
  if (event?.extra === undefined || event.extra === null) return null;
  const { rows } = await client.query<{ extra: string }>('select $1::jsonb::text as extra', [event.extra]);
  return rows[0]?.extra ?? null;
}

test('numbers in unknown fields reach jsonb with all their digits', async () => {
  expect(await storedExtra('"a":12345678901234567890,"b":1.10')).toBe('{"a": 12345678901234567890, "b": 1.10}');
  expect(await storedExtra('"a":1e999')).toBe(`{"a": 1${'0'.repeat(999)}}`);
  expect(await storedExtra('"a":1e-999')).toBe(`{"a": 0.${'0'.repeat(998)}1}`);
});

test('the deepest and widest unknown fields that are let through fit jsonb', async () => {
  expect(await storedExtra(`"a":${'{"b":['.repeat(50)}${']}'.repeat(50)}`)).not.toBeNull();
  expect(await storedExtra(`"a":[${'1e999,'.repeat(2000)}0]`)).not.toBeNull();
  expect(await storedExtra(`"${'語'.repeat(100_000)}":"${'語'.repeat(100_000)}"`)).not.toBeNull();
  expect(await storedExtra('"__proto__":{"a":"\\ud83d\\ude00"},"":-0.0')).toBe('{"": 0.0, "__proto__": {"a": "😀"}}');
});

test('any JSON that is let through as an unknown field fits jsonb', async () => {
  await fc.assert(
    fc.asyncProperty(fc.json({ stringUnit: 'binary' }), async (json) => {
      const stored = await storedExtra(`"further":${json}`);
      expect(stored ?? '{"further": refused}').toContain('"further"');
    }),
    { numRuns: 500 },
  );
});

test('the longest device and location that are let through fit one index row', async () => {
  // Random characters, which compression cannot shorten.
  const random = (count: number): string =>
    Array.from({ length: count }, () => String.fromCodePoint(0x4e00 + Math.floor(Math.random() * 20_000))).join('');
  const { event } = parseMessage(changed('search', { device: random(512), location: random(288) }), RULES);
  await client.query(
    'create temporary table longest (window_start timestamptz, device text, location text, primary key (window_start, device, location))',
  );
  await client.query('insert into longest values (now(), $1, $2)', [event?.fields.device, event?.fields.location]);
  const tooLong = client.query('insert into longest values (now(), $1, $2)', [random(512), random(512)]);
  await expect(tooLong).rejects.toThrow('exceeds btree version 4 maximum');
});

test('times at both ends of the years that are let through fit timestamptz', async () => {
  const { rows } = await client.query('select $1::timestamptz < $2::timestamptz as ordered', [
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999999Z',
  ]);
  expect(rows).toEqual([{ ordered: true }]);
});
