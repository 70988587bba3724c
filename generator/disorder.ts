// Disorder: what a message is besides a plain event (late, moved back, a repetition, malformed), decided by its index alone.
import { must } from '../pipeline/ensure.ts';
import type { GeneratorSpec } from './generator-spec.ts';
import { fraction, pick } from './seeded-chance.ts';

/**
 * plain: an event told at the time it happened. disordered: told some seconds afterwards. late: told long afterwards.
 * duplicate: an earlier message again. malformed: bytes that no reader may take for an event.
 */
export type Role = 'plain' | 'disordered' | 'late' | 'duplicate' | 'malformed';

/** How far back a duplicate reaches at most, in messages. */
export const DUPLICATE_REACH = 5_000;

/** Draws of a message's hash, apart from those its event uses. */
const DRAW = { role: 64, delay: 65, malformedKind: 66, newerSchema: 67, source: 128 } as const;
const SOURCE_TRIES = 32;

/** The role of the message with this hash: each share of a spec is the probability of its role. */
export function roleOf(spec: GeneratorSpec, chance: number): Role {
  const uniform = fraction(chance, DRAW.role);
  let through = spec.malformed;
  if (uniform < through) return 'malformed';
  through += spec.duplicates;
  if (uniform < through) return 'duplicate';
  through += spec.late;
  if (uniform < through) return 'late';
  through += spec.disorder;
  return uniform < through ? 'disordered' : 'plain';
}

/** Whether the event of the message with this hash is of the newer version of the schemas. */
export function isOfNewerSchema({ newerSchema = 0 }: GeneratorSpec, chance: number): boolean {
  return fraction(chance, DRAW.newerSchema) < newerSchema;
}

/** Milliseconds by which the event of this message lies before the time it is sent. */
export function delayMs(spec: GeneratorSpec, role: Role, chance: number): number {
  if (role === 'disordered') return 1 + pick(chance, DRAW.delay, spec.disorderMs);
  if (role === 'late') return spec.lateFromMs + pick(chance, DRAW.delay, spec.lateToMs - spec.lateFromMs + 1);
  return 0;
}

/**
 * The message that a duplicate repeats: a plain event at most 5,000 messages before it and not before `firstIndex`, or
 * null where chance finds none (then the message is a plain event itself). `isPlain` tells of any index.
 */
export function duplicatedIndex(
  at: { readonly index: number; readonly firstIndex: number; readonly chance: number },
  isPlain: (index: number) => boolean,
): number | null {
  const reach = Math.min(DUPLICATE_REACH, at.index - at.firstIndex);
  if (reach <= 0) return null;
  for (let attempt = 0; attempt < SOURCE_TRIES; attempt++) {
    const source = at.index - 1 - pick(at.chance, DRAW.source + attempt, reach);
    if (isPlain(source)) return source;
  }
  return null;
}

/** One way to spoil an event. `reason` is the verdict it must earn; `spoil` gets the JSON of a valid event. */
export type MalformedKind = {
  readonly name: string;
  readonly reason: string;
  readonly spoil: (json: string) => Buffer;
};

const instead = (pattern: RegExp, replacement: string) => (json: string) =>
  Buffer.from(json.replace(pattern, replacement));
const DEVICE = /"device":"[^"]*"/;
const TIMESTAMP = /"timestamp":"[^"]*"/;

/** Whole event replaced by a page view, for kinds that need its number field. */
const endlessPageView = (json: string): Buffer =>
  Buffer.from(
    json
      .replace(/"event_type":"[^"]*"/, '"event_type":"page_view"')
      .replace(/("session_id":"[^"]*").*$/s, '$1,"page":"home","referrer":"direct","duration_seconds":9999999999}'),
  );

/** The byte 0xff, which no UTF-8 text holds, in the place of a letter. */
function withForeignByte(json: string): Buffer {
  const bytes = Buffer.from(json);
  bytes[bytes.indexOf('"device":"') + '"device":"'.length] = 0xff;
  return bytes;
}

export const MALFORMED_KINDS: readonly MalformedKind[] = [
  { name: 'empty', reason: 'empty_value', spoil: () => Buffer.alloc(0) },
  { name: 'foreign byte', reason: 'not_utf8', spoil: withForeignByte },
  { name: 'cut off', reason: 'not_json', spoil: (json) => Buffer.from(json.slice(0, json.length >> 1)) },
  { name: 'a list', reason: 'not_an_object', spoil: (json) => Buffer.from(`[${json}]`) },
  { name: 'unknown type', reason: 'unknown_type', spoil: instead(/"event_type":"[^"]*"/, '"event_type":"wish"') },
  { name: 'no device', reason: 'missing_field', spoil: instead(/"device":"[^"]*",/, '') },
  { name: 'number for a text', reason: 'wrong_field', spoil: instead(DEVICE, '"device":42') },
  { name: 'no uuid', reason: 'bad_uuid', spoil: instead(/"event_id":"[^"]{4}/, '"event_id":"evt-') },
  { name: '30 February', reason: 'bad_timestamp', spoil: instead(TIMESTAMP, '"timestamp":"2026-02-30T12:00:00Z"') },
  { name: 'no offset', reason: 'bad_timestamp', spoil: instead(/Z","device"/, '","device"') },
  { name: 'future', reason: 'too_far_in_future', spoil: instead(TIMESTAMP, '"timestamp":"9998-12-31T23:59:59Z"') },
  { name: 'endless view', reason: 'number_out_of_range', spoil: endlessPageView },
  { name: 'U+0000', reason: 'bad_text', spoil: instead(DEVICE, '"device":"mob\\u0000ile"') },
  { name: 'lone surrogate', reason: 'bad_text', spoil: instead(DEVICE, '"device":"\\ud83d"') },
  {
    name: 'schema 99',
    reason: 'unsupported_version',
    spoil: instead(/^\{("schema_version":2,)?/, '{"schema_version":99,'),
  },
];

/** Which way the malformed message with this hash is spoiled. */
export function malformedKind(chance: number): MalformedKind {
  return must(MALFORMED_KINDS[pick(chance, DRAW.malformedKind, MALFORMED_KINDS.length)], 'a kind per draw');
}
