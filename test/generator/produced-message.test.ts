// The generator's world as its messages show it: repeatable to the byte, believable in its numbers.
import { createHash } from 'node:crypto';

import { expect, test } from 'vitest';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import type { GeneratorSpec } from '../../generator/generator-spec.ts';
import type { Segment } from '../../generator/pace.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import type { ProducedMessage } from '../../generator/produced-message.ts';
import { createWorld } from '../../generator/world.ts';
import { EVENT_TYPES } from '../../pipeline/event.ts';
import type { EventFields } from '../../pipeline/event.ts';
import { must } from '../../pipeline/ensure.ts';

const SEGMENT: Segment = { fromIndex: 0, startMs: Date.UTC(2026, 2, 1), rate: 500 };
const EVERYTHING = { disorder: 0.05, duplicates: 0.05, malformed: 0.05, late: 0.05 };
const make = (given: Partial<GeneratorSpec> = {}) => createMessageMaker(createGeneratorSpec({ topic: 't', ...given }));
const read = ({ value }: ProducedMessage): EventFields => JSON.parse(value.toString());

function hashOf(messages: ProducedMessage[]): string {
  const hash = createHash('sha256');
  for (const { key, value, timestampMs } of messages) hash.update(`${key}/${timestampMs}/`).update(value);
  return hash.digest('hex');
}

function countBy<T>(things: readonly T[], keyOf: (thing: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const thing of things) counts.set(keyOf(thing), (counts.get(keyOf(thing)) ?? 0) + 1);
  return counts;
}

const hundredThousand = make().messages(SEGMENT, 0, 100_000).map(read);

test('the same seed and segment make the same bytes, whoever makes them', () => {
  const first = hashOf(make(EVERYTHING).messages(SEGMENT, 0, 20_000));
  expect(hashOf(make(EVERYTHING).messages(SEGMENT, 0, 20_000))).toBe(first);
  expect(hashOf(make({ ...EVERYTHING, seed: 2 }).messages(SEGMENT, 0, 20_000))).not.toBe(first);
  expect(first).toBe('93b0592ddaf5ac69e8727f5698eff0d1c39dd52492068ea2e237e60ea292ee9b');
});

test('messages made from any index on are those of a run that was never interrupted', () => {
  const maker = make(EVERYTHING);
  const whole = maker.messages(SEGMENT, 0, 12_000);
  for (const index of [1, 777, 5_000, 11_999]) {
    expect(hashOf(make(EVERYTHING).messages(SEGMENT, index, 12_000))).toBe(hashOf(whole.slice(index)));
  }
});

test('the six types come in their shares within one percentage point', () => {
  const mix = { user_login: 0.25, page_view: 0.3, item_click: 0.2, purchase: 0.1, cart_add: 0.1, search: 0.05 };
  const shares = countBy(hundredThousand, (event) => event.event_type);
  for (const type of EVENT_TYPES) expect(Math.abs((shares.get(type) ?? 0) / 100_000 - mix[type])).toBeLessThan(0.01);
});

test("a purchase's total is the sum of quantity times price over its lines, to the cent", () => {
  const priceCents = new Map(createWorld({ seed: 1, users: 1 }).items.map((item) => [item.id, item.priceCents]));
  const purchases = hundredThousand.filter((event) => event.event_type === 'purchase');
  const wrong = purchases.filter(({ items = [], quantities = [], total_amount: total }) => {
    const cents = items.reduce((sum, id, line) => sum + must(priceCents.get(id), id) * must(quantities[line], id), 0);
    return items.length === 0 || items.length !== quantities.length || total !== cents / 100;
  });
  expect(purchases.length).toBeGreaterThan(9_000);
  expect(wrong).toEqual([]);
});

test('an item has one category and one price wherever it appears', () => {
  const items = new Map(createWorld({ seed: 1, users: 1 }).items.map((item) => [item.id, item]));
  const about = hundredThousand.filter((event) => event.item_id !== undefined);
  const wrong = about.filter(({ item_id: id = '', category, price }) => {
    const item = must(items.get(id), id);
    return category !== item.category || (price ?? item.priceCents / 100) !== item.priceCents / 100;
  });
  expect(about.length).toBeGreaterThan(29_000);
  expect(wrong).toEqual([]);
});

test('a user keeps device, location and currency', () => {
  const homes = new Set(hundredThousand.map((event) => `${event.user_id} ${event.device} ${event.location}`));
  const users = new Set(hundredThousand.map((event) => event.user_id));
  const purchases = hundredThousand.filter((event) => event.event_type === 'purchase');
  const buyers = new Set(purchases.map((event) => event.user_id));
  const currencies = new Set(purchases.map((event) => `${event.user_id} ${event.currency}`));
  expect(homes.size).toBe(users.size);
  expect(currencies.size).toBe(buyers.size);
  expect(users.size).toBeGreaterThan(8_000);
  expect(new Set(hundredThousand.map((event) => `${event.device} ${event.location}`)).size).toBe(33);
});

test('a session belongs to one user, lasts 15 to 25 minutes, and then another begins', () => {
  const busy = make({ users: 20 })
    .messages({ ...SEGMENT, rate: 2 }, 0, 40_000)
    .map(read);
  const sessions = new Map<string, { users: Set<string>; firstMs: number; lastMs: number }>();
  for (const event of busy) {
    const atMs = Date.parse(event.timestamp);
    const session = sessions.get(event.session_id) ?? { users: new Set(), firstMs: atMs, lastMs: atMs };
    session.users.add(event.user_id);
    sessions.set(event.session_id, { ...session, lastMs: atMs });
  }
  expect([...sessions.values()].filter(({ users }) => users.size > 1)).toEqual([]);
  const durations = [...sessions.values()].map(({ firstMs, lastMs }) => (lastMs - firstMs) / 60_000);
  expect(Math.max(...durations)).toBeLessThan(25);
  expect(durations.filter((minutes) => minutes > 14).length / durations.length).toBeGreaterThan(0.8);
  // 20,000 seconds hold some 17 sessions of 20 minutes for each of 20 users.
  expect(sessions.size).toBeGreaterThan(280);
  expect(sessions.size).toBeLessThan(480);
});

test("a user's sessions never overlap, and no two users share one", () => {
  const last = new Map<string, string>();
  const ended = new Set<string>();
  const wrong: EventFields[] = [];
  for (const event of hundredThousand) {
    const before = last.get(event.user_id);
    if (before !== undefined && before !== event.session_id) ended.add(before);
    if (ended.has(event.session_id)) wrong.push(event);
    last.set(event.user_id, event.session_id);
  }
  expect(wrong).toEqual([]);
  expect(new Set(last.values()).size).toBe(last.size);
});

test('no event id comes twice in 200,000 messages without duplicates, and each is a uuid v7 of its event time', () => {
  const events = make()
    .messages({ ...SEGMENT, rate: 100_000 }, 0, 200_000)
    .map(read);
  const v7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
  const timeOf = (id: string): number => parseInt(id.replace('-', '').slice(0, 12), 16);
  expect(new Set(events.map((event) => event.event_id)).size).toBe(200_000);
  expect(events.filter((event) => !v7.test(event.event_id))).toEqual([]);
  expect(events.filter((event) => timeOf(event.event_id) !== Date.parse(event.timestamp))).toEqual([]);
});

test('few users do much and many do little', () => {
  const counts = countBy(hundredThousand, (event) => event.user_id);
  const sorted = [...counts.values()].toSorted((one, other) => other - one);
  const share = (users: number): number => sorted.slice(0, users).reduce((sum, count) => sum + count, 0) / 100_000;
  expect(share(1_000)).toBeGreaterThan(0.25);
  expect(share(1)).toBeLessThan(0.02);
});

test('what people search for has words, a result count, and a click only among the results', () => {
  const searches = hundredThousand.filter((event) => event.event_type === 'search');
  const clicks = searches.filter((event) => (event.clicked_position ?? null) !== null);
  expect(searches.filter((event) => !/^\S.{2,60}$/.test(event.search_query ?? ''))).toEqual([]);
  expect(clicks.length / searches.length).toBeGreaterThan(0.4);
  expect(clicks.filter((event) => Number(event.clicked_position) > Number(event.results_count))).toEqual([]);
});

test('a message is keyed by its user and stamped with the time at which it is due', () => {
  const maker = make();
  for (const index of [0, 1, 999, 54_321]) {
    const message = maker.message({ fromIndex: 0, startMs: SEGMENT.startMs, rate: 250 }, index);
    expect(message.key).toBe(read(message).user_id);
    expect(message.timestampMs).toBe(SEGMENT.startMs + index * 4);
    expect(Date.parse(read(message).timestamp)).toBe(message.timestampMs);
  }
});
