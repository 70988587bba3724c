// Ways to spoil the bytes of a message: blind ones, and ones that keep it JSON and so come deeper into the rules.
import type { SeededRandom } from './seeded-random.ts';

type Mutation = (value: Buffer, random: SeededRandom, other: Buffer) => Buffer;

const BYTES = [0x00, 0x0a, 0x1f, 0x20, 0x22, 0x2c, 0x2d, 0x30, 0x3a, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d, 0x7f] as const;
const HIGH_BYTES = [0x80, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xfe, 0xff] as const;
const TRICKS = [
  '\uFEFF', '\u200D', '\u0301', '\u202E', '\uFFFD', '\u{1F600}', '\u0085', '\u2028', '\u{10FFFF}', '\u00df',
  '\\u0000', '\\ud83d', '\\ude00', '\\ud83d\\ude00', '\\u005f', '\\\\', '\\"', '\\/', '\\b', '\\', '\\u00', '\0',
] as const; // prettier-ignore
const VALUES = [
  'null', 'true', 'false', '[]', '{}', '""', '0', '-0', '1', '-1', '2', '1.5', '0.1', '1e2', '1E-2', '12.345', '1e400',
  '-1e400', '1e-400', '1e999', '1e1001', '2147483647', '2147483648', '-2147483649', '4294967297', '9007199254740993',
  '9999999999.99', '9999999999.995', '10000000000', '"1"', '"a"', '"user_login"', '"purchase"', '"cart_add"', '"google_pay"',
  '"__proto__"', '"EUR"', '"home"', '[1]', '["a","b"]', '[1,2]', '[[]]', '{"a":1}', '"2024-05-01T12:05:00.000Z"',
  '"2024-02-29T23:59:59.999999999+14:00"', '"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59Z"', '"2024-04-31T12:00:00Z"',
  '"2023-05-01T11:59:59.5-12:00"', '"123e4567-e89b-12d3-a456-42661417400F"', 'NaN', '01', '+1', '1.',
] as const; // prettier-ignore
const NAMES = [
  '"__proto__"', '"constructor"', '""', '"user_id"', '"event_type"', '"timestamp"', '"schema_version"', '"price"',
  '"quantities"', '"items"', '"coupon_code"', '"clicked_position"', '"a"', '"0"', '"\\u0075ser_id"', '"toString"',
] as const; // prettier-ignore
const VERSIONS = ['1', '2', '2', '2', '3', '0', '-1', '1.0', '1.5', '"1"', 'null', '1e400'] as const;
/** Longer values are only spoilt blindly: to split them into tokens takes too long. */
const MOST_TOKENIZED_BYTES = 16_384;
const TOKEN = /"(?:[^"\\]|\\.)*"|[-+.\w]+|\s+|./gsu;
/** What a mutation may make of a value: more would only be slow. */
const MOST_BYTES = 2_200_000;

const put = (value: Buffer, [at, removed]: readonly [number, number], added: Buffer): Buffer =>
  Buffer.concat([value.subarray(0, at), added, value.subarray(at + removed)]);

const BLIND: readonly [Mutation, ...Mutation[]] = [
  (value, random) => {
    const copy = Buffer.from(value);
    for (let flips = 1 + random.below(3); flips > 0 && copy.length > 0; flips -= 1) {
      const at = random.below(copy.length);
      copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
    }
    return copy;
  },
  (value, random) => put(value, [random.below(value.length), 1], Buffer.of(random.pick(BYTES))),
  (value, random) => put(value, [random.below(value.length + 1), random.below(2)], Buffer.of(random.pick(HIGH_BYTES))),
  (value, random) => put(value, [random.below(value.length), 1 + random.below(8)], Buffer.alloc(0)),
  (value, random) => value.subarray(0, random.below(value.length + 1)),
  (value, random) => value.subarray(random.below(value.length)),
  (value, random) => put(value, [random.below(value.length + 1), 0], Buffer.from(random.pick(TRICKS))),
  (value, random) => {
    const from = random.below(value.length);
    const part = value.subarray(from, from + 1 + random.below(40));
    const times = Math.min(1 + random.below(random.oneIn(20) ? 3_000 : 12), Math.ceil(MOST_BYTES / (part.length + 1)));
    return put(value, [from, 0], Buffer.concat(Array.from({ length: times }, () => part)));
  },
  (value, random, other) => {
    const from = random.below(other.length);
    const part = other.subarray(from, from + 1 + random.below(200));
    return put(value, [random.below(value.length + 1), random.below(20)], part);
  },
];

/** Of each kind of token the places where it stands. */
type Tokens = { readonly all: string[]; readonly values: number[]; readonly names: number[] };
type TokenMutation = (tokens: Tokens, random: SeededRandom) => void;

const anyOf = (places: readonly number[], random: SeededRandom): number => places[random.below(places.length)] ?? 0;

const TOKEN_MUTATIONS: readonly [TokenMutation, ...TokenMutation[]] = [
  ({ all, values }, random) => {
    all[anyOf(values, random)] = random.pick(VALUES);
  },
  ({ all, values }, random) => {
    const [one, other] = [anyOf(values, random), anyOf(values, random)];
    [all[one], all[other]] = [all[other] ?? '', all[one] ?? ''];
  },
  ({ all, names }, random) => {
    const [one, other] = [anyOf(names, random), anyOf(names, random)];
    [all[one], all[other]] = [all[other] ?? '', all[one] ?? ''];
  },
  ({ all, names }, random) => {
    all[anyOf(names, random)] = random.pick(NAMES);
  },
  ({ all, names }, random) => {
    const at = anyOf(names, random);
    all[at] = `${random.pick(NAMES)}:${random.pick(VALUES)},${all[at] ?? ''}`;
  },
  ({ all, names }, random) => {
    const at = anyOf(names, random);
    all[at] = `"schema_version":${random.pick(VERSIONS)},${all[at] ?? ''}`;
  },
  ({ all, names }, random) => {
    const at = anyOf(names, random);
    all[at] = `"coupon_code":${random.pick(VALUES)},${all[at] ?? ''}`;
  },
  ({ all, values }, random) => {
    const at = anyOf(values, random);
    const token = all[at] ?? '';
    const inside = 1 + random.below(Math.max(1, token.length - 1));
    all[at] = token.slice(0, inside) + random.pick(TRICKS) + token.slice(inside);
  },
  ({ all, values }, random) => {
    const at = anyOf(values, random);
    const token = all[at] ?? '';
    const inside = random.below(token.length + 1);
    all[at] = token.slice(0, inside) + String(random.below(1000)) + token.slice(inside + random.below(3));
  },
  ({ all, values }, random) => {
    const at = anyOf(values, random);
    all[at] = (all[at] ?? '').replaceAll(/[a-z]/g, (char) =>
      random.oneIn(4) ? `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}` : char,
    );
  },
  ({ all, values }, random) => {
    const at = anyOf(values, random);
    const levels = random.pick([1, 99, 100, 101, 5_000]);
    all[at] = '['.repeat(levels) + (all[at] ?? '') + ']'.repeat(levels);
  },
  ({ all, values }, random) => {
    all[anyOf(values, random)] = `"${random
      .pick(['x', '\u8a9e', '\u{1F600}'])
      .repeat(510)
      .slice(0, 509 + random.below(6))}"`;
  },
  ({ all, values }, random) => {
    const at = anyOf(values, random);
    all[at] = random.pick(['9', '0.', '1e', '-', '']) + '1'.repeat(random.pick([3, 30, 400, 999, 1_001]));
  },
  ({ all }, random) => {
    const at = random.below(all.length);
    all[at] = random.pick([' ', '\n', '\t\r', '\u00a0', '\f']) + (all[at] ?? '');
  },
  ({ all, names }, random) => {
    // A whole member with its comma, or any tokens.
    all.splice(random.oneIn(3) ? random.below(all.length) : anyOf(names, random), 4);
  },
];

function tokensOf(text: string): Tokens {
  const all = text.match(TOKEN) ?? [];
  const values: number[] = [];
  const names: number[] = [];
  for (const [at, token] of all.entries()) {
    if (/^["\w-]/.test(token)) (all[at + 1] === ':' ? names : values).push(at);
  }
  return { all, values, names };
}

/** Mostly one or two: each more makes it likelier that the first rule of all is broken, and hides the others. */
const COUNTS = [1, 1, 1, 1, 2, 2, 3, 4] as const;

/** One to four mutations of `value`; `other` lends parts. */
export function mutated(value: Buffer, random: SeededRandom, other: Buffer): Buffer {
  let result = value;
  for (let left = random.pick(COUNTS); left > 0; left -= 1) {
    if (random.oneIn(5) || result.length > MOST_TOKENIZED_BYTES) {
      result = random.pick(BLIND)(result, random, other);
    } else {
      const tokens = tokensOf(result.toString('utf8'));
      random.pick(TOKEN_MUTATIONS)(tokens, random);
      result = Buffer.from(tokens.all.join(''));
    }
    if (result.length > MOST_BYTES) result = result.subarray(0, MOST_BYTES);
  }
  return result;
}
