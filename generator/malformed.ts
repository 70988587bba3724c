// Malformed: ways in which a message fails to be an event, each of which must earn its own verdict.
import { must } from '../pipeline/ensure.ts';
import { fraction } from './seeded-chance.ts';

/** One way to spoil an event. `reason` is the verdict it must earn; `spoil` gets the JSON of a valid event. */
type MalformedKind = {
  readonly name: string;
  readonly reason: string;
  /** How often it is met, against the others. */
  readonly weight: number;
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

/** Faults of careless programs are common, broken bytes are rare. */
export const MALFORMED_KINDS: readonly MalformedKind[] = [
  { name: 'empty', reason: 'empty_value', weight: 1, spoil: () => Buffer.alloc(0) },
  { name: 'foreign byte', reason: 'not_utf8', weight: 1, spoil: withForeignByte },
  { name: 'cut off', reason: 'not_json', weight: 3, spoil: (json) => Buffer.from(json.slice(0, json.length >> 1)) },
  { name: 'a list', reason: 'not_an_object', weight: 1, spoil: (json) => Buffer.from(`[${json}]`) },
  {
    name: 'unknown type',
    reason: 'unknown_type',
    weight: 3,
    spoil: instead(/"event_type":"[^"]*"/, '"event_type":"wish"'),
  },
  { name: 'no device', reason: 'missing_field', weight: 4, spoil: instead(/"device":"[^"]*",/, '') },
  { name: 'number for a text', reason: 'wrong_field', weight: 4, spoil: instead(DEVICE, '"device":42') },
  { name: 'no uuid', reason: 'bad_uuid', weight: 2, spoil: instead(/"event_id":"[^"]{4}/, '"event_id":"evt-') },
  {
    name: '30 February',
    reason: 'bad_timestamp',
    weight: 1,
    spoil: instead(TIMESTAMP, '"timestamp":"2026-02-30T12:00:00Z"'),
  },
  { name: 'no offset', reason: 'bad_timestamp', weight: 3, spoil: instead(/Z","device"/, '","device"') },
  {
    name: 'future',
    reason: 'too_far_in_future',
    weight: 2,
    spoil: instead(TIMESTAMP, '"timestamp":"9998-12-31T23:59:59Z"'),
  },
  { name: 'endless view', reason: 'number_out_of_range', weight: 1, spoil: endlessPageView },
  { name: 'U+0000', reason: 'bad_text', weight: 1, spoil: instead(DEVICE, '"device":"mob\\u0000ile"') },
  { name: 'lone surrogate', reason: 'bad_text', weight: 1, spoil: instead(DEVICE, '"device":"\\ud83d"') },
  {
    name: 'schema 99',
    reason: 'unsupported_version',
    weight: 2,
    spoil: instead(/^\{("schema_version":[12],)?/, '{"schema_version":99,'),
  },
];

const WHOLE = MALFORMED_KINDS.reduce((sum, { weight }) => sum + weight, 0);
const DRAW = 65;

/** Which way the malformed message with this hash is spoiled. */
export function malformedKind(chance: number): MalformedKind {
  let left = fraction(chance, DRAW) * WHOLE;
  const kind = MALFORMED_KINDS.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  return must(kind ?? MALFORMED_KINDS[0], 'a kind per draw');
}
