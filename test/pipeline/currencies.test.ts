// The list of currencies: no code is mistyped, none of the common ones is missing.
import { faker } from '@faker-js/faker';
import { expect, test } from 'vitest';

import { CURRENCIES } from '../../pipeline/currencies.ts';

test('each code is one that the engine can name, but for the newest', () => {
  const names = new Intl.DisplayNames('en', { type: 'currency', fallback: 'none' });
  const newest = new Set(['XAD', 'XCG', 'ZWG']);
  expect([...CURRENCIES].filter((code) => names.of(code) === undefined && !newest.has(code))).toEqual([]);
});

test('no currency of an independent list is missing', () => {
  const listed = faker.definitions.finance.currency.map(({ code }) => code);
  expect(listed.length).toBeGreaterThan(150);
  expect(listed.filter((code) => !CURRENCIES.has(code))).toEqual([]);
});
