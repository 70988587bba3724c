// A field that was unknown becomes a column: rows that had it in `extra` get it there, what does not fit stays, nobody waits.
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';

import Postgrator from 'postgrator';
import { beforeEach, describe, expect, test } from 'vitest';

import { migrate } from '../../postgres/migrate.ts';
import { freshDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';

let database: TestDatabase;

beforeEach(async () => {
  database = await freshDatabase();
});

const sql = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
  (await database.pool.query<Record<string, unknown>>(text.replaceAll('@', `${database.schema}.`), values)).rows;

/** The tables as they were before version 2, in the place of the newest ones. */
async function tablesOfVersion1(): Promise<void> {
  const { schema, pool } = database;
  await pool.query(`drop schema ${schema} cascade; create schema ${schema}`);
  const postgrator = new Postgrator({
    migrationPattern: fileURLToPath(new URL('../../postgres/migrations/*.sql', import.meta.url)),
    driver: 'pg',
    database: '',
    schemaTable: `${schema}.schema_version`,
    currentSchema: schema,
    execQuery: async (text: string) => await pool.query(text.replaceAll('@schema@', `"${schema}"`)),
  });
  await postgrator.migrate('003');
}

type Row = { readonly type?: string; readonly extra: unknown; readonly day?: string };

async function store(rows: readonly Row[]): Promise<void> {
  const full = rows.map(({ type = 'purchase', extra, day = '2026-11-01' }) => ({
    id: randomUUID(),
    at: `${day}T10:00:00Z`,
    type,
    extra,
  }));
  await sql('select @ensure_event_days($1::date[])', [[...new Set(full.map(({ at }) => at.slice(0, 10)))]]);
  await sql(
    `insert into @events (event_id, occurred_at, event_type, user_id, device, location, session_id, schema_version, extra,
       kafka_partition, kafka_offset, kafka_timestamp)
     select id, at, type, 'u', 'd', 'l', 's', 1, nullif(extra, 'null'), 0, 0, at
       from jsonb_to_recordset($1::jsonb) as r (id uuid, at timestamptz, type text, extra jsonb)`,
    [JSON.stringify(full)],
  );
}

const migrateAgain = async () => await migrate({ url: database.url, schema: database.schema });

describe('migration 004', () => {
  test('moves the coupons of orders out of extra, on every day, and leaves other fields, types and texts as they are', async () => {
    await tablesOfVersion1();
    await store([
      { extra: { coupon_code: 'SAVE10' } },
      { extra: { coupon_code: 'Ünïcode 🛒', note: [1, { coupon_code: 'inner' }] } },
      { extra: { coupon_code: '' }, day: '1999-01-01' },
      { extra: { note: 1 } },
      { extra: null },
      { extra: { coupon_code: 'SAVE20' }, type: 'page_view' },
      { extra: { coupon_code: 10, note: 2 } },
      { extra: { coupon_code: null } },
      { extra: { coupon_code: 'x'.repeat(513) }, day: '2026-11-02' },
      { extra: { coupon_code: 'y'.repeat(512) }, day: '2026-11-02' },
    ]);
    const { applied, promoted } = await migrateAgain();
    expect(applied).toEqual(expect.arrayContaining(['004.do.schema-2.sql']));
    expect(promoted).toEqual([{ field: 'coupon_code', column: 'coupon_code', promoted: 4, kept: 3 }]);
    const rows = await sql('select coupon_code, extra from @events where event_type = $1', ['purchase']);
    const found = new Set(rows.map((row) => JSON.stringify([row['coupon_code'], row['extra']])));
    expect(found).toEqual(
      new Set(
        [
          ['SAVE10', null],
          ['Ünïcode 🛒', { note: [1, { coupon_code: 'inner' }] }],
          ['', null],
          [null, { note: 1 }],
          [null, null],
          [null, { note: 2, coupon_code: 10 }],
          [null, { coupon_code: null }],
          [null, { coupon_code: 'x'.repeat(513) }],
          ['y'.repeat(512), null],
        ].map((pair) => JSON.stringify(pair)),
      ),
    );
    expect(await sql("select coupon_code, extra from @events where event_type = 'page_view'")).toEqual([
      { coupon_code: null, extra: { coupon_code: 'SAVE20' } },
    ]);
    expect(await migrateAgain()).toMatchObject({ applied: [], promoted: [] });
  });

  test('gives way to whoever reads events for long, instead of making ingestion wait behind it', async () => {
    await tablesOfVersion1();
    const reader = await database.pool.connect();
    await reader.query('begin');
    await reader.query(`select count(*) from ${database.schema}.events`);
    const migrated = migrateAgain();
    const waits = `select 1 from pg_stat_activity where application_name = 'weir migrate' and wait_event_type = 'Lock'
       and query like '%${database.schema}%coupon_code%'`;
    await eventually(async () => (await sql(waits)).length > 0, { deadlineMs: 20_000, what: 'the migration waits' });
    const startedMs = performance.now();
    await store([{ extra: { coupon_code: 'A' } }]);
    expect(performance.now() - startedMs).toBeLessThan(8_000);
    await reader.query('commit');
    reader.release();
    expect(await migrated).toMatchObject({ promoted: [{ promoted: 1, kept: 0 }] });
  });
});

describe('promote_extra', () => {
  const CASTS: [castTo: string, fits: [json: string, column: string][], stays: string[]][] = [
    [
      'text',
      [
        ['"a"', 'a'],
        ['"1"', '1'],
      ],
      ['1', 'true', 'null', '{}', '["a"]'],
    ],
    ['varchar(3)', [['"abc"', 'abc']], ['"abcd"', '12']],
    [
      'int',
      [
        ['1', '1'],
        ['3.0', '3'],
        ['-2147483648', '-2147483648'],
      ],
      ['1.5', '2147483648', '"1"', '1e300', 'true'],
    ],
    [
      'numeric(12,2)',
      [
        ['1.10', '1.10'],
        ['0', '0.00'],
      ],
      ['1.005', '12345678901', '"1"'],
    ],
    ['float8', [['0.1', '0.1']], ['1e400', '12345678901234567890']],
    [
      'boolean',
      [
        ['true', 'true'],
        ['false', 'false'],
      ],
      ['"true"', '1', 'null'],
    ],
    ['uuid', [['"123e4567-e89b-12d3-a456-426614174000"', '123e4567-e89b-12d3-a456-426614174000']], ['"no"', '1']],
  ];

  test.each(CASTS)(
    'to %s: what the type takes unchanged moves, the rest stays and is counted',
    async (castTo, fits, stays) => {
      await sql(`alter table @events add column "A b" ${castTo}`);
      // The name of a field is anything JSON can write.
      const field = `50%s o'f`;
      for (const json of [...fits.map(([text]) => text), ...stays]) {
        await store([{ extra: null }]);
        await sql(
          `update @events set extra = jsonb_build_object($1::text, $2::jsonb) where "A b" is null and extra is null`,
          [field, json],
        );
      }
      await sql('call @promote_extra($1, $2, $3)', [field, 'A b', castTo]);
      const moved = await sql('select "A b"::text as value from @events where extra is null');
      expect(new Set(moved.map(({ value }) => value))).toEqual(new Set(fits.map(([, column]) => column)));
      const left = await sql('select 1 from @events where "A b" is null and extra ? $1', [field]);
      expect(left).toHaveLength(stays.length);
      expect(
        await sql(
          'select promoted::int, kept::int, finished_at is not null as finished from @promotions where field = $1',
          [field],
        ),
      ).toEqual([{ promoted: fits.length, kept: stays.length, finished: true }]);
    },
  );

  test('a type that no text, number or boolean of JSON becomes is refused, and nothing happens', async () => {
    await sql('alter table @events add column tags text[]');
    await expect(sql("call @promote_extra('tags', 'tags', 'text[]')")).rejects.toThrow('cannot cast to text[]');
    await expect(sql("call @promote_extra('tags', 'tags', 'wish')")).rejects.toThrow('cannot cast to wish');
    expect(await sql("select 1 from @promotions where field = 'tags'")).toEqual([]);
  });

  test('a row that has a value in the column already keeps both', async () => {
    await store([{ extra: { coupon_code: 'B' } }]);
    await sql("update @events set coupon_code = 'A'");
    await sql("call @promote_extra('coupon_code', 'coupon_code', 'text')");
    expect(await sql('select coupon_code, extra from @events')).toEqual([
      { coupon_code: 'A', extra: { coupon_code: 'B' } },
    ]);
  });

  test('cut off in the middle it has moved some rows, keeps nobody waiting, and the next migration moves the rest', async () => {
    const count = 400;
    await store(Array.from({ length: count }, (_, index) => ({ extra: { coupon_code: `C${index}` } })));
    await sql('update @promotions set finished_at = null, promoted = 0');
    const [last] = await sql('select event_id from @events order by ctid desc limit 1');
    const blocker = await database.pool.connect();
    await blocker.query('begin');
    await blocker.query(`select 1 from ${database.schema}.events where event_id = $1 for update`, [last?.['event_id']]);
    const promoter = await database.pool.connect();
    const { rows } = await promoter.query<{ pid: number }>('select pg_backend_pid() as pid');
    const cutOff = promoter.query(
      `call ${database.schema}.promote_extra('coupon_code', 'coupon_code', 'varchar(512)', '{purchase}', 1)`,
    );
    cutOff.catch(() => {});
    const moved = async (): Promise<number> => {
      const [row] = await sql('select count(*)::int as n from @events where coupon_code is not null');
      return Number(row?.['n']);
    };
    await eventually(async () => (await moved()) > 0, { deadlineMs: 20_000, what: 'the first pages are committed' });
    // It waits for the last row by now or soon; events come in all the same.
    await store([{ extra: null }]);
    await sql('select pg_terminate_backend($1)', [rows[0]?.pid]);
    await expect(cutOff).rejects.toThrow(/terminat/);
    promoter.release(true);
    await blocker.query('commit');
    blocker.release();
    const before = await moved();
    expect(before).toBeLessThan(count);
    const { promoted } = await migrateAgain();
    expect(promoted).toEqual([{ field: 'coupon_code', column: 'coupon_code', promoted: count, kept: 0 }]);
    expect(await moved()).toBe(count);
  });
});
