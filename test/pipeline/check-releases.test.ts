// What a new version of the event schemas may change: each refusal names the field and the reason.
import { describe, expect, test } from 'vitest';

import { RELEASED_FOLDER, readReleasedSchemas } from '../../cli/released-schemas.ts';
import { EVENT_TYPES } from '../../pipeline/event.ts';
import * as kinds from '../../pipeline/field-kinds.ts';
import { releaseFaults, unreleased } from '../../pipeline/schemas/check-releases.ts';
import { plainSchemaJson, plainSchemas } from '../../pipeline/schemas/plain-schema.ts';
import type { PlainField, PlainSchema } from '../../pipeline/schemas/plain-schema.ts';
import { changesBetween } from '../../pipeline/schemas/schema-changes.ts';
import { VERSION_1 } from '../../pipeline/schemas/v1.ts';
import { VERSION_2 } from '../../pipeline/schemas/v2.ts';
import { VERSIONS } from '../../pipeline/schemas/versions.ts';

const name: PlainField = { name: 'name', required: true, kind: 'text', minLength: 1, maxLength: 10 };
const PLACE_WITHOUT_NULL: PlainField = {
  name: 'place',
  required: true,
  kind: 'whole number',
  minimum: 0,
  maximum: 9,
};
const BEFORE: readonly PlainField[] = [
  name,
  { name: 'size', required: true, kind: 'one of', values: ['s', 'm'] },
  { name: 'count', required: true, kind: 'whole number', minimum: 1, maximum: 100 },
  { name: 'note', required: false, kind: 'text', maxLength: 10 },
  { name: 'tags', required: true, kind: 'list', minLength: 1, element: { kind: 'text', minLength: 1, maxLength: 5 } },
  { name: 'price', required: true, kind: 'money', minimum: 0, maximum: 10, decimals: 2 },
  { ...PLACE_WITHOUT_NULL, orNull: true },
];

const schema = (version: number, fields: readonly PlainField[], type = 'order'): PlainSchema => ({
  version,
  types: { [type]: fields },
});

/** BEFORE with one field changed, left out (null) or, where it has no such field, added. */
function withField(field: string, changes: Partial<PlainField> | null): PlainField[] {
  const others = BEFORE.filter((each) => each.name !== field);
  const was = BEFORE.find((each) => each.name === field) ?? { name: field, required: false, kind: 'flag' };
  return changes === null ? others : [...others, { ...was, ...changes }];
}

const faultsOf = (after: readonly PlainField[]): string[] =>
  releaseFaults([schema(1, BEFORE), schema(2, after)], [schema(1, BEFORE)]);

const REFUSED: [claim: string, after: PlainField[], fault: string][] = [
  ['a removed field', withField('size', null), 'order.size is gone;'],
  ['a removed optional field', withField('note', null), 'order.note is gone;'],
  [
    'a renamed field',
    [...withField('name', null), { ...name, name: 'title' }],
    'order.name is gone, or renamed to title;',
  ],
  ['a new required field', withField('colour', { required: true }), 'order.colour is new and required: true or false;'],
  ['an optional field that becomes required', withField('note', { required: true }), 'order.note is required now;'],
  ['a required field that becomes optional', withField('name', { required: false }), 'order.name may be absent now,'],
  ['another kind', withField('count', { kind: 'text' }), 'order.count was whole number of 1 to 100 and is text'],
  ['a narrowed enum', withField('size', { values: ['m', 'l'] }), 'order.size takes s no more;'],
  ['a raised minimum', withField('count', { minimum: 2 }), 'order.count has 2 as its minimum instead of 1;'],
  ['a lowered maximum', withField('count', { maximum: 99 }), 'order.count has 99 as its maximum instead of 100;'],
  ['a shorter text', withField('name', { maxLength: 9 }), 'order.name has 9 as its maximum length instead of 10;'],
  [
    'a text that may be empty no more',
    withField('note', { minLength: 1 }),
    'order.note has 1 as its minimum length instead of 0;',
  ],
  ['fewer decimals', withField('price', { decimals: 0 }), 'order.price has 0 as its number of decimals instead of 2;'],
  ['null no more', [...withField('place', null), PLACE_WITHOUT_NULL], 'order.place may be null no more;'],
  [
    'a narrowed element',
    withField('tags', { element: { kind: 'text', minLength: 1, maxLength: 4 } }),
    'order.tags in each element has 4 as its maximum length instead of 5;',
  ],
];

describe('a new version is refused for', () => {
  test.each(REFUSED)('%s', (_claim, after, fault) => {
    // A renamed field is also a new required one, and the rest of a change may be fine.
    expect(faultsOf(after)).toEqual(
      expect.arrayContaining([expect.stringMatching(new RegExp(`^In version 2 ${fault.replaceAll('.', '\\.')}`))]),
    );
  });

  test('an event type that is gone', () => {
    const faults = releaseFaults([schema(1, BEFORE), schema(2, BEFORE, 'visit')], []);
    expect(faults).toEqual([expect.stringContaining('In version 2 order is gone;')]);
  });
});

const ALLOWED: [claim: string, after: PlainField[], change: string][] = [
  ['a new optional field', withField('gift', {}), 'added: is new and may be absent: true or false'],
  ['a wider enum', withField('size', { values: ['l', 'm', 's'] }), 'widened: takes l besides'],
  ['a wider number', withField('count', { minimum: 0 }), 'widened: has 0 as its minimum instead of 1'],
  ['a longer text', withField('name', { maxLength: 20 }), 'widened: has 20 as its maximum length instead of 10'],
  ['null besides', withField('count', { orNull: true }), 'widened: may be null besides'],
  ['another order of the fields', BEFORE.toReversed(), ''],
];

test.each(ALLOWED)('a new version may have %s', (_claim, after, change) => {
  expect(faultsOf(after)).toEqual([]);
  const changes = changesBetween(schema(1, BEFORE), schema(2, after));
  expect(changes.map((each) => `${each.change}: ${each.what}`)).toEqual(change === '' ? [] : [change]);
});

describe('a released version is refused', () => {
  test('when it changed in any way, even one that a new version may have', () => {
    for (const after of [...REFUSED.map((each) => each[1]), ...ALLOWED.slice(0, -1).map((each) => each[1])]) {
      const faults = releaseFaults([schema(1, after)], [schema(1, BEFORE)]);
      expect(faults[0]).toMatch(/^Version 1 is released, and order\..*; declare that as a new version instead\.$/);
    }
  });

  test('when it is not declared any more', () => {
    const faults = releaseFaults([schema(1, BEFORE)], [schema(1, BEFORE), schema(2, BEFORE)]);
    expect(faults).toEqual([expect.stringContaining('Version 2 is released and not declared any more;')]);
  });

  test('when versions are not numbered without a gap', () => {
    expect(releaseFaults([schema(1, BEFORE), schema(3, BEFORE)], [])).toEqual([
      expect.stringContaining('Version 3 is declared as number 2;'),
    ]);
  });
});

test('what differs in the same way in every type is said once', () => {
  const both = (fields: readonly PlainField[]): PlainSchema => ({
    version: 1,
    types: { order: fields, visit: fields },
  });
  expect(changesBetween(both(BEFORE), both(withField('name', null)))).toEqual([
    { eventType: 'every', field: 'name', change: 'removed', compatible: false, what: 'is gone' },
  ]);
});

describe('the event schemas of this build', () => {
  const declared = plainSchemas(VERSIONS);

  test('are released, as they are declared, and compatible with each other', () => {
    const released = readReleasedSchemas(RELEASED_FOLDER);
    expect(releaseFaults(declared, released)).toEqual([]);
    expect(unreleased(declared, released)).toEqual([]);
    expect(released).toEqual(declared);
  });

  test('come back from their JSON as they were', () => {
    for (const one of declared) expect(JSON.parse(plainSchemaJson(one))).toEqual(one);
  });

  test('a field that version 3 took away, renamed or required would be refused', () => {
    const adds = { every: { coupon_code: kinds.text } };
    const after = plainSchemas([VERSION_1, VERSION_2, { version: 3, adds, widens: {} }]);
    const faults = releaseFaults(after, readReleasedSchemas(RELEASED_FOLDER));
    expect(faults).toHaveLength(EVENT_TYPES.length);
    expect(faults).toContainEqual(expect.stringContaining('purchase.coupon_code is required now'));
    expect(faults).toContainEqual(expect.stringContaining('page_view.coupon_code is new and required'));
  });
});
