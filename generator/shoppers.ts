// The shoppers: who somebody is, for life; where they live, and with it their clock, their currency and their language.
import { must } from '../pipeline/ensure.ts';
import type { Language } from './search-phrases.ts';
import { draw, fraction, hashUnder, pick, square } from './seeded-chance.ts';

/** `zoneHours`: how far east of UTC their clock is. `hash` decides everything else about them. */
type Shopper = {
  readonly id: string;
  readonly hash: number;
  readonly device: string;
  readonly location: string;
  readonly currency: string;
  readonly zoneHours: number;
  readonly language: Language;
};

/** People shop; bots read fast and never buy; travellers shop where there is no net, and their phones tell of it later. */
export type Group = 'people' | 'bots' | 'travellers';

/** How many there are: travellers come on top, only when late events are asked for. */
export type Population = { readonly key: number; readonly users: number; readonly travellers: number };

/** One number in so many is a bot; a world of fewer has none. */
const BOT_EVERY = 200;
const LEAST_TRAVELLERS = 20;

/** Most people shop on their phone: a device drawn twice is twice as likely. */
const DEVICES = ['mobile', 'mobile', 'mobile', 'mobile', 'mobile', 'desktop', 'desktop', 'desktop', 'tablet', 'tablet'];
const PLACES: readonly (readonly [string, string, number, Language, readonly number[]])[] = [
  ['US', 'USD', 30, 'en', [-5, -5, -6, -8]],
  ['GB', 'GBP', 12, 'en', [0]],
  ['DE', 'EUR', 12, 'de', [1]],
  ['FR', 'EUR', 9, 'fr', [1]],
  ['ES', 'EUR', 6, 'es', [1]],
  ['NL', 'EUR', 4, 'nl', [1]],
  ['CA', 'CAD', 7, 'en', [-5, -5, -8]],
  ['AU', 'AUD', 5, 'en', [10]],
  ['IN', 'INR', 7, 'en', [5]],
  ['BR', 'BRL', 5, 'pt', [-3]],
  ['PL', 'PLN', 3, 'en', [1]],
];
const PLACE_OF_PERCENT = PLACES.flatMap((place) => Array.from({ length: place[2] }, () => place));

/** Draws of a shopper's hash; numbers never change meaning, or old seeds would make other worlds. */
const DRAW = { device: 0, place: 1, zone: 2, late: 3, skewed: 4, skew: 5, login: 6, turns: 1_000 } as const;

/** The shoppers of a seed, for a share of late events. */
export function createPopulation(key: number, users: number, late: number): Population {
  const travellers = late > 0 ? Math.max(LEAST_TRAVELLERS, Math.ceil(users * late)) : 0;
  return { key, users, travellers };
}

/** Everything about shopper `number` comes from this. */
export const shopperHash = ({ key }: Population, number: number): number => hashUnder(key ^ 0x75736572, number);

const placeOf = (hash: number): (typeof PLACES)[number] =>
  must(PLACE_OF_PERCENT[pick(hash, DRAW.place, PLACE_OF_PERCENT.length)], 'a place per percent');

/** How far east of UTC the clock of this shopper is, in hours. */
export function zoneHoursOf(hash: number): number {
  const zones = placeOf(hash)[4];
  return must(zones[pick(hash, DRAW.zone, zones.length)], 'a zone per draw');
}

/** Shopper `number` (0 is the most active). Pure: asked twice, it is the same one. */
export function shopperAt(population: Population, number: number): Shopper {
  const hash = shopperHash(population, number);
  const [location, currency, , language] = placeOf(hash);
  return {
    id: `user_${String(number).padStart(6, '0')}`,
    hash,
    device: must(DEVICES[pick(hash, DRAW.device, DEVICES.length)], 'a device per tenth'),
    location,
    currency,
    zoneHours: zoneHoursOf(hash),
    language,
  };
}

/** Who of a group acts: few do much and many do little (Zipf with exponent 1/2). A bot's number where a person is wanted: -1. */
export function activeShopper({ users, travellers }: Population, group: Group, uniform: number): number {
  if (group === 'travellers') return users + Math.floor(travellers * uniform);
  if (group === 'bots') return Math.floor(Math.floor(users / BOT_EVERY) * uniform) * BOT_EVERY + BOT_EVERY - 1;
  const number = Math.floor(users * square(uniform));
  return isBot(number) ? -1 : number;
}

/** Whether a number is that of a bot. */
export const isBot = (number: number): boolean => number % BOT_EVERY === BOT_EVERY - 1;
export const hasBots = ({ users }: Population): boolean => users >= BOT_EVERY;

/** Whether this shopper comes to a block of sessions only in its second half, because one before may last until then. */
export const comesLater = (hash: number, block: number): boolean => (draw(hash, DRAW.turns + block) & 1) === 1;

type Lateness = { readonly lateFromMs: number; readonly lateToMs: number };

/** How much later the net hears of what a traveller does: always the same, so that the order stays. */
export function lateByMs(hash: number, { lateFromMs, lateToMs }: Lateness): number {
  return lateFromMs + pick(hash, DRAW.late, lateToMs - lateFromMs + 1);
}

/** By how much the clock of this shopper's device is wrong, ms; 0 for all but a share of the devices. Never 0 for those. */
export function skewMs(hash: number, { share, mostMs }: { readonly share: number; readonly mostMs: number }): number {
  if (!(fraction(hash, DRAW.skewed) < share)) return 0;
  const skew = pick(hash, DRAW.skew, 2 * mostMs) - mostMs;
  return skew < 0 ? skew : skew + 1;
}

/** A fraction that decides how this shopper logs in. */
export const loginHabit = (hash: number): number => fraction(hash, DRAW.login);
