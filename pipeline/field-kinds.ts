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
  Type.String({ minLength: 1, maxLength: MAX_TEXT_LENGTH }),
  `a text of 1 to ${MAX_TEXT_LENGTH} characters`,
);
export const text = kind(
  Type.String({ maxLength: MAX_TEXT_LENGTH }),
  `a text of at most ${MAX_TEXT_LENGTH} characters`,
);
export const flag = kind(Type.Boolean(), 'true or false');
export const version = kind(Type.Literal(1), 'the whole number 1');
export const time = kind(Type.String(), TIME_FORM);
export const uuid: FieldKind = {
  ...kind(Type.String({ pattern: UUID }), 'a uuid such as 123e4567-e89b-12d3-a456-426614174000'),
  reasonAgainst: (value) => {
    if (typeof value !== 'string') return 'wrong_field';
    return new RegExp(UUID).test(value) ? null : 'bad_uuid';
  },
};
export const currency: FieldKind = {
  ...kind(Type.String(), 'a currency code of ISO 4217 such as EUR'),
  reasonAgainst: (value) => (typeof value === 'string' && CURRENCIES.has(value) ? null : 'wrong_field'),
};
export const money: FieldKind = {
  ...kind(Type.Number(), 'an amount from 0 to 9999999999.99 with at most two decimals'),
  reasonAgainst: (value) => {
    if (typeof value !== 'number') return 'wrong_field';
    if (Math.round(Math.abs(value) * 100) > MAX_CENTS) return 'number_out_of_range';
    return isMoney(value) ? null : 'wrong_field';
  },
};
export const positionOrNull = kind(
  Type.Union([Type.Integer({ minimum: INT4_MIN, maximum: INT4_MAX }), Type.Null()]),
  `a whole number from ${INT4_MIN} to ${INT4_MAX}, or null,`,
);

/** A whole number from `minimum` to the largest of a PostgreSQL int. */
export function wholeNumber(minimum: number): FieldKind {
  return kind(Type.Integer({ minimum, maximum: INT4_MAX }), `a whole number from ${minimum} to ${INT4_MAX}`);
}

/** One of these words. */
export function oneOf(...words: string[]): FieldKind {
  return kind(Type.Union(words.map((word) => Type.Literal(word))), `one of ${words.join(', ')}`);
}

/** A list of one or more such elements. */
export function listOf(element: FieldKind): FieldKind {
  return {
    ...kind(Type.Array(element.schema, { minItems: 1 }), `a list of one or more, each ${element.belongs},`),
    element,
  };
}

function kind(schema: TSchema, belongs: string): FieldKind {
  return {
    schema,
    belongs,
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
