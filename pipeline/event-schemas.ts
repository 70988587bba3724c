// The event schemas, one per type and version, derived from their declaration and compiled once into the checks that every message passes.
import { Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';

import { CURRENCIES } from './currencies.ts';
import { EVENT_TYPES } from './event.ts';
import * as kinds from './field-kinds.ts';
import { fieldsByVersion } from './schemas/schema-version.ts';
import { VERSIONS } from './schemas/versions.ts';

import type { EventFields } from './event.ts';
import type { FieldKind } from './field-kinds.ts';

/**
 * `fields` in the order in which faults are looked for. `accepts`: each required field is there, and each field is of its kind.
 * `requiredCount` of them must be there, `optionalFields` may. `foreignFields`: names that only other types or newer versions
 * know; in an event of this schema they are extra, unless they are `laterFields` (of the newest version of this type) whose
 * value fits.
 */
export type EventSchema = {
  readonly fields: ReadonlyMap<string, FieldKind>;
  readonly requiredCount: number;
  readonly optionalFields: readonly string[];
  readonly foreignFields: readonly string[];
  readonly laterFields: ReadonlyMap<string, FieldKind>;
  readonly accepts: (object: unknown) => object is EventFields;
};

/** A message without it is of version 1. The version decides which schema is asked, so no schema asks for it. */
export const VERSION_FIELD = 'schema_version';
export const NEWEST_VERSION = VERSIONS.length;

const DECLARED = new Map(EVENT_TYPES.map((type) => [type, fieldsByVersion(VERSIONS, type)]));
const ALL_NAMES = new Set(
  [...DECLARED.values()].flatMap((versions) => versions.flatMap((fields) => [...fields.keys()])),
);

/** By event_type, then by version. The key is unknown, not EventType, because it is looked up with whatever a message says. */
export const EVENT_SCHEMAS: ReadonlyMap<unknown, readonly EventSchema[]> = new Map(
  [...DECLARED].map(([type, versions]) => [
    type,
    versions.map((fields) => schemaOf(fields, versions.at(-1) ?? fields)),
  ]),
);

/** The schema that a message's event_type and version ask for; undefined when this build knows no such type or version. */
export function findSchema(eventType: unknown, version: unknown): EventSchema | undefined {
  const versions = EVENT_SCHEMAS.get(eventType);
  if (version === undefined) return versions?.[0];
  return typeof version === 'number' ? versions?.[version - 1] : undefined;
}

// device and location are a key together: an index row of PostgreSQL ends at 2,704 bytes, and a character takes up to three.
export const MAX_DEVICE_AND_LOCATION_BYTES = 2400;

/** UTF-8 bytes of the two together. */
export function deviceAndLocationBytes(device: string, location: string): number {
  return Buffer.byteLength(device) + Buffer.byteLength(location);
}

/** The rules a schema cannot say, for fields that `check` has accepted: money, currency, and what two fields owe each other. */
export function holdsBeyondSchema(fields: EventFields): boolean {
  const { device, location } = fields;
  if ((device.length + location.length) * 3 > MAX_DEVICE_AND_LOCATION_BYTES) {
    if (deviceAndLocationBytes(device, location) > MAX_DEVICE_AND_LOCATION_BYTES) return false;
  }
  if (fields.event_type === 'purchase') {
    const { total_amount = NaN, currency = '', items, quantities } = fields;
    return kinds.isMoney(total_amount) && CURRENCIES.has(currency) && items?.length === quantities?.length;
  }
  if (fields.event_type === 'cart_add') return kinds.isMoney(fields.price ?? NaN);
  return true;
}

function schemaOf(fields: ReadonlyMap<string, FieldKind>, newest: ReadonlyMap<string, FieldKind>): EventSchema {
  const named = [...fields];
  const compiled = TypeCompiler.Compile(
    Type.Object(
      Object.fromEntries(
        named.map(([name, { schema, required }]) => [name, required ? schema : Type.Optional(schema)]),
      ),
    ),
  );
  const optional = named.filter(([, { required }]) => !required).map(([name]) => name);
  return {
    fields,
    requiredCount: named.length - optional.length,
    optionalFields: [VERSION_FIELD, ...optional],
    foreignFields: [...ALL_NAMES].filter((name) => !fields.has(name)),
    laterFields: new Map([...newest].filter(([name]) => !fields.has(name))),
    accepts: (object): object is EventFields => compiled.Check(object),
  };
}
