// A selection of dead letters as SQL: a condition on rows `l` of `dead_letters`, and what it takes for granted of their bytes.
import type { LetterSelection } from '../pipeline/letter-selection.ts';
import { instant } from './instant.ts';

/** Of a value this many bytes are searched for its event type: written out for the search, they take four times the room. */
const SEARCHED_BYTES = 1_048_576;

/**
 * SQL: the event type that the bytes of `l.value` tell, or null: what stands in quotes behind the first "event_type". Never
 * fails, whatever the bytes: they are searched in PostgreSQL's escape form (`escapedBytes` reads it).
 */
export const TYPE_SQL = String.raw`substring(encode(substring(l.value from 1 for ${SEARCHED_BYTES}), 'escape')
  from '"event_type"\s*:\s*"([^"]*)"')`;

/** The condition; appends its parameters to `params`. "true" where every letter is meant. */
export function whereSql(selection: LetterSelection, params: unknown[]): string {
  const { ids, reasons, partitions, statuses, sinceMs, untilMs, text } = selection;
  const param = (value: unknown): string => `$${params.push(value)}`;
  const oneOf = (expression: string, values: readonly unknown[], type: string): string[] =>
    values.length === 0 ? [] : [`${expression} = any(${param(values)}::${type}[])`];
  // null: letters that name none.
  const named = (
    expression: string,
    names: readonly (string | null)[],
    element: (list: string) => string,
  ): string[] => {
    if (names.length === 0) return [];
    const given = names.filter((name) => name !== null);
    const parts = given.length === 0 ? [] : [`${expression} = any(${element(param(given))})`];
    if (names.includes(null)) parts.push(`${expression} is null`);
    return [`(${parts.join(' or ')})`];
  };
  const conditions = [
    ...oneOf('l.id', ids, 'bigint'),
    ...oneOf('l.status', statuses, 'text'),
    ...oneOf('l.reason', reasons, 'text'),
    ...oneOf('l.kafka_partition', partitions, 'int'),
    ...(sinceMs === null ? [] : [`l.created_at >= ${instant(sinceMs)}`]),
    ...(untilMs === null ? [] : [`l.created_at < ${instant(untilMs)}`]),
    ...named('l.field', selection.fields, (list) => `${list}::text[]`),
    // Last, because they read the bytes.
    ...named(TYPE_SQL, selection.types, escapedSql),
  ];
  if (text !== null) {
    const bytes = param(Buffer.from(text));
    conditions.push(`(position(${bytes}::bytea in l.value) > 0 or position(${bytes}::bytea in l.key) > 0)`);
  }
  return conditions.length === 0 ? 'true' : conditions.join(' and ');
}

const escapedSql = (list: string): string =>
  `array(select encode(convert_to(given, 'UTF8'), 'escape') from unnest(${list}::text[]) given)`;

/** The bytes that PostgreSQL wrote in its escape form: "\303\266" is "ö" in UTF-8, and "\\" a backslash. */
export function escapedBytes(escaped: string): Buffer {
  const bytes: number[] = [];
  for (const [, octal, double, plain] of escaped.matchAll(/\\([0-7]{3})|(\\\\)|([^\\])/g)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else if (double !== undefined) bytes.push(92);
    else bytes.push(plain?.charCodeAt(0) ?? 0);
  }
  return Buffer.from(bytes);
}
