// Dead letters put straight into PostgreSQL, as if ingestion had refused their messages, for tests of what follows.
import type pg from 'pg';

import { must } from '../../pipeline/ensure.ts';
import type { Header } from '../../pipeline/message.ts';
import { headersJson } from '../../postgres/dead-letters.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';

/** One letter; what is absent is that of an open letter with the value {}. `refusedAt` is ISO text. */
export type StoredLetter = {
  readonly partition?: number;
  readonly offset?: number;
  readonly refusedAt?: string;
  readonly key?: Buffer | null;
  readonly value?: Buffer | string | null;
  readonly headers?: readonly Header[];
  readonly reason?: string;
  readonly field?: string | null;
  readonly detail?: string;
  readonly status?: string;
  readonly attempt?: number;
  readonly parent?: string | null;
};

let made = 0;

/** Inserts the letters; their ids, in their order. */
export async function insertLetters(
  pool: pg.Pool,
  schema: string,
  letters: readonly StoredLetter[],
): Promise<string[]> {
  const ids: string[] = [];
  for (const letter of letters) {
    made += 1;
    const { value = '{}', refusedAt = '2026-11-01T10:00:00Z' } = letter;
    const { rows } = await pool.query<{ id: string }>(
      `insert into ${quoteSchema(schema)}.dead_letters (kafka_partition, kafka_offset, kafka_timestamp, key, value, headers,
         reason, field, detail, status, attempt, parent, created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $3) returning id::text as id`,
      [
        letter.partition ?? 0,
        letter.offset ?? made,
        refusedAt,
        letter.key ?? null,
        typeof value === 'string' ? Buffer.from(value) : value,
        headersJson(letter.headers ?? []),
        letter.reason ?? 'missing_field',
        letter.field ?? null,
        letter.detail ?? 'event_type is missing; one of page_view, purchase belongs there.',
        letter.status ?? 'open',
        letter.attempt ?? 1,
        letter.parent ?? null,
      ],
    );
    ids.push(must(rows[0], 'the id of an inserted letter').id);
  }
  return ids;
}

/** Makes `count` open letters at once, a minute apart, over four partitions and three reasons. */
export async function insertManyLetters(pool: pg.Pool, schema: string, count: number): Promise<void> {
  await pool.query(
    `insert into ${quoteSchema(schema)}.dead_letters (kafka_partition, kafka_offset, kafka_timestamp, value, headers, reason, field,
       detail, status, created_at)
     select n % 4, 1000000 + n, at, convert_to('{"event_type":"page_view","n":' || n || '}', 'UTF8'), '[]',
       (array['not_json', 'wrong_field', 'bad_uuid'])[1 + n % 3], case n % 3 when 1 then 'device' end, 'letter ' || n,
       case when n % 1000 = 0 then 'parked' else 'open' end, at
     from (select n, timestamptz '2026-11-01T00:00:00Z' + n * interval '1 minute' as at from generate_series(1, $1) n) as made`,
    [count],
  );
  await pool.query(`analyze ${quoteSchema(schema)}.dead_letters`);
}
