// Dead letters as lists: a page of a selection at a time, by id, and counts of it. No call reads more than its page.
import type { LetterSummary } from '../pipeline/dead-letter.ts';
import type { LetterGroup, LetterSelection } from '../pipeline/letter-selection.ts';
import { parseOffset } from '../pipeline/offset.ts';
import { readable } from '../pipeline/readable-bytes.ts';
import { toMs } from './instant.ts';
import { TYPE_SQL, escapedBytes, whereSql } from './letter-where.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

/** A letter without its bytes. `type`: the event type that they tell, safe to print; `valueBytes` null: a tombstone. */
export type LetterLine = LetterSummary & { readonly type: string | null; readonly valueBytes: number | null };

/** `after`: id of the last letter of the page before; null is the first page. */
export type LetterPage = {
  readonly selection: LetterSelection;
  readonly order: 'newest-first' | 'oldest-first';
  readonly after: string | null;
  readonly limit: number;
};

export type LetterRow = {
  id: string;
  partition: number;
  offset: string;
  kafka_ms: number;
  refused_ms: number;
  reason: string;
  field: string | null;
  detail: string;
  status: string;
  attempt: number;
  parent: string | null;
};

type LineRow = LetterRow & { type: string | null; value_bytes: number | null };

/** Columns of rows `l` that `toSummary` reads. */
export const SUMMARY_COLUMNS = `l.id::text as id, l.kafka_partition as partition, l.kafka_offset::text as "offset",
  ${toMs('l.kafka_timestamp')} as kafka_ms, ${toMs('l.created_at')} as refused_ms, l.reason, l.field, l.detail, l.status,
  l.attempt, l.parent::text as parent`;

export function toSummary(row: LetterRow): LetterSummary {
  return {
    id: row.id,
    partition: row.partition,
    offset: parseOffset(row.offset),
    kafkaTimestampMs: row.kafka_ms,
    refusedAtMs: row.refused_ms,
    reason: row.reason,
    field: row.field,
    detail: row.detail,
    status: row.status,
    attempt: row.attempt,
    parent: row.parent,
  };
}

/** The SQL of one page, for `readLetterPage` and for those who want to know how it is carried out. */
export function letterPageSql(schema: string, page: LetterPage): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const newest = page.order === 'newest-first';
  const where = [whereSql(page.selection, values)];
  if (page.after !== null) where.push(`l.id ${newest ? '<' : '>'} $${values.push(page.after)}::bigint`);
  const text = `
    select ${SUMMARY_COLUMNS}, ${TYPE_SQL} as type, octet_length(l.value) as value_bytes
    from ${quoteSchema(schema)}.dead_letters l where ${where.join(' and ')}
    order by l.id ${newest ? 'desc' : 'asc'} limit ${page.limit}`;
  return { text, values };
}

/** One page of a selection by id. The next one begins after the last id; there is none when fewer than `limit` came. */
export async function readLetterPage(db: Queryable, schema: string, page: LetterPage): Promise<LetterLine[]> {
  const { rows } = await db.query<LineRow>(letterPageSql(schema, page));
  return rows.map(toLine);
}

function toLine(row: LineRow): LetterLine {
  const type = row.type === null ? null : readable(escapedBytes(row.type));
  return { ...toSummary(row), type, valueBytes: row.value_bytes };
}

/** Letters of one group. `value` is safe to print, null where the letters name none; times are of refusals, epoch ms. */
export type LetterCount = {
  readonly value: string | null;
  readonly letters: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
};

const GROUP_SQL: Record<LetterGroup, string> = {
  reason: 'l.reason',
  field: 'l.field',
  type: TYPE_SQL,
  partition: 'l.kafka_partition::text',
  status: 'l.status',
  hour: `to_char(date_trunc('hour', l.created_at at time zone 'UTC'), 'YYYY-MM-DD"T"HH24":00Z"')`,
};

/** The largest groups first, hours newest first; at most `limit` of them. */
export async function countLettersBy(
  db: Queryable,
  schema: string,
  { selection, by, limit }: { selection: LetterSelection; by: LetterGroup; limit: number },
): Promise<LetterCount[]> {
  const values: unknown[] = [];
  const where = whereSql(selection, values);
  const { rows } = await db.query<{ value: string | null; letters: number; first_ms: number; last_ms: number }>(
    `select value, letters, first_ms, last_ms from (
       select ${GROUP_SQL[by]} as value, count(*)::float8 as letters,
         ${toMs('min(l.created_at)')} as first_ms, ${toMs('max(l.created_at)')} as last_ms
       from ${quoteSchema(schema)}.dead_letters l where ${where} group by 1
     ) as counted
     order by ${by === 'hour' ? 'value desc' : 'letters desc, value'} limit ${limit}`,
    values,
  );
  return rows.map(({ value, letters, first_ms, last_ms }) => ({
    value: value === null ? null : readable(by === 'type' ? escapedBytes(value) : Buffer.from(value)),
    letters,
    firstAtMs: first_ms,
    lastAtMs: last_ms,
  }));
}
