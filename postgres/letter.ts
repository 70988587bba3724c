// One whole dead letter: the message's own bytes and headers, and what became of it.
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

import type { DeadLetter } from '../pipeline/dead-letter.ts';
import type { Header } from '../pipeline/message.ts';
import { toMs } from './instant.ts';
import { SUMMARY_COLUMNS, toSummary } from './letter-pages.ts';
import type { LetterRow } from './letter-pages.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

/** How the column `headers` says them: in their order, values in base64. */
const WrittenHeaders = Type.Array(
  Type.Object({
    name: Type.String(),
    value: Type.Union([Type.String(), Type.Null()]),
    nameBytes: Type.Optional(Type.String()),
  }),
);

type WholeRow = LetterRow & {
  key: Buffer | null;
  value: Buffer | null;
  headers: unknown;
  closed_ms: number | null;
  note: string | null;
  sent_ms: number | null;
  published_ms: number | null;
  event_id: string | null;
  event_ms: number | null;
};

type ChildRow = { id: string; attempt: number; status: string; reason: string };

/** The letter with this id (decimal string), or null. */
export async function readLetter(db: Queryable, schema: string, id: string): Promise<DeadLetter | null> {
  const letters = `${quoteSchema(schema)}.dead_letters`;
  const { rows } = await db.query<WholeRow>(
    `select ${SUMMARY_COLUMNS}, l.key, l.value, l.headers, ${toMs('l.closed_at')} as closed_ms, l.note,
       ${toMs('l.sent_at')} as sent_ms, ${toMs('l.published_at')} as published_ms, l.event_id::text as event_id, ${toMs('l.event_at')} as event_ms
     from ${letters} l where l.id = $1::bigint`,
    [id],
  );
  const row = rows[0];
  if (row === undefined) return null;
  const { rows: children } = await db.query<ChildRow>(
    `select id::text as id, attempt, status, reason from ${letters} where parent = $1::bigint order by id limit 100`,
    [id],
  );
  return {
    ...toSummary(row),
    key: row.key,
    value: row.value,
    headers: headersFrom(row.headers),
    closedAtMs: row.closed_ms,
    sentAtMs: row.sent_ms,
    publishedAtMs: row.published_ms === -Infinity ? 'refused by Kafka' : row.published_ms,
    note: row.note,
    event: row.event_id === null ? null : { id: row.event_id, atMs: row.event_ms },
    children,
  };
}

/** Headers as their column holds them, read back into bytes: names and values as they came, repeated ones too. */
export function headersFrom(written: unknown): Header[] {
  return Value.Parse(WrittenHeaders, written).map(({ name, value: base64, nameBytes }) => {
    const value = base64 === null ? null : Buffer.from(base64, 'base64');
    return nameBytes === undefined ? { name, value } : { name, value, nameBytes: Buffer.from(nameBytes, 'base64') };
  });
}
