// Lists of dead letters on a real PostgreSQL: what filters take, pages that join, counts, and no reading of the whole table.
import { afterEach, describe, expect, test } from 'vitest';

import { must } from '../../pipeline/ensure.ts';
import { LETTER_GROUPS, selectLetters } from '../../pipeline/letter-selection.ts';
import type { WrittenFilters } from '../../pipeline/letter-selection.ts';
import { discardLetters, youngestLetter } from '../../postgres/discard-letters.ts';
import { readLetter } from '../../postgres/letter.ts';
import { countLettersBy, letterPageSql, readLetterPage } from '../../postgres/letter-pages.ts';
import { escapedBytes } from '../../postgres/letter-where.ts';
import { freshDatabase } from '../support/database.ts';
import { insertLetters, insertManyLetters } from '../support/letters.ts';

const { pool, schema } = await freshDatabase();
const large = await freshDatabase();
await insertManyLetters(large.pool, large.schema, 20_000);
const NOW = Date.parse('2026-11-01T12:00:00Z');

afterEach(async () => {
  await pool.query(`truncate "${schema}".dead_letters restart identity`);
});

async function idsOf(
  filters: WrittenFilters,
  order: 'newest-first' | 'oldest-first' = 'oldest-first',
): Promise<string[]> {
  const page = { selection: selectLetters(filters, NOW), order, after: null, limit: 100 };
  return (await readLetterPage(pool, schema, page)).map(({ id }) => id);
}

describe('a filter', () => {
  test('takes the letters it names, and several narrow each other', async () => {
    const [a, b, c] = await insertLetters(pool, schema, [
      { reason: 'not_json', partition: 1, refusedAt: '2026-11-01T09:00:00Z' },
      { reason: 'wrong_field', field: 'device', partition: 1, status: 'parked', refusedAt: '2026-11-01T10:00:00Z' },
      { reason: 'wrong_field', field: 'price', partition: 2, refusedAt: '2026-11-01T11:30:00Z' },
    ]);
    expect(await idsOf({})).toEqual([a, b, c]);
    expect(await idsOf({}, 'newest-first')).toEqual([c, b, a]);
    expect(await idsOf({ reason: ['wrong_field'] })).toEqual([b, c]);
    expect(await idsOf({ reason: ['not_json', 'wrong_field'], partition: ['1'] })).toEqual([a, b]);
    expect(await idsOf({ field: ['device'] })).toEqual([b]);
    expect(await idsOf({ field: ['device', '-'] })).toEqual([a, b]);
    expect(await idsOf({ field: ['-'] })).toEqual([a]);
    expect(await idsOf({ status: ['parked'] })).toEqual([b]);
    expect(await idsOf({ ids: [must(c, 'c'), '999999'] })).toEqual([c]);
    expect(await idsOf({ since: '1h' })).toEqual([c]);
    expect(await idsOf({ since: '2026-11-01T09:00Z', until: '2026-11-01T10:00Z' })).toEqual([a]);
  });

  test('by type takes what the bytes tell, whatever else they are', async () => {
    const broken = Buffer.concat([
      Buffer.from('{"x":"'),
      Buffer.from([0, 0xff, 0xfe]),
      Buffer.from('","event_type" :\n"größe"'),
    ]);
    const [a, b, c, d] = await insertLetters(pool, schema, [
      { value: '{"event_type":"purchase"' },
      { value: broken },
      { value: '{"event_type":5}' },
      { value: null },
    ]);
    expect(await idsOf({ type: ['purchase'] })).toEqual([a]);
    expect(await idsOf({ type: ['größe'] })).toEqual([b]);
    expect(await idsOf({ type: ['-'] })).toEqual([c, d]);
    expect(await idsOf({ type: ['purchase', '-'] })).toEqual([a, c, d]);
    const page = { selection: selectLetters({}, NOW), order: 'oldest-first', after: null, limit: 9 } as const;
    expect((await readLetterPage(pool, schema, page)).map(({ type }) => type)).toEqual([
      'purchase',
      'größe',
      null,
      null,
    ]);
  });

  test('by text takes the bytes of value and key, beside NUL and broken UTF-8', async () => {
    const [a, b] = await insertLetters(pool, schema, [
      { value: Buffer.from([0, 0xff, ...Buffer.from('Köln'), 0]) },
      { key: Buffer.from('user-Köln'), value: null },
      { value: 'K' },
    ]);
    expect(await idsOf({ text: 'Köln' })).toEqual([a, b]);
    expect(await idsOf({ text: `'; drop table` })).toEqual([]);
  });
});

describe('pages', () => {
  test('join without a gap or a repetition, in both orders', async () => {
    await insertManyLetters(pool, schema, 25);
    const selection = selectLetters({ reason: ['not_json', 'bad_uuid'] }, NOW);
    for (const order of ['newest-first', 'oldest-first'] as const) {
      const seen: string[] = [];
      for (let after: string | null = null; ;) {
        const page: { id: string }[] = await readLetterPage(pool, schema, { selection, order, after, limit: 5 });
        seen.push(...page.map(({ id }) => id));
        if (page.length < 5) break;
        after = page.at(-1)?.id ?? null;
      }
      const all = await idsOf({ reason: ['not_json', 'bad_uuid'] }, order);
      expect(seen).toEqual(all);
      expect(seen).toHaveLength(16);
    }
  });

  test.each([
    ['the newest', {}, null],
    ['the next ones', {}, '15000'],
    ['parked ones', { status: ['parked'] }, null],
    ['of one reason', { reason: ['bad_uuid'] }, null],
    ['of some ids', { ids: ['5', '7', '9'] }, null],
    ['of an hour', { since: '2026-11-07T10:00Z', until: '2026-11-07T11:00Z' }, null],
    ['of a place in time and a reason', { since: '2026-11-07T10:00Z', reason: ['not_json'] }, null],
  ])('of %s are read through an index', async (_what, filters, after) => {
    const page = { selection: selectLetters(filters, NOW), order: 'newest-first', after, limit: 20 } as const;
    const { text, values } = letterPageSql(large.schema, page);
    const { rows } = await large.pool.query<{ 'QUERY PLAN': string }>(`explain (analyze, costs off) ${text}`, values);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/Index (Only )?Scan/);
    expect(plan).not.toMatch(/Seq Scan/);
    // Rows that were read and thrown away: none needs more than a small part of the table.
    const removed = [...plan.matchAll(/Rows Removed by \w+: (\d+)/g)].map(([, count]) => Number(count));
    expect(Math.max(0, ...removed)).toBeLessThan(1_000);
  });
});

describe('counts', () => {
  test('by each kind add up to all letters, largest first', async () => {
    await insertManyLetters(pool, schema, 300);
    await insertLetters(pool, schema, [
      { value: Buffer.from([0xff, 0]), partition: 9, refusedAt: '2026-11-03T00:00:00Z' },
    ]);
    const selection = selectLetters({}, NOW);
    const seen: Record<string, unknown> = {};
    for (const by of LETTER_GROUPS) {
      const counts = await countLettersBy(pool, schema, { selection, by, limit: 100 });
      expect(counts.reduce((sum, { letters }) => sum + letters, 0)).toBe(301);
      seen[by] = counts.slice(0, 2).map(({ value, letters }) => [value, letters]);
    }
    expect(seen).toEqual({
      reason: [
        ['bad_uuid', 100],
        ['not_json', 100],
      ],
      field: [
        [null, 201],
        ['device', 100],
      ],
      type: [
        ['page_view', 300],
        [null, 1],
      ],
      partition: [
        ['0', 75],
        ['1', 75],
      ],
      status: [['open', 301]],
      hour: [
        ['2026-11-03T00:00Z', 1],
        ['2026-11-01T05:00Z', 1],
      ],
    });
  });
});

describe('one letter', () => {
  test('knows its parent, its children and its own bytes', async () => {
    const headers = [
      { name: 'a', value: Buffer.from([0, 0xff]) },
      { name: 'a', value: null },
      { name: 'n\0', value: Buffer.alloc(0) },
    ];
    const [parent] = await insertLetters(pool, schema, [
      { status: 'replaced', headers, key: Buffer.alloc(0), value: null },
    ]);
    const [child] = await insertLetters(pool, schema, [
      { parent: must(parent, 'parent'), attempt: 2, reason: 'bad_uuid' },
    ]);
    expect(await readLetter(pool, schema, must(parent, 'parent'))).toMatchObject({
      headers,
      key: Buffer.alloc(0),
      value: null,
      children: [{ id: child, attempt: 2, status: 'open', reason: 'bad_uuid' }],
    });
    expect(await readLetter(pool, schema, must(child, 'child'))).toMatchObject({ parent, children: [] });
    expect(await readLetter(pool, schema, '9223372036854775807')).toBeNull();
  });

  test('has its event type in the escape form of PostgreSQL, which is read back', () => {
    expect(escapedBytes(String.raw`a\\b\303\266\000`)).toEqual(Buffer.from('a\\bö\0'));
  });
});

describe('discarding', () => {
  test('marks open and parked letters of the selection, in as many transactions as it takes, and no younger ones', async () => {
    await insertManyLetters(pool, schema, 2_000);
    const [sent] = await insertLetters(pool, schema, [{ status: 'sent', reason: 'not_json' }]);
    const throughId = await youngestLetter(pool, schema);
    const [younger] = await insertLetters(pool, schema, [{ reason: 'not_json' }]);
    const progress: number[] = [];
    const discard = {
      selection: selectLetters({ reason: ['not_json'] }, NOW),
      throughId,
      note: 'why',
      perTransaction: 250,
    };
    const onProgress = (done: number): number => progress.push(done);
    expect(await discardLetters(pool, schema, { ...discard, onProgress })).toBe(666);
    expect(progress).toEqual([250, 500, 666]);
    expect(await idsOf({ reason: ['not_json'], status: ['open', 'sent', 'parked'] })).toEqual([sent, younger]);
    const { rows } = await pool.query<Record<string, unknown>>(
      `select note, status, closed_at is not null as closed, count(*)::int from "${schema}".dead_letters where note is not null group by 1, 2, 3`,
    );
    expect(rows).toEqual([{ note: 'why', status: 'discarded', closed: true, count: 666 }]);
    expect(await discardLetters(pool, schema, discard)).toBe(0);
  });
});
