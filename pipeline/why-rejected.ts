// Why a message is no event: looks for the first fault and says in one sentence what was found and what belongs there.
import { formatDuration } from './duration.ts';
import {
  deviceAndLocationBytes,
  findSchema,
  MAX_DEVICE_AND_LOCATION_BYTES,
  NEWEST_VERSION,
  VERSION_FIELD,
} from './event-schemas.ts';
import { TIME_FORM, whyNotATime } from './event-time.ts';
import { EVENT_TYPES } from './event.ts';
import { fieldAt } from './extra-fields.ts';
import { found, named, shown } from './found.ts';

import type { FieldKind } from './field-kinds.ts';
import type { Rejection, RejectionReason } from './rejection.ts';

/** Of a value, in bytes: more is a mistake of a producer, and costs memory in each worker that reads it. */
export const MAX_VALUE_BYTES = 1_048_576;

export type JsonObject = Readonly<Record<string, unknown>>;

const TYPES = `one of ${EVENT_TYPES.join(', ')}`;

export function wrongSize(value: Buffer | null): Rejection {
  if (value === null) return whole('empty_value', 'The message has no value (null); a JSON object belongs there.');
  if (value.length === 0) return whole('empty_value', 'The value has 0 bytes; a JSON object belongs there.');
  return whole('too_large', `The value has ${value.length} bytes; at most ${MAX_VALUE_BYTES} bytes belong there.`);
}

export function notUtf8(value: Buffer, at: number): Rejection {
  const byte = (value[at] ?? 0).toString(16).padStart(2, '0');
  return whole(
    'not_utf8',
    `Byte ${at} of the value is 0x${byte}, which is not UTF-8 there; JSON in UTF-8 belongs there.`,
  );
}

export function notJson(text: string, parserSays: string): Rejection {
  const why = text.startsWith('\uFEFF') ? 'it begins with a byte order mark' : shown(parserSays);
  return whole('not_json', `The value is "${shown(text)}", which is not JSON (${why}); a JSON object belongs there.`);
}

export function notAnObject(value: unknown): Rejection {
  return whole('not_an_object', `The value is ${found(value)}; a JSON object belongs there.`);
}

export function badText(json: string, at: number): Rejection {
  const field = fieldAt(json, at);
  const escape = json.slice(at, at + 6);
  const what = escape === '\\u0000' ? 'the character U+0000' : 'half of a surrogate pair';
  return {
    reason: 'bad_text',
    field,
    detail: `${field === null ? 'The value' : named(field)} holds ${what} (${escape}); text without it belongs there.`,
  };
}

export function badTime(timestamp: string): Rejection {
  const detail = `timestamp is ${found(timestamp)}, and ${whyNotATime(timestamp)}; ${TIME_FORM} belongs there.`;
  return { reason: 'bad_timestamp', field: 'timestamp', detail };
}

export function tooFarInFuture(timestamp: string, aheadMs: number, maxFutureMs: number): Rejection {
  const detail = `timestamp is ${found(timestamp)}, ${formatDuration(aheadMs)} after the message's Kafka timestamp; at most ${formatDuration(maxFutureMs)} after it belongs there.`;
  return { reason: 'too_far_in_future', field: 'timestamp', detail };
}

export function tooOld(timestamp: string, behindMs: number, retentionMs: number): Rejection {
  const detail = `timestamp is ${found(timestamp)}, ${formatDuration(behindMs)} before the message's Kafka timestamp; at most ${formatDuration(retentionMs)} before it belongs there.`;
  return { reason: 'too_old', field: 'timestamp', detail };
}

/** The first fault of an object that failed its type's check: version first, because another version has other fields and types. */
export function whyNotAnEvent(object: JsonObject): Rejection {
  const version = object[VERSION_FIELD];
  if (version !== undefined && !isKnownVersion(version)) return wrongVersion(version);
  const type = object['event_type'];
  const schema = findSchema(type, version);
  if (schema === undefined) return wrongType(type);
  for (const [name, kind] of schema.fields) {
    const rejection = Object.hasOwn(object, name) ? whyNotFit(name, kind, object[name]) : absent(name, kind);
    if (rejection !== null) return rejection;
  }
  return whyFieldsDisagree(object);
}

function isKnownVersion(version: unknown): boolean {
  return typeof version === 'number' && Number.isInteger(version) && version >= 1 && version <= NEWEST_VERSION;
}

/** `unsupported_version` is a version that some build may know: its message can be sent again after an upgrade. */
function wrongVersion(version: unknown): Rejection {
  const belongs = NEWEST_VERSION === 1 ? 'the whole number 1' : `a whole number from 1 to ${NEWEST_VERSION}`;
  const detail = `${VERSION_FIELD} is ${found(version)}; ${belongs} belongs there.`;
  const reason = Number.isInteger(version) ? 'unsupported_version' : 'wrong_field';
  return { reason, field: VERSION_FIELD, detail };
}

function wrongType(type: unknown): Rejection {
  const field = 'event_type';
  if (type === undefined)
    return { reason: 'missing_field', field, detail: `${field} is missing; ${TYPES} belongs there.` };
  const reason = typeof type === 'string' ? 'unknown_type' : 'wrong_field';
  return { reason, field, detail: `${field} is ${found(type)}; ${TYPES} belongs there.` };
}

function absent(name: string, kind: FieldKind): Rejection | null {
  if (!kind.required) return null;
  return { reason: 'missing_field', field: name, detail: `${name} is missing; ${kind.belongs} belongs there.` };
}

function whyNotFit(name: string, kind: FieldKind, value: unknown): Rejection | null {
  const { element } = kind;
  if (element !== null && Array.isArray(value)) {
    for (const [index, entry] of value.entries()) {
      const reason = element.reasonAgainst(entry);
      if (reason === null) continue;
      return { reason, field: name, detail: `${name}[${index}] is ${found(entry)}; ${element.belongs} belongs there.` };
    }
  }
  const reason = kind.reasonAgainst(value);
  if (reason === null) return null;
  return { reason, field: name, detail: `${name} is ${found(value)}; ${kind.belongs} belongs there.` };
}

/** Each field is sound by itself: what is left are the rules between two fields. */
function whyFieldsDisagree(object: JsonObject): Rejection {
  const { event_type: type, items, quantities, device, location } = object;
  if (type === 'purchase' && Array.isArray(items) && Array.isArray(quantities) && items.length !== quantities.length) {
    const detail = `quantities is an array of ${quantities.length}; one quantity for each of the ${items.length} items belongs there.`;
    return { reason: 'wrong_field', field: 'quantities', detail };
  }
  const bytes = deviceAndLocationBytes(String(device), String(location));
  const detail = `device and location have ${bytes} bytes together; at most ${MAX_DEVICE_AND_LOCATION_BYTES} bytes belong there.`;
  return { reason: 'wrong_field', field: 'location', detail };
}

function whole(reason: RejectionReason, detail: string): Rejection {
  return { reason, field: null, detail };
}
