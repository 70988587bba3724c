// An order is the cart: what rare carts become, which a run of the shop seldom shows.
import { expect, test } from 'vitest';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { sessionText } from '../../generator/session-text.ts';
import { shopEventJson } from '../../generator/shop-event.ts';
import { KIND, createSteps } from '../../generator/walk.ts';
import { createWorld } from '../../generator/world.ts';
import { must } from '../../pipeline/ensure.ts';
import type { EventFields } from '../../pipeline/event.ts';

const spec = createGeneratorSpec({ topic: 't' });
const world = createWorld(spec);

/** The order at the end of these steps: additions of an item so many times, or an earlier order. */
function orderAfter(deeds: readonly (readonly [item: number, quantity: number] | 'order')[]): EventFields {
  const steps = createSteps(deeds.length + 1);
  for (const [at, deed] of deeds.entries()) {
    steps.kind[at] = deed === 'order' ? KIND.purchase : KIND.add;
    if (deed !== 'order') [steps.item[at], steps.detail[at]] = deed;
  }
  const step = deeds.length;
  steps.kind[step] = KIND.purchase;
  const session = { shopper: 7, hash: 1, firstStep: 0, endStep: step + 1, stretch: 1 };
  const when = { occurredAtMs: 1_000, time: '1970-01-01T00:00:01.000Z', durationMs: 0 };
  const happening = {
    index: 0,
    chance: 5,
    steps,
    step,
    ...when,
    version: 1,
    namesVersion: false,
    isSparse: false,
  } as const;
  return JSON.parse(shopEventJson(world, happening, sessionText(world, spec, session)));
}

const priceCents = (number: number): number => must(world.items[number], 'an item').priceCents;
const id = (number: number): string => must(world.items[number], 'an item').id;

test('a thing that was put in the cart twice is one line of the order, with both quantities', () => {
  const order = orderAfter([
    [3, 1],
    [9, 2],
    [3, 3],
  ]);
  expect(order).toMatchObject({ items: [id(3), id(9)], quantities: [4, 2] });
  expect(order.total_amount).toBe((4 * priceCents(3) + 2 * priceCents(9)) / 100);
});

test('a second order holds only what was put in the cart since the first', () => {
  const order = orderAfter([[3, 1], 'order', [9, 2]]);
  expect(order).toMatchObject({ items: [id(9)], quantities: [2], total_amount: (2 * priceCents(9)) / 100 });
});

test('the total of many things has no more digits than cents', () => {
  const deeds = Array.from({ length: 90 }, (_, number) => [number, 3] as const);
  const cents = deeds.reduce((sum, [number, quantity]) => sum + quantity * priceCents(number), 0);
  expect(orderAfter(deeds).total_amount).toBe(cents / 100);
  expect(String(orderAfter(deeds).total_amount)).toMatch(/^\d+(\.\d\d?)?$/);
});
