// The six event types, version 1: which fields each has, compiled once into the check that every message passes through.
import { Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';

import { CURRENCIES } from './currencies.ts';
import { EVENT_TYPES } from './event.ts';
import * as kinds from './field-kinds.ts';

import type { EventFields, EventType } from './event.ts';
import type { FieldKind } from './field-kinds.ts';

/**
 * `fields` in the order in which faults are looked for. `accepts`: each required field is there, and each field is of its kind.
 * `foreignFields`: names that only other types know; in an event of this type they are extra.
 */
export type EventSchema = {
  readonly fields: ReadonlyMap<string, FieldKind>;
  readonly foreignFields: readonly string[];
  readonly accepts: (object: unknown) => object is EventFields;
};

type Fields = Readonly<Record<string, FieldKind>>;

const COMMON_FIELDS: Fields = {
  event_id: kinds.uuid,
  event_type: kinds.oneOf(...EVENT_TYPES),
  user_id: kinds.id,
  timestamp: kinds.time,
  device: kinds.text,
  location: kinds.text,
  session_id: kinds.id,
};

/** May be absent; all other fields are required. */
export const VERSION_FIELD = 'schema_version';

const OWN_FIELDS: Readonly<Record<EventType, Fields>> = {
  user_login: {
    login_method: kinds.oneOf('email', 'social', 'sso'),
    success: kinds.flag,
  },
  page_view: {
    page: kinds.oneOf('home', 'product', 'category', 'search', 'cart', 'checkout'),
    referrer: kinds.oneOf('search', 'direct', 'social', 'email'),
    duration_seconds: kinds.wholeNumber(0),
  },
  item_click: {
    item_id: kinds.id,
    category: kinds.text,
    position: kinds.wholeNumber(1),
  },
  purchase: {
    order_id: kinds.id,
    items: kinds.listOf(kinds.id),
    quantities: kinds.listOf(kinds.wholeNumber(1)),
    total_amount: kinds.money,
    currency: kinds.currency,
    payment_method: kinds.oneOf('credit_card', 'paypal', 'apple_pay'),
  },
  cart_add: {
    item_id: kinds.id,
    quantity: kinds.wholeNumber(1),
    category: kinds.text,
    price: kinds.money,
  },
  search: {
    search_query: kinds.text,
    results_count: kinds.wholeNumber(0),
    clicked_position: kinds.positionOrNull,
  },
};

const ALL_OWN_NAMES: ReadonlySet<string> = new Set(Object.values(OWN_FIELDS).flatMap((fields) => Object.keys(fields)));

/** By event_type. The key is unknown, not EventType, because it is looked up with whatever a message says. */
export const EVENT_SCHEMAS: ReadonlyMap<unknown, EventSchema> = new Map(
  EVENT_TYPES.map((type) => [type, schemaOf(type)]),
);

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

function schemaOf(type: EventType): EventSchema {
  const required: Fields = { ...COMMON_FIELDS, ...OWN_FIELDS[type] };
  const properties = Object.fromEntries(Object.entries(required).map(([name, { schema }]) => [name, schema]));
  const compiled = TypeCompiler.Compile(
    Type.Object({ ...properties, [VERSION_FIELD]: Type.Optional(kinds.version.schema) }),
  );
  return {
    fields: new Map([...Object.entries(required), [VERSION_FIELD, kinds.version]]),
    foreignFields: [...ALL_OWN_NAMES].filter((name) => !Object.hasOwn(required, name)),
    accepts: (object): object is EventFields => compiled.Check(object),
  };
}
