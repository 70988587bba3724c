// A trial of one message: everything that must hold for any bytes at all, and the first thing that does not.
import { messageOf } from '../../pipeline/ensure.ts';
import type { Event } from '../../pipeline/event.ts';
import type { Message } from '../../pipeline/message.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import type { ParseRules, Verdict } from '../../pipeline/parse-message.ts';
import { REJECTION_REASONS } from '../../pipeline/rejection.ts';
import type { Rejection } from '../../pipeline/rejection.ts';
import { CopyBuffer } from '../../postgres/copy-buffer.ts';
import { DEAD_LETTER_COLUMNS, encodeDeadLetters } from '../../postgres/dead-letters.ts';
import { EVENT_COLUMNS, encodeEvents } from '../../postgres/event-rows.ts';
import { copyRows } from './copy-rows.ts';
import type { ColumnKind } from './copy-rows.ts';
import { expectedOf } from './naive-rules.ts';
import type { Expected, JsonObject } from './naive-rules.ts';
import { timeUs } from './naive-values.ts';

/** `complaint` is null when all is well. */
export type Trial = { readonly verdict: Verdict | null; readonly tookMs: number; readonly complaint: string | null };

/** No message may take longer, however often it is measured. */
const LONGEST_MS = 2_000;
/** Above this the machine may have done something else meanwhile, so it is measured again. */
const NOTABLE_MS = 2;
const MEASURED_AGAIN = 4;

const PARTITION = 3;
const buffer = new CopyBuffer();
const namesOf = (columns: string): string[] => columns.split(',').map((name) => name.trim());
const EVENT_NAMES = namesOf(EVENT_COLUMNS);
const LETTER_NAMES = namesOf(DEAD_LETTER_COLUMNS);
const KINDS: Readonly<Record<string, ColumnKind>> = {
  event_id: 'uuid',
  occurred_at: 'timestamptz',
  kafka_timestamp: 'timestamptz',
  schema_version: 'int4',
  duration_seconds: 'int4',
  position: 'int4',
  quantity: 'int4',
  results_count: 'int4',
  clicked_position: 'int4',
  kafka_partition: 'int4',
  attempt: 'int4',
  kafka_offset: 'int8',
  parent: 'int8',
  success: 'bool',
  items: 'text[]',
  quantities: 'int4[]',
  total_amount: 'numeric',
  price: 'numeric',
  extra: 'jsonb',
  key: 'bytea',
  value: 'bytea',
};
const kindsOf = (names: readonly string[]): ColumnKind[] => names.map((name) => KINDS[name] ?? 'text');
const EVENT_KINDS = kindsOf(EVENT_NAMES);
const LETTER_KINDS = kindsOf(LETTER_NAMES);

export function tryMessage(message: Message, rules: ParseRules): Trial {
  let verdict: Verdict | null = null;
  let tookMs = 0;
  try {
    const startedMs = performance.now();
    verdict = parseMessage(message, rules);
    tookMs = performance.now() - startedMs;
    for (let again = 0; tookMs > NOTABLE_MS && again < MEASURED_AGAIN; again += 1) {
      const againMs = performance.now();
      parseMessage(message, rules);
      tookMs = Math.min(tookMs, performance.now() - againMs);
    }
    return { verdict, tookMs, complaint: complaintAbout(message, rules, { verdict, tookMs }) };
  } catch (thrown) {
    return { verdict, tookMs, complaint: `thrown: ${messageOf(thrown)}` };
  }
}

function complaintAbout(
  message: Message,
  rules: ParseRules,
  { verdict, tookMs }: { verdict: Verdict; tookMs: number },
): string | null {
  if (tookMs > LONGEST_MS) return `slow: ${tookMs.toFixed(0)} ms`;
  const { event, rejection } = verdict;
  if ((event === null) === (rejection === null)) return 'not exactly one of event and rejection';
  if (JSON.stringify(parseMessage(message, rules)) !== JSON.stringify(verdict))
    return 'another verdict when asked again';
  const expected = expectedOf(message, rules);
  if (rejection !== null) return complaintAboutRejection(message, rejection, expected);
  if (expected.object === null) return `an event where ${expected.certain.join(', ')} belongs`;
  return complaintAboutEvent(message, event, { ...expected, object: expected.object });
}

function complaintAboutRejection(message: Message, rejection: Rejection, expected: Expected): string | null {
  const { reason, field, detail } = rejection;
  if (!REJECTION_REASONS.includes(reason)) return 'the reason is not listed';
  const isSafe = (text: string): boolean => !/[\p{Cc}\p{Cs}]/u.test(text) && text.length < 1500;
  if (!isSafe(detail) || !isSafe(field ?? '')) return 'the detail or the field cannot be printed';
  if (!/^\S.* belongs? there\.$/s.test(detail)) return `the detail is no sentence: ${detail}`;
  const said = field === null ? reason : `${reason} ${field}`;
  const allowed = [...expected.certain, ...expected.possible];
  const isExpected = allowed.includes(said) || (reason === 'bad_text' && allowed.includes('bad_text *'));
  if (!isExpected && !(expected.object !== null && isOfExtra(message, rejection))) {
    return `${said} where ${allowed.length === 0 ? 'an event' : allowed.join(', ')} belongs`;
  }
  const rows = copyRows(encodeDeadLetters([{ message, rejection }], PARTITION, buffer), LETTER_KINDS);
  const row = Object.fromEntries(LETTER_NAMES.map((name, at) => [name, rows[0]?.[at]]));
  const { key, value } = message;
  const kept = row['key'] === (key?.toString('base64') ?? null) && row['value'] === (value?.toString('base64') ?? null);
  return rows.length === 1 && kept && row['reason'] === reason ? null : 'the letter is not what was refused';
}

/** The two limits of further fields are looked for in the text as it stands, where replaced members and all the rest still are. */
function isOfExtra({ value }: Message, { reason }: Rejection): boolean {
  const { levels, digits } = sizesIn(value?.toString('utf8') ?? '');
  return (reason === 'wrong_field' && levels > 101) || (reason === 'number_out_of_range' && digits > 1000);
}

/** The deepest nesting in a JSON text, and the most digits of a number with its exponent written out. */
function sizesIn(json: string): { levels: number; digits: number } {
  let outside = '';
  for (let at = 0; at < json.length;) {
    const quote = json.indexOf('"', at);
    if (quote === -1) {
      outside += json.slice(at);
      break;
    }
    outside += `${json.slice(at, quote)}_`;
    at = quote + 1;
    while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
    at += 1;
  }
  let level = 0;
  let levels = 0;
  for (const char of outside) {
    if (char === '[' || char === '{') level += 1;
    if (char === ']' || char === '}') level -= 1;
    levels = Math.max(levels, level);
  }
  let digits = 0;
  for (const [number] of outside.matchAll(/-?\d[\d.eE+-]*/g)) {
    const [mantissa = '', exponent = '0'] = number.toLowerCase().split('e');
    digits = Math.max(digits, mantissa.length + Math.abs(Number(exponent)));
  }
  return { levels, digits };
}

function complaintAboutEvent(
  message: Message,
  event: Event,
  { object, known }: { object: JsonObject; known: readonly string[] },
): string | null {
  const rows = copyRows(encodeEvents([{ event, message }], PARTITION, buffer), EVENT_KINDS);
  if (rows.length !== 1) return `${rows.length} rows of one event`;
  const unknown = Object.entries(object).filter(([name]) => !known.includes(name));
  for (const [at, name] of EVENT_NAMES.entries()) {
    if (name === 'extra') continue;
    const wanted = expectedColumn(name, object, { known, message });
    const stored = rows[0]?.[at];
    if (asText(stored) !== asText(wanted)) return `column ${name} is ${asText(stored)} in place of ${asText(wanted)}`;
  }
  if (rows[0]?.[EVENT_NAMES.indexOf('extra')] !== event.extra) return 'the extra is not stored as it was kept';
  if (event.extra === null) return unknown.length === 0 ? null : 'further fields were lost';
  if (asText(JSON.parse(event.extra)) !== asText(Object.fromEntries(unknown))) return 'further fields were changed';
  const { levels, digits } = sizesIn(event.extra);
  return levels > 101 || digits > 1000 ? 'jsonb cannot hold the extra' : null;
}

function expectedColumn(
  name: string,
  object: JsonObject,
  { known, message }: { known: readonly string[]; message: Message },
): unknown {
  if (name === 'event_id') return String(object[name]).replaceAll('-', '').toLowerCase();
  if (name === 'occurred_at') return timeUs(String(object['timestamp']));
  if (name === 'kafka_partition') return PARTITION;
  if (name === 'kafka_offset') return BigInt(message.offset);
  if (name === 'kafka_timestamp') return BigInt(Math.min(message.timestampMs, 253_402_300_799_999)) * 1000n;
  if (name === 'schema_version') return object[name] ?? 1;
  if (!known.includes(name)) return null;
  const value = object[name];
  if (value === undefined || value === null) return null;
  return KINDS[name] === 'numeric' ? BigInt(Number(value).toFixed(2).replace('.', '')) : value;
}

/** For comparing: PostgreSQL has no minus zero, and JSON no whole numbers of any size. */
function asText(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}n` : each)) ?? 'undefined';
}
