// From message to event: the verdict on one message, by nothing but its own bytes, its Kafka timestamp and the rules.
import { messageOf } from './ensure.ts';
import { findSchema, holdsBeyondSchema, VERSION_FIELD } from './event-schemas.ts';
import { microsecondsOf, parseTimeMs } from './event-time.ts';
import { extraFields } from './extra-fields.ts';
import { firstBadByte, firstBadEscape } from './text-faults.ts';
import * as why from './why-rejected.ts';

import type { EventSchema } from './event-schemas.ts';
import type { Event, EventFields } from './event.ts';
import type { Message } from './message.ts';
import type { PipelineSpec } from './pipeline-spec.ts';
import type { Rejection } from './rejection.ts';
import type { JsonObject } from './why-rejected.ts';

/** The part of the settings that decides verdicts. `retentionMs` null: an event may be of any age. */
export type ParseRules = Pick<PipelineSpec, 'maxFutureMs' | 'retentionMs'>;

/** Exactly one of the two is there. */
export type Verdict =
  | { readonly event: Event; readonly rejection: null }
  | { readonly event: null; readonly rejection: Rejection };

/**
 * Reads a message as an event, or says why it is none. Never throws, and gives the same verdict for the same message at any
 * time and place. Every event passes here: what follows allocates and compares nothing that a good event does not need;
 * why a bad one is bad is found out afterwards (why-rejected.ts).
 */
export function parseMessage(message: Message, rules: ParseRules): Verdict {
  const { value } = message;
  if (value === null || value.length === 0 || value.length > why.MAX_VALUE_BYTES) return rejected(why.wrongSize(value));
  const text = value.toString('utf8');
  if (text.includes('\uFFFD')) {
    const at = firstBadByte(value, text);
    if (at !== -1) return rejected(why.notUtf8(value, at));
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    return rejected(why.notJson(text, messageOf(error)));
  }
  if (!isJsonObject(parsed)) return rejected(why.notAnObject(parsed));
  if (text.includes('\\u')) {
    const at = firstBadEscape(text);
    if (at !== -1) return rejected(why.badText(text, at));
  }
  const schema = findSchema(parsed['event_type'], parsed[VERSION_FIELD]);
  if (schema === undefined || !isValid(parsed, schema)) return rejected(why.whyNotAnEvent(parsed));
  const occurredAtMs = parseTimeMs(parsed.timestamp);
  if (Number.isNaN(occurredAtMs)) return rejected(why.badTime(parsed.timestamp));
  // A record without a Kafka timestamp has -1: it is not judged, since any other clock would change its mind.
  const aheadMs = message.timestampMs < 0 ? 0 : occurredAtMs - message.timestampMs;
  if (aheadMs > rules.maxFutureMs) return rejected(why.tooFarInFuture(parsed.timestamp, aheadMs, rules.maxFutureMs));
  if (rules.retentionMs !== null && -aheadMs > rules.retentionMs) {
    return rejected(why.tooOld(parsed.timestamp, -aheadMs, rules.retentionMs));
  }
  const known = hasUnknownFields(parsed, schema) ? knownFields(parsed, schema) : null;
  const extra = known === null ? null : extraFields(text, known);
  if (extra !== null && typeof extra !== 'string') return rejected(extra);
  const event: Event = {
    eventId: parsed.event_id.toLowerCase(),
    occurredAtMs,
    occurredAtUs: microsecondsOf(parsed.timestamp),
    fields: known === null || extra === null ? parsed : withoutForeign(parsed, schema, known),
    extra,
  };
  return { event, rejection: null };
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isValid(object: unknown, schema: EventSchema): object is EventFields {
  return schema.accepts(object) && holdsBeyondSchema(object);
}

/** All required fields are there, so it is enough to count. */
function hasUnknownFields(fields: JsonObject, { requiredCount, optionalFields }: EventSchema): boolean {
  let known = requiredCount;
  for (const name of optionalFields) if (fields[name] !== undefined) known += 1;
  return Object.keys(fields).length > known;
}

/**
 * What is not extra in this message. A field that a newer version declares has its column, so an older version's message
 * fills it too, if the value fits; promote_extra does the same for rows that were there before the column.
 */
function knownFields(fields: JsonObject, schema: EventSchema): ReadonlyMap<string, unknown> {
  const known = new Map<string, unknown>([...schema.fields, [VERSION_FIELD, null]]);
  for (const [name, kind] of schema.laterFields) {
    if (Object.hasOwn(fields, name) && kind.reasonAgainst(fields[name]) === null) known.set(name, kind);
  }
  return known;
}

/** A foreign field is extra: left in place, it would fill the column of the type that knows it. */
function withoutForeign(
  fields: EventFields,
  { foreignFields }: EventSchema,
  known: ReadonlyMap<string, unknown>,
): EventFields {
  let own: EventFields | null = null;
  for (const name of foreignFields) {
    if (!Object.hasOwn(fields, name) || known.has(name)) continue;
    own ??= { ...fields };
    Reflect.deleteProperty(own, name);
  }
  return own ?? fields;
}

function rejected(rejection: Rejection): Verdict {
  return { event: null, rejection };
}
