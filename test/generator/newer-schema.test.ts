// Producers of two versions at once: a share of the messages is of version 2 of the event schemas, and all else stays as it was.
import { expect, test } from 'vitest';

import { MALFORMED_KINDS } from '../../generator/malformed.ts';
import { createGeneratorSpec, generatorSpecProblems } from '../../generator/generator-spec.ts';
import type { GeneratorSpec } from '../../generator/generator-spec.ts';
import type { Segment } from '../../generator/pace.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import type { ProducedMessage } from '../../generator/produced-message.ts';
import { parseMessage } from '../../pipeline/parse-message.ts';

const SEGMENT: Segment = { fromIndex: 0, startMs: Date.UTC(2026, 2, 1), rate: 500 };
const COUNT = 20_000;
const make = (given: Partial<GeneratorSpec>): ProducedMessage[] =>
  createMessageMaker(createGeneratorSpec({ topic: 't', ...given })).messages(SEGMENT, 0, COUNT);
const verdictOf = ({ value, timestampMs }: Pick<ProducedMessage, 'value' | 'timestampMs'>) =>
  parseMessage({ offset: 0, timestampMs, key: null, value, headers: [] }, { maxFutureMs: 300_000, retentionMs: null });

const mixed = make({ newerSchema: 0.3 });
const events = mixed.map((message) => verdictOf(message).event);

test('every message of either version is an event of its version without anything extra', () => {
  expect(events.filter((event) => event === null || event.extra !== null)).toEqual([]);
  const newer = events.filter((event) => event?.fields.schema_version === 2).length;
  // Four standard deviations of a share over so many independent draws.
  expect(Math.abs(newer / COUNT - 0.3)).toBeLessThan(4 * Math.sqrt((0.3 * 0.7) / COUNT));
});

test('orders of version 2 show what it brought, and only they do', () => {
  const has = (version: number | undefined, name: 'coupon_code' | 'payment_method', value?: string): number =>
    events.filter((event) => {
      const found = event?.fields[name];
      return event?.fields.schema_version === version && (value === undefined ? found !== undefined : found === value);
    }).length;
  expect(has(2, 'coupon_code')).toBeGreaterThan(100);
  expect(has(2, 'payment_method', 'google_pay')).toBeGreaterThan(50);
  expect(has(undefined, 'coupon_code')).toBe(0);
  expect(has(undefined, 'payment_method', 'google_pay')).toBe(0);
  const orders = events.filter((event) => event?.fields.schema_version === 2 && event.fields.event_type === 'purchase');
  expect(has(2, 'coupon_code')).toBeLessThan(orders.length);
  expect(has(2, 'payment_method', 'google_pay')).toBeLessThan(orders.length / 2);
});

test('without the switch no byte of a message changes, and with it only the newer ones do', () => {
  const texts = (messages: ProducedMessage[]) => messages.map(({ key, value }) => `${key} ${value.toString('latin1')}`);
  const shares = { disorder: 0.05, duplicates: 0.05, malformed: 0.05, late: 0.05 };
  const plain = texts(make(shares));
  expect(texts(make({ ...shares, newerSchema: 0 }))).toEqual(plain);
  const newer = texts(make({ ...shares, newerSchema: 0.5 }));
  const changed = newer.filter((text, index) => text !== plain[index]);
  expect(changed.length).toBeGreaterThan(COUNT * 0.4);
  expect(changed.length).toBeLessThan(COUNT * 0.55);
});

test.each(MALFORMED_KINDS)(
  'a message of version 2 that is spoiled by "$name" earns $reason as well',
  ({ reason, spoil }) => {
    const message = mixed.find((_, index) => events[index]?.fields.schema_version === 2);
    const json = String(message?.value);
    expect(verdictOf({ value: spoil(json), timestampMs: message?.timestampMs ?? 0 }).rejection?.reason).toBe(reason);
  },
);

test('a share beyond 1 is refused in a sentence, and a spec of an older build means none', () => {
  const { newerSchema: _, ...older } = createGeneratorSpec({ topic: 't' });
  expect(generatorSpecProblems(older)).toEqual([]);
  expect(generatorSpecProblems({ ...older, newerSchema: 2 })).toEqual([
    'Share newerSchema is 2, but must lie between 0 and 1.',
  ]);
});
