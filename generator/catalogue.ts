// The catalogue of the shop: what it sells, at which price, and what people look at more than at other things.
import { faker } from '@faker-js/faker/locale/en';

import { must } from '../pipeline/ensure.ts';
import { cube, fraction, hashUnder, pick } from './seeded-chance.ts';

export type Item = {
  readonly id: string;
  readonly name: string;
  readonly category: string;
  readonly priceCents: number;
};

const ITEM_COUNT = 600;
/** Popularity falls with the rank to this power (Zipf). */
const ZIPF = 0.8;
const POPULARITY_STEPS = 8_192;

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

/** The items of a world; the first is the most popular. Each has one name, category and price, wherever it appears. */
export function createItems(worldKey: number): Item[] {
  faker.seed(worldKey);
  return Array.from({ length: ITEM_COUNT }, (_, number) => {
    const chance = hashUnder(worldKey ^ 0x6974656d, number);
    return {
      id: `item_${String(number).padStart(4, '0')}`,
      name: faker.commerce.productName(),
      category: must(CATEGORIES[pick(chance, 1, CATEGORIES.length)], 'a category per draw'),
      priceCents: 199 + Math.floor(cube(fraction(chance, 0)) * 49_800),
    };
  });
}

/** Item numbers, each as often as it is popular: a fraction picks one of them. */
const POPULAR = popularity();

function popularity(): Uint16Array {
  const weights = Array.from({ length: ITEM_COUNT }, (_, rank) => (rank + 1) ** -ZIPF);
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  const numbers = new Uint16Array(POPULARITY_STEPS);
  let number = 0;
  let through = must(weights[0], 'an item') / whole;
  for (let step = 0; step < POPULARITY_STEPS; step++) {
    while (number < ITEM_COUNT - 1 && (step + 0.5) / POPULARITY_STEPS > through) {
      number += 1;
      through += must(weights[number], 'a weight per item') / whole;
    }
    numbers[step] = number;
  }
  return numbers;
}

/** Number of the item that a fraction picks: popular ones more often. */
export function popularItem(uniform: number): number {
  return POPULAR[Math.floor(uniform * POPULARITY_STEPS)] ?? 0;
}
