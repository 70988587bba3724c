// A walk through the shop: what somebody does from coming to leaving, as a Markov chain with times to dwell.
import { must } from '../pipeline/ensure.ts';
import { popularItem } from './catalogue.ts';
import { logNormal } from './dwell.ts';
import { draw } from './seeded-chance.ts';

/** What a step is told as. `cart` and `checkout` are page views. */
export const KIND = {
  login: 0,
  failedLogin: 1,
  search: 2,
  view: 3,
  cart: 4,
  checkout: 5,
  click: 6,
  add: 7,
  purchase: 8,
} as const;
type Kind = keyof typeof KIND;

/**
 * Steps of many walks, one after the other. `item`: number of the item that a click, an addition to the cart or a visited
 * product is about. `detail`: position of a click or of the click that a search led to (0: none), quantity, or page.
 */
export type Steps = {
  readonly kind: Uint8Array;
  readonly item: Uint16Array;
  readonly detail: Uint16Array;
  readonly dwellMs: Float64Array;
};

export const PAGES = ['home', 'category', 'product', 'search'] as const;

export function createSteps(count: number): Steps {
  return {
    kind: new Uint8Array(count),
    item: new Uint16Array(count),
    detail: new Uint16Array(count),
    dwellMs: new Float64Array(count),
  };
}

/**
 * The chain: where somebody goes from a place, and how likely; what is missing to 1 is leaving. `more`: with something in
 * the cart. `confirm`: logging in again before paying. In the long run, bots included, the types come within half a point of
 * DESIGN's table: logins .248, views .303, clicks .198, orders .098, additions to the cart .105, searches .048, with 5.9
 * steps a walk. The first minutes of a world have more of what begins a walk, and fewer orders, as a shop that just opened.
 */
const CHAIN = {
  come: { login: 0.735, retry: 0.09, view: 0.145, search: 0.03 },
  retry: { login: 0.8, retry: 0.15 },
  login: { view: 0.655, search: 0.115, click: 0.07 },
  view: { view: 0.14, click: 0.555, search: 0.065 },
  search: { click: 0.73, view: 0.06, search: 0.1 },
  click: { add: 0.545, view: 0.125, click: 0.155, search: 0.025 },
  add: { cart: 0.15, checkout: 0.53, confirm: 0.235, clickMore: 0.04, viewMore: 0.02, searchMore: 0.01 },
  viewMore: { clickMore: 0.6, cart: 0.18, checkout: 0.2 },
  searchMore: { clickMore: 0.8, checkout: 0.18 },
  clickMore: { add: 0.62, checkout: 0.3, clickMore: 0.06 },
  cart: { checkout: 0.97, viewMore: 0.02 },
  checkout: { confirm: 0.79, refused: 0.06, purchase: 0.14 },
  refused: { confirm: 0.98 },
  confirm: { purchase: 0.998 },
  purchase: { view: 0.26, search: 0.04, click: 0.05 },
  // A bot reads lists and things, fast, fourteen steps on the average, and buys nothing.
  scan: { scan: 0.67, follow: 0.26 },
  follow: { scan: 0.93 },
} as const;
type State = keyof typeof CHAIN;

const TOLD_AS: Record<Exclude<State, 'come'>, Kind> = {
  retry: 'failedLogin',
  login: 'login',
  confirm: 'login',
  refused: 'failedLogin',
  view: 'view',
  viewMore: 'view',
  search: 'search',
  searchMore: 'search',
  click: 'click',
  clickMore: 'click',
  add: 'add',
  cart: 'cart',
  checkout: 'checkout',
  purchase: 'purchase',
  scan: 'view',
  follow: 'click',
};

/** Mean milliseconds that somebody stays, by kind. */
const DWELL_MS: Record<Kind, number> = {
  login: 6_000,
  failedLogin: 5_000,
  search: 9_000,
  view: 20_000,
  cart: 14_000,
  checkout: 30_000,
  click: 16_000,
  add: 8_000,
  purchase: 20_000,
};
const BOT_DWELL_MS = 400;
/** Mean over the mix, rounded: what somebody's stay is counted with when it must be known beforehand. */
export const TYPICAL_DWELL_MS = 13_000;
export const TYPICAL_STEPS = 5.9;

type Place = {
  readonly kind: number;
  readonly dwellMs: number;
  readonly ways: readonly { readonly to: number; readonly through: number }[];
};

const STATES = Object.keys(CHAIN).filter((name): name is State => name in CHAIN);
const PLACES: readonly Place[] = STATES.map((state) => {
  const told = state === 'come' ? 'view' : TOLD_AS[state];
  const isBot = state === 'scan' || state === 'follow';
  let through = 0;
  const ways = Object.entries(CHAIN[state]).map(([to, share]) => {
    through += share;
    return { to: STATES.findIndex((name) => name === to), through };
  });
  return { kind: KIND[told], dwellMs: isBot ? BOT_DWELL_MS : DWELL_MS[told], ways };
});
const COME = PLACES[STATES.indexOf('come')];
const SCAN = PLACES[STATES.indexOf('scan')];

const TWO_32 = 4_294_967_296;
/** Draws that each step of a walk has for itself. */
const DRAWS = { way: 0, dwell: 1, first: 2, second: 3, perStep: 4 } as const;
const MOST_STEPS = 200;

/** Writes the walk of a hash behind `from`, at most `room` steps of it; returns how many there are, at least one. */
export function walkInto(
  steps: Steps,
  { from, room }: { readonly from: number; readonly room: number },
  { chance, isBot }: { readonly chance: number; readonly isBot: boolean },
): number {
  const most = Math.min(room, MOST_STEPS);
  let place: Place | null = isBot
    ? must(SCAN, 'where a bot begins')
    : wayFrom(must(COME, 'where people come in'), chance);
  let count = 0;
  for (; place !== null && count < most; count++) {
    const base = draw(chance, count);
    writeStep(steps, from, { count, place, base });
    place = wayFrom(place, base);
  }
  return count;
}

function wayFrom({ ways }: Place, base: number): Place | null {
  const uniform = draw(base, DRAWS.way) / TWO_32;
  for (const { to, through } of ways) if (uniform < through) return PLACES[to] ?? null;
  return null;
}

type Step = { readonly count: number; readonly place: Place; readonly base: number };

function writeStep(steps: Steps, from: number, { count, place, base }: Step): void {
  const at = from + count;
  const first = draw(base, DRAWS.first) / TWO_32;
  steps.kind[at] = place.kind;
  steps.dwellMs[at] = place.dwellMs * logNormal(draw(base, DRAWS.dwell) / TWO_32);
  switch (place.kind) {
    case KIND.view:
      steps.item[at] = popularItem(draw(base, DRAWS.second) / TWO_32);
      steps.detail[at] = pageFor(first, count === 0 ? null : (steps.kind[at - 1] ?? null));
      break;
    case KIND.search:
      steps.detail[at] = 0;
      break;
    case KIND.click: {
      const afterSearch = count > 0 && steps.kind[at - 1] === KIND.search;
      const position = 1 + Math.floor(first * first * (afterSearch ? 20 : 40));
      if (afterSearch) steps.detail[at - 1] = position;
      steps.item[at] = popularItem(draw(base, DRAWS.second) / TWO_32);
      steps.detail[at] = position;
      break;
    }
    case KIND.add:
      // What is put in the cart is what was clicked just before: every way to here comes from a click.
      steps.item[at] = steps.item[at - 1] ?? 0;
      steps.detail[at] = first < 0.76 ? 1 : first < 0.94 ? 2 : 3;
      break;
    default:
      break;
  }
}

/** Which page is looked at: what a search found, at first mostly the front page, later lists and things. */
function pageFor(uniform: number, before: number | null): number {
  if (before === KIND.search) return PAGES.indexOf('search');
  const isFirst = before === null || before === KIND.login || before === KIND.failedLogin;
  if (isFirst && uniform < 0.6) return PAGES.indexOf('home');
  return uniform < 0.75 ? PAGES.indexOf('product') : PAGES.indexOf('category');
}
