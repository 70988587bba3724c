// What may stand in a field of an event: a schema for the hot path to compile, and the words and reasons for when it fails.
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

import { CURRENCIES } from './currencies.ts';
import { TIME_FORM } from './event-time.ts';

import type { RejectionReason } from './rejection.ts';
import type { TSchema } from '@sinclair/typebox';

/** `belongs` is read as "... belongs there."; `reasonAgainst` says why a value cannot stand there, null when it can. */
export type FieldKind = {
  readonly schema: TSchema;
  readonly belongs: string;
  readonly reasonAgainst: (value: unknown) => RejectionReason | null;
  /** Of a list: what each element is. */
  readonly element: FieldKind | null;
  readonly shape: FieldShape;
  /** Whether a message must have the field. */
  readonly required: boolean;
};

/** A kind as plain data, for comparing one version of a schema with another. Lengths count as JavaScript does. */
export type FieldShape = {
  readonly kind: 'uuid' | 'text' | 'time' | 'flag' | 'whole number' | 'money' | 'currency' | 'one of' | 'list';
  readonly values?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly decimals?: number;
  readonly orNull?: true;
  readonly element?: FieldShape;
};

/** In UTF-16 code units, as JavaScript counts: an emoji is two. */
const MAX_TEXT_LENGTH = 512;
const INT4_MIN = -2_147_483_648;
const INT4_MAX = 2_147_483_647;
/** numeric(12,2) holds up to this many cents. */
const MAX_CENTS = 999_999_999_999;
/** Nearer than this to a whole cent is noise of binary floats, further is a third decimal. */
const FLOAT_NOISE = 1e-6;
const UUID = '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$';

/** True for an amount that is a whole number of cents and fits numeric(12,2). */
export function isMoney(amount: number): boolean {
  const cents = Math.round(amount * 100);
  return amount >= 0 && cents <= MAX_CENTS && Math.abs(amount - cents / 100) < FLOAT_NOISE;
}

export const id = kind(
  { kind: 'text', minLength: 1, maxLength: MAX_TEXT_LENGTH },
  `a text of 1 to ${MAX_TEXT_LENGTH} characters`,
  Type.String({ minLength: 1, maxLength: MAX_TEXT_LENGTH }),
);
export const text = kind(
  { kind: 'text', maxLength: MAX_TEXT_LENGTH },
  `a text of at most ${MAX_TEXT_LENGTH} characters`,
  Type.String({ maxLength: MAX_TEXT_LENGTH }),
);
export const flag = kind({ kind: 'flag' }, 'true or false', Type.Boolean());
export const time = kind({ kind: 'time' }, TIME_FORM, Type.String());
export const uuid: FieldKind = {
  ...kind({ kind: 'uuid' }, 'a uuid such as 123e4567-e89b-12d3-a456-426614174000', Type.String({ pattern: UUID })),
  reasonAgainst: (value) => {
    if (typeof value !== 'string') return 'wrong_field';
    return new RegExp(UUID).test(value) ? null : 'bad_uuid';
  },
};
export const currency: FieldKind = {
  ...kind(
    { kind: 'currency', values: [...CURRENCIES].toSorted() },
    'a currency code of ISO 4217 such as EUR',
    Type.String(),
  ),
  reasonAgainst: (value) => (typeof value === 'string' && CURRENCIES.has(value) ? null : 'wrong_field'),
};
export const money: FieldKind = {
  ...kind(
    { kind: 'money', minimum: 0, maximum: MAX_CENTS / 100, decimals: 2 },
    'an amount from 0 to 9999999999.99 with at most two decimals',
    Type.Number(),
  ),
  reasonAgainst: (value) => {
    if (typeof value !== 'number') return 'wrong_field';
    if (Math.round(Math.abs(value) * 100) > MAX_CENTS) return 'number_out_of_range';
    return isMoney(value) ? null : 'wrong_field';
  },
};
export const positionOrNull = kind(
  { kind: 'whole number', minimum: INT4_MIN, maximum: INT4_MAX, orNull: true },
  `a whole number from ${INT4_MIN} to ${INT4_MAX}, or null,`,
  Type.Union([Type.Integer({ minimum: INT4_MIN, maximum: INT4_MAX }), Type.Null()]),
);

/** A whole number from `minimum` to the largest of a PostgreSQL int. */
export function wholeNumber(minimum: number): FieldKind {
  return kind(
    { kind: 'whole number', minimum, maximum: INT4_MAX },
    `a whole number from ${minimum} to ${INT4_MAX}`,
    Type.Integer({ minimum, maximum: INT4_MAX }),
  );
}

/** One of these words. */
export function oneOf(...words: string[]): FieldKind {
  return kind(
    { kind: 'one of', values: words },
    `one of ${words.join(', ')}`,
    Type.Union(words.map((word) => Type.Literal(word))),
  );
}

/** Widens a kind of words by these. */
export function alsoOneOf(...words: string[]): (before: FieldKind) => FieldKind {
  return ({ shape, required }) => ({ ...oneOf(...(shape.values ?? []), ...words), required });
}

/** The same kind for a field that may be absent. null is not absent: it is refused like any other wrong value. */
export function optional(one: FieldKind): FieldKind {
  return { ...one, required: false };
}

/** A list of one or more such elements. */
export function listOf(element: FieldKind): FieldKind {
  return {
    ...kind(
      { kind: 'list', minLength: 1, element: element.shape },
      `a list of one or more, each ${element.belongs},`,
      Type.Array(element.schema, { minItems: 1 }),
    ),
    element,
  };
}

function kind(shape: FieldShape, belongs: string, schema: TSchema): FieldKind {
  return {
    schema,
    belongs,
    shape,
    required: true,
    element: null,
    reasonAgainst: (value) => {
      if (Value.Check(schema, value)) return null;
      return isNumeric(schema) && isBeyondInt4(value) ? 'number_out_of_range' : 'wrong_field';
    },
  };
}

function isNumeric(schema: TSchema): boolean {
  return schema['type'] === 'integer' || (Array.isArray(schema['anyOf']) && schema['anyOf'].some(isNumeric));
}

function isBeyondInt4(value: unknown): boolean {
  return typeof value === 'number' && (value < INT4_MIN || value > INT4_MAX);
}
