// The declaration of funnels: a mistake in it is named by its field, and the bits of steps stay when funnels are added.
import { describe, expect, test } from 'vitest';

import { FUNNELS, funnelProblems, markOf, stepMarks } from '../../pipeline/funnel.ts';
import type { Funnel, FunnelStep } from '../../pipeline/funnel.ts';
import { EVENT_TYPES } from '../../pipeline/event.ts';
import type { EventType } from '../../pipeline/event.ts';

const VIEW: FunnelStep = { name: 'view', type: 'page_view', where: { page: 'product' } };
const CLICK: FunnelStep = { name: 'click', type: 'item_click' };
const RIGHT: Funnel = { name: 'right', withinMs: 60_000, steps: [VIEW, CLICK] };
/** What a file that was not type-checked might hold. */
const noType = (name: string): EventType => EVENT_TYPES.find((type) => type === name) ?? Object(name);

const wrong = (changes: Partial<Funnel>): string[] => funnelProblems([{ ...RIGHT, ...changes }]);
const wrongStep = (changes: Partial<FunnelStep>): string[] => wrong({ steps: [VIEW, { ...CLICK, ...changes }] });

describe('a declaration of funnels', () => {
  test('as it stands has no problem', () => {
    expect(funnelProblems(FUNNELS)).toEqual([]);
    expect(wrong({})).toEqual([]);
  });

  test.each(['', 'Right', '9th', 'a-b', 'a b', 'x'.repeat(64)])('with the name "%s" names the field', (name) => {
    expect(wrong({ name })).toEqual([
      `funnels[0].name is "${name}": give lower-case letters, digits and _, a letter first.`,
    ]);
    expect(wrongStep({ name })).toEqual([
      `funnels[0].steps[1].name is "${name}": give lower-case letters, digits and _, a letter first.`,
    ]);
  });

  test('with a name given twice names the later one', () => {
    expect(funnelProblems([RIGHT, { ...RIGHT, withinMs: 1 }])).toEqual([
      'funnels[1].name is "right", as an earlier one: give it another.',
    ]);
    expect(wrongStep({ name: 'view' })).toEqual([
      'funnels[0].steps[1].name is "view", as an earlier one: give it another.',
    ]);
  });

  test.each([0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'with %d ms for all steps names the field',
    (withinMs) => {
      expect(wrong({ withinMs })).toEqual([
        `funnels[0].withinMs is ${withinMs}: give a whole number of milliseconds above 0.`,
      ]);
    },
  );

  test.each([[0, []] as const, [1, [VIEW]] as const])('with %i steps names the field', (count, steps) => {
    expect(wrong({ steps })).toEqual([`funnels[0].steps has ${count}: a funnel needs at least 2 steps.`]);
  });

  test('with a type that no event has names the field', () => {
    expect(wrongStep({ type: noType('view') })).toEqual([
      'funnels[0].steps[1].type is "view": no event has this type.',
    ]);
  });

  test('with a condition that no event can meet names the field', () => {
    expect(wrongStep({ where: { page: 'home' } })).toEqual([
      'funnels[0].steps[1].where.page: events of type item_click have no such field.',
    ]);
    expect(wrongStep({ type: 'page_view', where: { page: 'basket' } })).toEqual([
      'funnels[0].steps[1].where.page is "basket": it can only be home, product, category, search, cart, checkout.',
    ]);
    expect(wrongStep({ type: 'item_click', where: { position: '1' } })[0]).toMatch(
      /^funnels\[0\]\.steps\[1\]\.where\.position: a .* can't be asked for, only text can\.$/,
    );
  });

  test('takes conditions on every kind of text, also on what all events have', () => {
    expect(wrongStep({ where: { item_id: 'i', category: 'c', device: 'mobile' } })).toEqual([]);
    expect(wrongStep({ type: 'purchase', where: { currency: 'EUR', payment_method: 'paypal' } })).toEqual([]);
  });

  test('with several mistakes names each, and that too many things are asked for', () => {
    const many = Array.from({ length: 32 }, (_, index): FunnelStep => ({
      name: `s${index}`,
      type: 'item_click',
      where: { item_id: String(index) },
    }));
    expect(funnelProblems([{ ...RIGHT, name: '', withinMs: 0, steps: many }])).toEqual([
      'funnels[0].name is "": give lower-case letters, digits and _, a letter first.',
      'funnels[0].withinMs is 0: give a whole number of milliseconds above 0.',
      'funnels ask for 32 different things: at most 31 fit.',
    ]);
    expect(wrong({ steps: many.slice(1) })).toEqual([]);
  });
});

describe('the bits of steps', () => {
  test('are one a thing, whatever its name is and in whatever order its conditions stand', () => {
    const where = { item_id: 'i', category: 'c' };
    const turned = { category: 'c', item_id: 'i' };
    const steps = [
      VIEW,
      { ...CLICK, where },
      { ...CLICK, name: 'other', where: turned },
      { ...CLICK, where: {} },
      CLICK,
    ];
    const marks = stepMarks([{ ...RIGHT, steps }]);
    expect(marks.map(({ mark }) => mark)).toEqual([1, 2, 4]);
    expect(steps.map((step) => markOf([{ ...RIGHT, steps }], step))).toEqual([1, 2, 2, 4, 4]);
  });

  test('stay as they are when a funnel is appended', () => {
    const appended = [...FUNNELS, { ...RIGHT, steps: [{ ...CLICK, where: { category: 'c' } }, VIEW, CLICK] }];
    expect(stepMarks(appended).slice(0, stepMarks(FUNNELS).length)).toEqual(stepMarks(FUNNELS));
    for (const { steps } of FUNNELS) {
      for (const step of steps) expect(markOf(appended, step)).toBe(markOf(FUNNELS, step));
    }
  });

  test('of the declared funnels are these: facts that are stored hold them', () => {
    expect(stepMarks(FUNNELS).map(({ mark, step: { type, where } }) => [mark, type, where])).toEqual([
      [1, 'page_view', { page: 'product' }],
      [2, 'item_click', undefined],
      [4, 'cart_add', undefined],
      [8, 'purchase', undefined],
      [16, 'search', undefined],
    ]);
  });

  test('are of declared steps alone', () => {
    expect(() => markOf(FUNNELS, { name: 'login', type: 'user_login' })).toThrow('the bit of step login');
  });
});
