// Plain events: each drawn on its own, of users who never leave. What measurements of stream processors usually run on, and
// what those beside which Weir is measured were given. The generator's shop has shorter visits, so a minute holds more sessions.
import { eventIdOf } from '../generator/event-id.ts';
import type { ProducedMessage } from '../generator/produced-message.ts';
import { draw, fraction, hashUnder, pick, square } from '../generator/seeded-chance.ts';
import { must } from '../pipeline/ensure.ts';

export type PlainSpec = {
  readonly seed: number;
  readonly users: number;
  /** Events per second of event time. */
  readonly eventRate: number;
  readonly startTimeMs: number;
  readonly ids: 'v4' | 'v7';
  /** Half a percent twice, 2 % up to two minutes early, 0.2 % late by 7 to 15 minutes, 0.1 % malformed. Else none of it. */
  readonly disordered: boolean;
};

const DEVICES = ['mobile', 'mobile', 'desktop', 'tablet'];
const LOCATIONS = ['US', 'US', 'US', 'UK', 'CA', 'DE', 'FR', 'JP', 'AU', 'BR'];
const CATEGORIES = ['electronics', 'clothing', 'books', 'home', 'sports', 'toys'];
const PAGES = ['home', 'product', 'category', 'search', 'cart', 'checkout'];
const REFERRERS = ['search', 'direct', 'social', 'email'];
const PHRASES = ['laptop', 'shoes', 'book', 'phone', 'watch', 'bag'];
const PAYMENTS = ['credit_card', 'paypal', 'apple_pay'];
const LOGINS = ['email', 'social', 'sso'];
const ITEMS = 500;
const SHARES = { twice: 0.005, malformed: 0.001, early: 0.02, late: 0.002 };
/** How far back the event lies that a message repeats, at most. */
const REPEATED_WITHIN = 1000;

/** What a message's place in the sequence decides. `of`: the base of every further draw. */
type Place = { readonly index: number; readonly of: number; readonly key: number };

/** Message `index`, a pure function of the spec and the index. */
export function plainMessage(spec: PlainSpec, index: number): ProducedMessage {
  const key = draw(spec.seed, 0);
  const place = { index, of: hashUnder(key, index), key };
  const share = spec.disordered ? fraction(place.of, 0) : 1;
  const timestampMs = spec.startTimeMs + Math.floor((index * 1000) / spec.eventRate);
  if (share < SHARES.twice && index > REPEATED_WITHIN) {
    const back = 1 + pick(place.of, 1, REPEATED_WITHIN);
    return { ...plainMessage(spec, index - back), timestampMs };
  }
  const userId = `user_${String(1 + Math.floor(square(fraction(place.of, 2)) * spec.users)).padStart(5, '0')}`;
  if (share < SHARES.twice + SHARES.malformed) {
    return { key: userId, value: Buffer.from('{"event_id":"12ab","event_type":"purchase","broken'), timestampMs };
  }
  const event = plainEvent(spec, place, { userId, occurredAtMs: timestampMs - backBy(place, share) });
  return { key: userId, value: Buffer.from(JSON.stringify(event)), timestampMs };
}

/** Milliseconds between an event and its message. */
function backBy({ of }: Place, share: number): number {
  const early = SHARES.twice + SHARES.malformed + SHARES.early;
  if (share < early) return 1000 + pick(of, 3, 119_000);
  return share < early + SHARES.late ? 400_000 + pick(of, 3, 500_000) : 0;
}

function plainEvent(spec: PlainSpec, place: Place, what: { userId: string; occurredAtMs: number }): object {
  const { index, of, key } = place;
  const { userId, occurredAtMs } = what;
  const id = eventIdOf(key, index, occurredAtMs);
  const user = hashUnder(key, Number(userId.slice('user_'.length)));
  return {
    // The random half of a v7 id in front of its time: as scattered as a v4 id, and as unique.
    event_id:
      spec.ids === 'v7'
        ? id
        : `${id.slice(28)}-${id.slice(24, 28)}-4${id.slice(15, 18)}-${id.slice(19, 23)}-${id.slice(0, 8)}${id.slice(9, 13)}`,
    ...bodyOf(of),
    user_id: userId,
    timestamp: new Date(occurredAtMs).toISOString(),
    device: one(DEVICES, user, 0),
    location: one(LOCATIONS, user, 1),
    session_id: `session_${userId}_${1000 + pick(user, 2, 9000)}`,
  };
}

/** The event's type, as often as each comes in a shop, and what goes with it. */
function bodyOf(of: number): object {
  const share = fraction(of, 4);
  if (share < 0.25) return { event_type: 'user_login', login_method: one(LOGINS, of, 5), success: pick(of, 6, 20) > 0 };
  if (share < 0.55) {
    return {
      event_type: 'page_view',
      page: one(PAGES, of, 5),
      referrer: one(REFERRERS, of, 6),
      duration_seconds: 5 + pick(of, 7, 296),
    };
  }
  if (share < 0.75) {
    return {
      event_type: 'item_click',
      item_id: itemId(pick(of, 5, ITEMS)),
      category: one(CATEGORIES, of, 6),
      position: 1 + pick(of, 7, 20),
    };
  }
  if (share < 0.85) return purchase(of);
  const item = pick(of, 5, ITEMS);
  if (share < 0.95) {
    return {
      event_type: 'cart_add',
      item_id: itemId(item),
      quantity: 1 + pick(of, 6, 3),
      category: one(CATEGORIES, of, 7),
      price: priceOf(item),
    };
  }
  const clicked = pick(of, 8, 10) < 3 ? null : pick(of, 7, 11);
  return {
    event_type: 'search',
    search_query: one(PHRASES, of, 5),
    results_count: pick(of, 6, 101),
    clicked_position: clicked,
  };
}

function purchase(of: number): object {
  const items = Array.from({ length: 1 + pick(of, 5, 5) }, (_, nth) => pick(of, 10 + nth, ITEMS));
  const quantities = items.map((_, nth) => 1 + pick(of, 20 + nth, 3));
  const total = items.reduce((sum, item, nth) => sum + priceOf(item) * must(quantities[nth], 'a quantity per item'), 0);
  return {
    event_type: 'purchase',
    order_id: `order_${draw(of, 6).toString(16).padStart(8, '0')}`,
    items: items.map(itemId),
    quantities,
    total_amount: Math.round(total * 100) / 100,
    currency: 'USD',
    payment_method: one(PAYMENTS, of, 7),
  };
}

const itemId = (item: number): string => `item_${String(item + 1).padStart(4, '0')}`;

const priceOf = (item: number): number => 5 + ((item * 7919) % 19_500) / 100;

function one(of: readonly string[], base: number, which: number): string {
  return must(of[pick(base, which, of.length)], 'one of several');
}
