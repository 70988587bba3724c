// Versions side by side: what each takes, what it leaves in extra, and what a newer one changes for messages of an older one.
import { describe, expect, test } from 'vitest';

import { EVENT_SCHEMAS, findSchema, NEWEST_VERSION } from '../../pipeline/event-schemas.ts';
import { EVENT_TYPES } from '../../pipeline/event.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';
import { VERSIONS } from '../../pipeline/schemas/versions.ts';
import { changed, messageWith, outcome, RULES, VALID, withMember } from './valid-messages.ts';

import type { EventType } from '../../pipeline/event.ts';

const readAs = (type: EventType, fields: Readonly<Record<string, unknown>>) =>
  parseMessage(changed(type, fields), RULES);

test('the versions are numbered from 1 without a gap', () => {
  expect(VERSIONS.map(({ version }) => version)).toEqual(VERSIONS.map((_, index) => index + 1));
  for (const type of EVENT_TYPES) expect(EVENT_SCHEMAS.get(type)).toHaveLength(NEWEST_VERSION);
});

test('a message finds the schema of its type first and of its version then; without a version it is of version 1', () => {
  const [first, second] = EVENT_SCHEMAS.get('purchase') ?? [];
  expect(findSchema('purchase', undefined)).toBe(first);
  expect(findSchema('purchase', 1)).toBe(first);
  expect(findSchema('purchase', 2)).toBe(second);
  for (const version of [0, -0, -1, 1.5, 3, 1e308, Infinity, '1', 'length', null, true, [], {}, [1]]) {
    expect(findSchema('purchase', version), JSON.stringify(version)).toBeUndefined();
  }
  expect(findSchema('refund', 1)).toBeUndefined();
});

test.each(EVENT_TYPES)(
  'a message of type %s that follows version 1 also follows version 2, with no other verdict',
  (type) => {
    const { event } = readAs(type, { schema_version: 2 });
    expect(event).toMatchObject({ fields: { ...VALID[type], schema_version: 2 }, extra: null });
  },
);

describe('what version 2 added', () => {
  test('an order of version 2 may be paid with Google Pay, one of version 1 may not', () => {
    expect(outcome(readAs('purchase', { schema_version: 2, payment_method: 'google_pay' }))).toBe('event');
    const refused = readAs('purchase', { payment_method: 'google_pay' });
    expect(refused.rejection?.detail).toBe(
      'payment_method is "google_pay"; one of credit_card, paypal, apple_pay belongs there.',
    );
    expect(readAs('purchase', { schema_version: 2, payment_method: 'cash' }).rejection?.detail).toBe(
      'payment_method is "cash"; one of credit_card, paypal, apple_pay, google_pay belongs there.',
    );
  });

  test('an order of version 2 may have a coupon, may have none, and is refused with one that is no text', () => {
    const { event } = readAs('purchase', { schema_version: 2, coupon_code: 'SAVE10', note: 1 });
    expect(event).toMatchObject({ fields: { coupon_code: 'SAVE10' }, extra: '{"note":1}' });
    expect(readAs('purchase', { schema_version: 2, note: 1 }).event?.fields).not.toHaveProperty('coupon_code');
    for (const coupon_code of [10, null, ['SAVE10'], 'x'.repeat(513)]) {
      expect(outcome(readAs('purchase', { schema_version: 2, coupon_code }))).toBe('wrong_field coupon_code');
    }
  });

  test("a coupon in an order of version 1 fills its column where it fits, and stays in extra word for word where it doesn't", () => {
    const fits = readAs('purchase', { coupon_code: 'SAVE10', price: 5, note: 1 }).event;
    expect(fits).toMatchObject({ fields: { coupon_code: 'SAVE10' }, extra: '{"price":5,"note":1}' });
    expect(fits?.fields).not.toHaveProperty('price');
    expect(readAs('purchase', { coupon_code: 'SAVE10' }).event).toMatchObject({ extra: null });
    for (const member of ['"coupon_code":1.10', '"coupon_code":null', '"coupon_code":["a"]']) {
      const { event } = parseMessage(withMember('purchase', member), RULES);
      expect(event?.extra).toBe(`{${member}}`);
      expect(event?.fields).not.toHaveProperty('coupon_code');
    }
  });

  test('of two coupons in one message the last counts, as everywhere in JSON', () => {
    const last = parseMessage(withMember('purchase', '"coupon_code":"a","coupon_code":2'), RULES).event;
    expect(last).toMatchObject({ extra: '{"coupon_code":2}' });
    expect(last?.fields).not.toHaveProperty('coupon_code');
    const first = parseMessage(withMember('purchase', '"coupon_code":2,"coupon_code":"b"'), RULES).event;
    expect(first).toMatchObject({ extra: null, fields: { coupon_code: 'b' } });
  });

  test('a coupon in an event of another type is extra, whatever the version', () => {
    for (const schema_version of [1, 2]) {
      const { event } = readAs('page_view', { schema_version, coupon_code: 'SAVE10' });
      expect(event?.extra).toBe('{"coupon_code":"SAVE10"}');
      expect(event?.fields).not.toHaveProperty('coupon_code');
    }
  });
});

test('a version that nobody knows yet is named before anything else that is wrong, with the versions that are known', () => {
  const { rejection } = parseMessage(messageWith('{"schema_version":3,"event_type":"wish"}'), RULES);
  expect(rejection).toEqual({
    reason: 'unsupported_version',
    field: 'schema_version',
    detail: 'schema_version is 3; a whole number from 1 to 2 belongs there.',
  });
  const text = parseMessage(messageWith('{"schema_version":"2","event_type":"wish"}'), RULES);
  expect(outcome(text)).toBe('wrong_field schema_version');
});
