// A shop event: the JSON text of one valid event, written field by field because this runs for every message.
import { must } from '../pipeline/ensure.ts';
import type { EventType } from '../pipeline/event.ts';
import { eventIdOf } from './event-id.ts';
import { cube, fraction, hashUnder, pick, square } from './seeded-chance.ts';
import { activeUser, popularItem, sessionAt, userAt } from './world.ts';
import type { World } from './world.ts';

/** Which draw of a message's hash decides what; numbers never change meaning, or old seeds would make other bytes. */
const DRAW = {
  type: 0,
  user: 1,
  item: 2,
  first: 3,
  second: 4,
  third: 5,
  lines: 6,
  lineItem: 16,
  lineQuantity: 32,
  coupon: 48,
  newerPayment: 49,
} as const;

const LOGIN_METHODS = ['email', 'email', 'social', 'sso'];
const PAGES = ['home', 'home', 'product', 'product', 'product', 'category', 'category', 'search', 'cart', 'checkout'];
const REFERRERS = ['search', 'search', 'direct', 'social', 'email'];
const PAYMENT_METHODS = ['credit_card', 'credit_card', 'paypal', 'apple_pay'];
/** Most orders come without one. */
const COUPONS = ['WELCOME10', 'SAVE5', 'FREESHIP', null, null, null, null];

const MOST_LINES = 4;
const MOST_OF_A_LINE = 3;

export type ShopEvent = { readonly userId: string; readonly json: string };

/** The hash that decides everything about message `index` but its time. */
export const messageHash = (world: World, index: number): number => hashUnder(world.key ^ 0x6d736773, index);

/** Event `index` of a world, at an event time, in version 1 or 2 of the schemas: who, what, and its JSON. Pure. */
export function shopEventAt(
  world: World,
  index: number,
  { occurredAtMs, newerSchema = false }: { readonly occurredAtMs: number; readonly newerSchema?: boolean },
): ShopEvent {
  const chance = messageHash(world, index);
  const userNumber = activeUser(world, fraction(chance, DRAW.user));
  const user = userAt(world, userNumber);
  const type = eventType(fraction(chance, DRAW.type));
  const own = OWN_FIELDS[type](world, chance, user.currency);
  const json =
    `{${newerSchema ? '"schema_version":2,' : ''}"event_id":"${eventIdOf(world.key, index, occurredAtMs)}","event_type":"${type}","user_id":"${user.id}"` +
    `,"timestamp":"${new Date(occurredAtMs).toISOString()}","device":"${user.device}","location":"${user.location}"` +
    `,"session_id":"${sessionAt(world, userNumber, occurredAtMs)}",${newerSchema ? inVersion2(type, own, chance) : own}}`;
  return { userId: user.id, json };
}

/** The own fields as a producer of version 2 writes them: one order in four is paid with Google Pay, and some have a coupon. */
function inVersion2(type: EventType, own: string, chance: number): string {
  if (type !== 'purchase') return own;
  const coupon = COUPONS[pick(chance, DRAW.coupon, COUPONS.length)] ?? null;
  const newerPayment = fraction(chance, DRAW.newerPayment) < 0.25;
  const paid = newerPayment ? own.replace(/"payment_method":"[^"]*"/, '"payment_method":"google_pay"') : own;
  return coupon === null ? paid : `${paid},"coupon_code":"${coupon}"`;
}

/** DESIGN's mix: each type's share of all events. */
function eventType(uniform: number): EventType {
  if (uniform < 0.3) return 'page_view';
  if (uniform < 0.55) return 'user_login';
  if (uniform < 0.75) return 'item_click';
  if (uniform < 0.85) return 'purchase';
  if (uniform < 0.95) return 'cart_add';
  return 'search';
}

const oneOf = <T>(choices: readonly T[], chance: number, which: number): T =>
  must(choices[pick(chance, which, choices.length)], 'a choice per draw');

const OWN_FIELDS: Record<EventType, (world: World, chance: number, currency: string) => string> = {
  user_login: (_world, chance) =>
    `"login_method":"${oneOf(LOGIN_METHODS, chance, DRAW.first)}","success":${fraction(chance, DRAW.second) < 0.95}`,
  page_view: (_world, chance) =>
    `"page":"${oneOf(PAGES, chance, DRAW.first)}","referrer":"${oneOf(REFERRERS, chance, DRAW.second)}"` +
    `,"duration_seconds":${1 + Math.floor(cube(fraction(chance, DRAW.third)) * 300)}`,
  item_click: (world, chance) => {
    const item = popularItem(world, fraction(chance, DRAW.item));
    return `"item_id":"${item.id}","category":"${item.category}","position":${1 + pick(chance, DRAW.first, 40)}`;
  },
  purchase: purchaseFields,
  cart_add: (world, chance) => {
    const item = popularItem(world, fraction(chance, DRAW.item));
    const quantity = 1 + pick(chance, DRAW.first, MOST_OF_A_LINE);
    return `"item_id":"${item.id}","quantity":${quantity},"category":"${item.category}","price":${item.priceCents / 100}`;
  },
  search: (world, chance) => {
    const results = Math.floor(square(fraction(chance, DRAW.second)) * 250);
    const clicks = results > 0 && fraction(chance, DRAW.third) < 0.6;
    const clicked = clicks ? 1 + pick(chance, DRAW.lines, Math.min(results, 20)) : null;
    const query = oneOf(world.searches, chance, DRAW.first);
    return `"search_query":${query},"results_count":${results},"clicked_position":${clicked}`;
  },
};

/** An order of 1 to 4 lines; its total is summed in whole cents, so no rounding ever enters. */
function purchaseFields(world: World, chance: number, currency: string): string {
  const lines = 1 + pick(chance, DRAW.lines, MOST_LINES);
  let items = '';
  let quantities = '';
  let totalCents = 0;
  for (let line = 0; line < lines; line++) {
    const item = popularItem(world, fraction(chance, DRAW.lineItem + line));
    const quantity = 1 + pick(chance, DRAW.lineQuantity + line, MOST_OF_A_LINE);
    const comma = line === 0 ? '' : ',';
    items += `${comma}"${item.id}"`;
    quantities += `${comma}${quantity}`;
    totalCents += quantity * item.priceCents;
  }
  const order = `ord-${chance.toString(36)}${pick(chance, DRAW.first, 46_656).toString(36)}`;
  return (
    `"order_id":"${order}","items":[${items}],"quantities":[${quantities}],"total_amount":${totalCents / 100}` +
    `,"currency":"${currency}","payment_method":"${oneOf(PAYMENT_METHODS, chance, DRAW.second)}"`
  );
}
