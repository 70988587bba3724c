// The generator's world: users, items and searches that a seed alone decides. Nothing in it changes while events are made.
import { faker } from '@faker-js/faker/locale/en';

import { must } from '../pipeline/ensure.ts';
import { hex32 } from './event-id.ts';
import { cube, draw, fraction, hashUnder, pick, square } from './seeded-chance.ts';

export type Item = {
  readonly id: string;
  readonly name: string;
  readonly category: string;
  readonly priceCents: number;
};

/** A user keeps device and location for life; the location decides the currency. */
export type User = {
  readonly id: string;
  readonly device: string;
  readonly location: string;
  readonly currency: string;
};

/** `key` is the seed folded to 32 bits; `searches` are JSON strings, quotes included. */
export type World = {
  readonly key: number;
  readonly users: number;
  readonly items: readonly Item[];
  readonly searches: readonly string[];
};

const ITEM_COUNT = 600;
const SEARCH_COUNT = 1_000;
const SESSION_MS = 20 * 60_000;

const CATEGORIES = [
  'electronics',
  'fashion',
  'home',
  'garden',
  'sports',
  'beauty',
  'toys',
  'books',
  'grocery',
  'music',
];
/** Most people shop on their phone: a device drawn twice is twice as likely. */
const DEVICES = ['mobile', 'mobile', 'mobile', 'mobile', 'mobile', 'desktop', 'desktop', 'desktop', 'tablet', 'tablet'];
const PLACES = [
  ['US', 'USD', 30],
  ['GB', 'GBP', 12],
  ['DE', 'EUR', 12],
  ['FR', 'EUR', 9],
  ['ES', 'EUR', 6],
  ['NL', 'EUR', 4],
  ['CA', 'CAD', 7],
  ['AU', 'AUD', 5],
  ['IN', 'INR', 7],
  ['BR', 'BRL', 5],
  ['PL', 'PLN', 3],
] as const;
const PLACE_OF_PERCENT = PLACES.flatMap((place) => Array.from({ length: place[2] }, () => place));

/** Draws of a user's hash; numbers never change meaning, or old seeds would make other worlds. */
const USER_DRAW = { device: 0, place: 1, phase: 2, sessionLength: 3, session: 4 } as const;

/** Builds the world of a seed: some 10 ms, once; the same seed and number of users give the same world everywhere. */
export function createWorld(spec: { readonly seed: number; readonly users: number }): World {
  const key = hashUnder(0x77656972, spec.seed);
  faker.seed(key);
  const items = Array.from({ length: ITEM_COUNT }, (_, number) => createItem(key, number));
  const searches = Array.from({ length: SEARCH_COUNT }, (_, number) => createSearch(items, number));
  return { key, users: spec.users, items, searches: searches.map((search) => JSON.stringify(search)) };
}

/** User number `number` (0 is the most active). Pure: asked twice, it is the same user. */
export function userAt(world: World, number: number): User {
  const chance = userHash(world, number);
  const place = must(PLACE_OF_PERCENT[pick(chance, USER_DRAW.place, PLACE_OF_PERCENT.length)], 'a place per percent');
  return {
    id: `user_${String(number).padStart(6, '0')}`,
    device: must(DEVICES[pick(chance, USER_DRAW.device, DEVICES.length)], 'a device per tenth'),
    location: place[0],
    currency: place[1],
  };
}

/** The session in which a user is at a moment: each lasts 15 to 25 minutes (a user's own length), then a new id follows. */
export function sessionAt(world: World, userNumber: number, atMs: number): string {
  const chance = userHash(world, userNumber);
  const lengthMs = SESSION_MS * (0.75 + fraction(chance, USER_DRAW.sessionLength) / 2);
  const slot = Math.floor(atMs / lengthMs + fraction(chance, USER_DRAW.phase));
  const session = hashUnder(draw(chance, USER_DRAW.session), slot);
  return `s-${hex32(hashUnder(world.key, userNumber))}${hex32(session)}`;
}

/** Who acts in a message: few users do much and many do little (Zipf with exponent 1/2). */
export function activeUser(world: World, uniform: number): number {
  return Math.floor(world.users * square(uniform));
}

/** Which item a message is about: popular ones more often. */
export function popularItem(world: World, uniform: number): Item {
  return must(world.items[Math.floor(world.items.length * square(uniform))], 'an item per fraction');
}

/** Users, items and messages hash under keys of their own, so that none of them echoes another. */
const userHash = (world: World, number: number): number => hashUnder(world.key ^ 0x75736572, number);

function createItem(worldKey: number, number: number): Item {
  const chance = hashUnder(worldKey ^ 0x6974656d, number);
  const cents = 199 + Math.floor(cube(fraction(chance, 0)) * 49_800);
  return {
    id: `item_${String(number).padStart(4, '0')}`,
    name: faker.commerce.productName(),
    category: must(CATEGORIES[pick(chance, 1, CATEGORIES.length)], 'a category per draw'),
    priceCents: cents,
  };
}

/** People look for what the shop has, or for what they can think of. */
function createSearch(items: readonly Item[], number: number): string {
  const item = must(items[number % items.length], 'an item per search');
  if (number % 3 === 0) return item.name.toLowerCase();
  if (number % 3 === 1) return `${faker.commerce.productAdjective()} ${faker.commerce.product()}`.toLowerCase();
  return `${faker.color.human()} ${item.category}`;
}
