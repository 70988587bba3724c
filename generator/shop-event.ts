// A shop event: the JSON text of one valid event, written field by field because this runs for every message.
import { must } from '../pipeline/ensure.ts';
import type { Item } from './catalogue.ts';
import { eventIdOf } from './event-id.ts';
import { fraction, pick, square } from './seeded-chance.ts';
import type { SessionText } from './session-text.ts';
import { KIND, PAGES } from './walk.ts';
import type { Steps } from './walk.ts';
import type { World } from './world.ts';

/** Which draw of an event's hash decides what; numbers never change meaning, or old seeds would make other bytes. */
const DRAW = { order: 0, payment: 1, results: 2, coupon: 48, newerPayment: 49 } as const;

const PAYMENT_METHODS = ['credit_card', 'credit_card', 'paypal', 'apple_pay'];
/** Most orders come without one. */
const COUPONS = ['WELCOME10', 'SAVE5', 'FREESHIP', null, null, null, null];
const MOST_RESULTS = 250;

/**
 * What happened: `index` and `chance` (its hash) of the event, a step of a session, when (`time`: as text), and how long it
 * lasted. `version`: of the schemas; `namesVersion`: it says so; `isSparse`: it leaves out what it may.
 */
type Happening = {
  readonly index: number;
  readonly chance: number;
  readonly steps: Steps;
  readonly step: number;
  readonly occurredAtMs: number;
  readonly time: string;
  readonly durationMs: number;
  readonly version: 1 | 2;
  readonly namesVersion: boolean;
  readonly isSparse: boolean;
};

/** The JSON of an event. Pure. */
export function shopEventJson(world: World, happening: Happening, text: SessionText): string {
  const { index, occurredAtMs, time, version, namesVersion } = happening;
  const named = namesVersion ? `"schema_version":${version},` : '';
  return `{${named}"event_id":"${eventIdOf(world.key, index, occurredAtMs)}","event_type":"${eventType(happening)}${text.head}${time}${text.tail}${ownFields(world, happening, text)}}`;
}

const kindOf = ({ steps, step }: Happening): number => must(steps.kind[step], 'a kind per step');
const detailOf = ({ steps, step }: Happening): number => must(steps.detail[step], 'a detail per step');

const TYPES = [
  ...(['user_login', 'user_login', 'search', 'page_view', 'page_view'] as const),
  ...(['page_view', 'item_click', 'cart_add', 'purchase'] as const),
];
const eventType = (happening: Happening): string => must(TYPES[kindOf(happening)], 'a type per kind');

function ownFields(world: World, happening: Happening, text: SessionText): string {
  const kind = kindOf(happening);
  switch (kind) {
    case KIND.login:
    case KIND.failedLogin:
      return `"login_method":"${text.loginMethod}","success":${kind === KIND.login}`;
    case KIND.search:
      return searchFields(world, happening, text);
    case KIND.click: {
      const { id, category } = itemAt(world, happening);
      return `"item_id":"${id}","category":"${category}","position":${detailOf(happening)}`;
    }
    case KIND.add: {
      const { id, category, priceCents } = itemAt(world, happening);
      return `"item_id":"${id}","quantity":${detailOf(happening)},"category":"${category}","price":${priceCents / 100}`;
    }
    case KIND.purchase:
      return purchaseFields(world, happening, text);
    default: {
      const page = kind === KIND.view ? PAGES[detailOf(happening)] : kind === KIND.cart ? 'cart' : 'checkout';
      const seconds = Math.max(0, Math.round(happening.durationMs / 1_000));
      return `"page":"${page}","referrer":"${text.referrer}","duration_seconds":${seconds}`;
    }
  }
}

function itemAt({ items }: World, { steps, step }: Happening): Item {
  return must(items[steps.item[step] ?? 0], 'an item per number');
}

/** The click that follows a search is at the position that the search tells. */
function searchFields({ searches }: World, happening: Happening, { language }: SessionText): string {
  const clicked = detailOf(happening);
  const phrases = searches[language];
  const query = must(phrases[pick(happening.chance, DRAW.order, phrases.length)], 'a phrase per draw');
  const others = Math.floor(square(fraction(happening.chance, DRAW.results)) * MOST_RESULTS);
  return `"search_query":${query},"results_count":${clicked + others},"clicked_position":${clicked || null}`;
}

type Line = { readonly number: number; quantity: number };

/** What was put in the cart since the session began, or since the order before; a thing added twice is one line. */
function cartAt({ steps, step: until }: Happening, firstStep: number): Line[] {
  const { kind, item, detail } = steps;
  let lines: Line[] = [];
  for (let step = firstStep; step < until; step++) {
    if (kind[step] === KIND.purchase) lines = [];
    if (kind[step] !== KIND.add) continue;
    const number = item[step] ?? 0;
    const quantity = detail[step] ?? 0;
    const line = lines.find((one) => one.number === number);
    if (line === undefined) lines.push({ number, quantity });
    else line.quantity += quantity;
  }
  return lines;
}

/** An order is the cart. Its total is summed in whole cents, so no rounding ever enters. */
function purchaseFields(world: World, happening: Happening, { firstStep, currency }: SessionText): string {
  const { chance, version, isSparse } = happening;
  let [items, quantities, totalCents] = ['', '', 0];
  for (const { number, quantity } of cartAt(happening, firstStep)) {
    const { id, priceCents } = must(world.items[number], 'an item per number');
    items += items === '' ? `"${id}"` : `,"${id}"`;
    quantities += quantities === '' ? quantity : `,${quantity}`;
    totalCents += quantity * priceCents;
  }
  const order = `ord-${chance.toString(36)}${pick(chance, DRAW.order, 46_656).toString(36)}`;
  const method = PAYMENT_METHODS[pick(chance, DRAW.payment, PAYMENT_METHODS.length)];
  const isNewerPayment = version === 2 && fraction(chance, DRAW.newerPayment) < 0.25;
  const coupon = version === 2 && !isSparse ? COUPONS[pick(chance, DRAW.coupon, COUPONS.length)] : null;
  return (
    `"order_id":"${order}","items":[${items}],"quantities":[${quantities}],"total_amount":${totalCents / 100}` +
    `,"currency":"${currency}","payment_method":"${isNewerPayment ? 'google_pay' : method}"` +
    (coupon ? `,"coupon_code":"${coupon}"` : '')
  );
}
