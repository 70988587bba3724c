// The world of the shop: whoever reads its events finds people, sessions, carts and orders that agree with each other.
import { describe, expect, test } from 'vitest';

import { createItems } from '../../generator/catalogue.ts';
import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import type { GeneratorSpec } from '../../generator/generator-spec.ts';
import type { Segment } from '../../generator/pace.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import { createShopReport } from '../../generator/shop-report.ts';
import type { ShopReport } from '../../generator/shop-report.ts';
import { isBot } from '../../generator/shoppers.ts';
import { createWorld } from '../../generator/world.ts';
import { EVENT_TYPES } from '../../pipeline/event.ts';
import type { EventFields } from '../../pipeline/event.ts';
import { must } from '../../pipeline/ensure.ts';

const NOON = Date.UTC(2026, 2, 1, 12);
const MIX = { user_login: 0.25, page_view: 0.3, item_click: 0.2, purchase: 0.1, cart_add: 0.1, search: 0.05 };

type Told = EventFields & { readonly atMs: number };

/** Events in the order of their messages, with the time that each tells. */
function tell(given: Partial<GeneratorSpec>, count: number, startMs = NOON): Told[] {
  const spec = createGeneratorSpec({ topic: 't', ...given });
  const segment: Segment = { fromIndex: 0, startMs, rate: spec.rate };
  return createMessageMaker(spec)
    .messages(segment, 0, count)
    .map(({ value }): Told => {
      const event: EventFields = JSON.parse(value.toString());
      return { ...event, atMs: Date.parse(event.timestamp) };
    });
}

function sessionsOf(events: readonly Told[]): Map<string, Told[]> {
  const sessions = new Map<string, Told[]>();
  for (const event of events) {
    const session = sessions.get(event.session_id);
    if (session === undefined) sessions.set(event.session_id, [event]);
    else session.push(event);
  }
  return sessions;
}

function reportOf(events: readonly Told[]): ShopReport {
  const report = createShopReport();
  for (const event of events) report.add(event, event.atMs);
  return report.close();
}

const isBots = ({ user_id: user }: EventFields): boolean => isBot(Number(user.slice('user_'.length)));

const usual = tell({}, 60_000);
const sessions = sessionsOf(usual);

test.each([1, 2, 3])('the six types come in their shares within one percentage point (seed %i)', (seed) => {
  const events = tell({ seed, rate: 100 + 400 * seed }, 200_000);
  const { mix } = reportOf(events);
  expect(mix.map(({ type }) => type)).toEqual(EVENT_TYPES);
  for (const { type, share } of mix) expect(Math.abs(share - MIX[type])).toBeLessThan(0.01);
});

test('the funnel narrows at every step, and some sessions get through', () => {
  const { funnel, sessions: all } = reportOf(usual);
  expect(all.sessions).toBe(sessions.size);
  expect(funnel.map(({ step }) => step)).toEqual(['view', 'click', 'cart', 'purchase']);
  for (const { rate } of funnel) {
    expect(rate).toBeGreaterThan(0.5);
    expect(rate).toBeLessThan(0.95);
  }
  const bought = (funnel.at(-1)?.reached ?? 0) / all.sessions;
  expect(bought).toBeGreaterThan(0.15);
  expect(bought).toBeLessThan(0.5);
});

test('event times never go back, and each is the time at which its message is due', () => {
  const wrong = usual.filter(({ atMs }, index) => atMs !== NOON + index * 2);
  expect(wrong).toEqual([]);
});

test('what is bought was put in the cart before, in those quantities, and the total is its price to the cent', () => {
  const priceCents = new Map(createWorld({ seed: 1, users: 1 }).items.map((item) => [item.id, item.priceCents]));
  let orders = 0;
  for (const session of sessions.values()) {
    const cart = new Map<string, number>();
    let cents = 0;
    for (const event of session) {
      if (event.event_type === 'cart_add') {
        const [id, quantity] = [must(event.item_id, 'an item'), must(event.quantity, 'a quantity')];
        cart.set(id, (cart.get(id) ?? 0) + quantity);
        cents += quantity * must(priceCents.get(id), 'a price of the catalogue');
      }
      if (event.event_type !== 'purchase') continue;
      orders += 1;
      expect(event.items).toEqual([...cart.keys()]);
      expect(event.quantities).toEqual([...cart.values()]);
      expect(event.total_amount).toBe(cents / 100);
      cart.clear();
      cents = 0;
    }
  }
  expect(orders).toBeGreaterThan(4_500);
});

test('what is put in the cart was clicked just before', () => {
  for (const session of sessions.values()) {
    for (const [nth, event] of session.entries()) {
      if (event.event_type !== 'cart_add') continue;
      expect(session[nth - 1]).toMatchObject({
        event_type: 'item_click',
        item_id: event.item_id,
        category: event.category,
      });
    }
  }
});

test('a page was looked at until the next event of the session, to the second', () => {
  let pages = 0;
  for (const session of sessions.values()) {
    for (const [nth, event] of session.entries()) {
      const next = session[nth + 1];
      if (event.event_type !== 'page_view' || next === undefined) continue;
      pages += 1;
      expect(event.duration_seconds).toBe(Math.round((next.atMs - event.atMs) / 1_000));
    }
  }
  expect(pages).toBeGreaterThan(12_000);
  expect(usual.filter(({ duration_seconds: seconds = 0 }) => seconds < 0)).toEqual([]);
});

test('all page views of a session have the referrer with which it began, and a click after a search its position', () => {
  let searches = 0;
  for (const session of sessions.values()) {
    expect(new Set(session.flatMap(({ referrer }) => referrer ?? [])).size).toBeLessThan(2);
    for (const [nth, event] of session.entries()) {
      const next = session[nth + 1];
      if (event.event_type !== 'search' || next === undefined) continue;
      searches += 1;
      expect(event.clicked_position).toBe(next.event_type === 'item_click' ? next.position : null);
      expect(event.clicked_position ?? 0).toBeLessThanOrEqual(must(event.results_count, 'a count'));
    }
  }
  expect(searches).toBeGreaterThan(1_500);
});

describe.each([
  ['as usual', {}],
  ['few events', { rate: 5 }],
  ['more than the shop is made for', { rate: 20_000 }],
  ['three shoppers', { users: 3, rate: 10 }],
  ['one shopper', { users: 1, rate: 10 }],
  ['late and skewed', { late: 0.05, clockSkew: 0.1 }],
  ['out of order', { disorder: 0.1 }],
])('%s', (_name, given) => {
  const events = tell(given, 30_000);
  const own = sessionsOf(events);

  test("a user's sessions never overlap, no two users share one, and their events are told in order", () => {
    const last = new Map<string, { endMs: number; session: string }>();
    const inTime = [...own.values()].map((session) => session.toSorted((one, other) => one.atMs - other.atMs));
    for (const session of inTime.toSorted((one, other) => (one[0]?.atMs ?? 0) - (other[0]?.atMs ?? 0))) {
      const { user_id: user = '', session_id: id = '', atMs = 0 } = session[0] ?? {};
      expect(new Set(session.map((event) => event.user_id))).toEqual(new Set([user]));
      expect(last.get(user)?.endMs ?? 0, `${id} after ${last.get(user)?.session}`).toBeLessThanOrEqual(atMs);
      last.set(user, { endMs: session.at(-1)?.atMs ?? 0, session: id });
    }
    if ('disorder' in given) return;
    for (const session of own.values()) {
      expect(session.every(({ atMs }, nth) => atMs >= (session[nth - 1]?.atMs ?? 0))).toBe(true);
    }
  });

  // So short a run tells of more beginnings than ends.
  test('the mix stays near', () => {
    const { mix } = reportOf(events);
    for (const { type, share } of mix) expect(Math.abs(share - MIX[type])).toBeLessThan(0.02);
  });
});

test.each([1, 6, 7])(
  'what happened is in order within its session, however out of order it is told (seed %i)',
  (seed) => {
    const all = tell({ disorder: 0.3, rate: 300, seed }, 30_000);
    // What happened before the last orders of the run may be told after its end.
    const wholeBeforeMs = must(all.at(-1), 'an event').atMs - 12_000;
    let turned = 0;
    const orders: boolean[] = [];
    for (const session of sessionsOf(all).values()) {
      const happened = session.toSorted((one, other) => one.atMs - other.atMs);
      if (happened.some((event, nth) => event !== session[nth])) turned += 1;
      const cart = new Set<string>();
      for (const event of happened) {
        if (event.event_type === 'cart_add') cart.add(event.item_id ?? '');
        // At the same millisecond nothing tells the order.
        const isTied = happened.some((other) => other !== event && other.atMs === event.atMs);
        if (event.event_type !== 'purchase' || isTied || event.atMs > wholeBeforeMs) continue;
        orders.push(event.items?.every((id) => cart.has(id)) ?? false);
      }
    }
    expect(orders.filter((isOfCart) => !isOfCart)).toEqual([]);
    expect(orders.length).toBeGreaterThan(1_000);
    expect(turned).toBeGreaterThan(1_000);
  },
);

test('at a rate that leaves them time, people stay as long as people do, and bots are faster than all', () => {
  const events = tell({ rate: 50 }, 25_000);
  const stays = (who: readonly Told[]): number[] =>
    [...sessionsOf(who).values()]
      .flatMap((session) => session.slice(1).map(({ atMs }, nth) => (atMs - (session[nth]?.atMs ?? 0)) / 1_000))
      .toSorted((one, other) => one - other);
  const people = stays(events.filter((event) => !isBots(event)));
  const bots = stays(events.filter(isBots));
  const median = (of: number[]): number => must(of[of.length >> 1], 'a median');
  expect(median(people)).toBeGreaterThan(5);
  expect(median(people)).toBeLessThan(15);
  // Log-normal: the mean lies well above the median, and some stay for minutes.
  expect(people.reduce((sum, stay) => sum + stay, 0) / people.length).toBeGreaterThan(1.2 * median(people));
  expect(must(people.at(-1), 'the longest')).toBeGreaterThan(90);
  expect(median(bots)).toBeLessThan(1);
});

test('bots view and click, and never buy', () => {
  const theirs = usual.filter(isBots);
  expect(new Set(theirs.map((event) => event.event_type))).toEqual(new Set(['page_view', 'item_click']));
  expect(theirs.length / usual.length).toBeGreaterThan(0.01);
  expect(theirs.length / usual.length).toBeLessThan(0.05);
});

test('people come in the evening of their own place, and hardly at night', () => {
  const shareOf = (location: string, hour: number): number => {
    const events = tell({ users: 50_000, rate: 100 }, 15_000, Date.UTC(2026, 2, 1, hour));
    const people = new Set(events.map(({ session_id: session, location: place }) => `${place} ${session}`));
    return [...people].filter((one) => one.startsWith(`${location} `)).length / people.size;
  };
  expect(shareOf('DE', 20)).toBeGreaterThan(2.5 * shareOf('DE', 3));
  expect(shareOf('AU', 10)).toBeGreaterThan(2.5 * shareOf('AU', 17));
});

test('a user keeps device, location, currency and the language of their searches', () => {
  const homes = new Set(usual.map((event) => `${event.user_id} ${event.device} ${event.location}`));
  const users = new Set(usual.map((event) => event.user_id));
  const purchases = usual.filter((event) => event.event_type === 'purchase');
  const buyers = new Set(purchases.map((event) => event.user_id));
  const currencies = new Set(purchases.map((event) => `${event.user_id} ${event.currency}`));
  expect(homes.size).toBe(users.size);
  expect(currencies.size).toBe(buyers.size);
  expect(users.size).toBeGreaterThan(4_500);
  const german = new Set(createWorld({ seed: 1, users: 1 }).searches.de.map((phrase): string => JSON.parse(phrase)));
  const searches = usual.filter((event) => event.event_type === 'search' && event.location === 'DE');
  expect(searches.length).toBeGreaterThan(150);
  expect(searches.filter(({ search_query: query = '' }) => !german.has(query))).toEqual([]);
});

test('few users do much and many do little, and so it is with items', () => {
  const share = (keys: (string | undefined)[], top: number): number => {
    const counts = new Map<string | undefined, number>();
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
    const sorted = [...counts.values()].toSorted((one, other) => other - one);
    return sorted.slice(0, top).reduce((sum, count) => sum + count, 0) / keys.length;
  };
  expect(
    share(
      usual.map(({ user_id: user }) => user),
      1_000,
    ),
  ).toBeGreaterThan(0.2);
  const clicked = usual.flatMap(({ item_id: item }) => item ?? []);
  expect(share(clicked, 60)).toBeGreaterThan(0.45);
  expect(share(clicked, 60)).toBeLessThan(0.7);
});

test('more than 500 items, each with a name, one category and one price wherever it appears', () => {
  const items = new Map(createItems(createWorld({ seed: 1, users: 1 }).key).map((item) => [item.id, item]));
  expect(items.size).toBeGreaterThan(500);
  expect([...items.values()].filter(({ name }) => !/^\S.{3,60}$/.test(name))).toEqual([]);
  const about = usual.filter((event) => event.item_id !== undefined);
  const wrong = about.filter(({ item_id: id = '', category, price }) => {
    const item = must(items.get(id), id);
    return category !== item.category || (price ?? item.priceCents / 100) !== item.priceCents / 100;
  });
  expect(about.length).toBeGreaterThan(15_000);
  expect(wrong).toEqual([]);
});
