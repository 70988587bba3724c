// The rules of validation once more, as plainly as they can be said and slowly: an oracle that shares no code with the product.
import { CURRENCIES } from '../../pipeline/currencies.ts';
import type { Message } from '../../pipeline/message.ts';
import type { ParseRules } from '../../pipeline/parse-message.ts';
import { moneyFaults, timeUs } from './naive-values.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * `certain`: "reason field" of the faults it surely has (the field is "*" where any will do); when there is one, the message
 * must be refused for one of `certain` or `possible`. `possible`: too near an edge to say. `object` is there without certain faults.
 */
export type Expected = {
  readonly certain: readonly string[];
  readonly possible: readonly string[];
  readonly object: JsonObject | null;
  /** Names of the fields that have columns in this message; what else it says is extra. */
  readonly known: readonly string[];
};

/** What is wrong with a value; "none" among them: perhaps nothing. */
type Rule = (value: unknown) => readonly string[];

const MIB = 1_048_576;
const SUPPORTED_VERSIONS: ReadonlySet<unknown> = new Set([undefined, 1, 2]);
const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

const wrongUnless = (right: boolean): readonly string[] => (right ? [] : ['wrong_field']);
const text: Rule = (value) => wrongUnless(typeof value === 'string' && value.length <= 512);
const id: Rule = (value) => wrongUnless(typeof value === 'string' && value.length >= 1 && value.length <= 512);
const flag: Rule = (value) => wrongUnless(value === true || value === false);
const oneOf =
  (...words: string[]): Rule =>
  (value) =>
    wrongUnless(words.some((word) => word === value));
const whole =
  (least: number): Rule =>
  (value) => {
    if (typeof value !== 'number') return ['wrong_field'];
    if (value < -(2 ** 31) || value > 2 ** 31 - 1) return ['number_out_of_range'];
    return wrongUnless(value % 1 === 0 && value >= least);
  };
const listOf =
  (rule: Rule): Rule =>
  (value) =>
    Array.isArray(value) && value.length > 0 ? value.flatMap((entry: unknown) => rule(entry)) : ['wrong_field'];
const uuid: Rule = (value) => {
  if (typeof value !== 'string') return ['wrong_field'];
  return UUID.test(value) ? [] : ['bad_uuid'];
};
const currency: Rule = (value) => wrongUnless([...CURRENCIES].some((code) => code === value));
const PAYMENTS = ['credit_card', 'paypal', 'apple_pay'];

const COMMON: Record<string, Rule> = {
  event_id: uuid,
  user_id: id,
  timestamp: (value) => wrongUnless(typeof value === 'string'),
  device: text,
  location: text,
  session_id: id,
};
const OWN = new Map<unknown, Record<string, Rule>>([
  ['user_login', { login_method: oneOf('email', 'social', 'sso'), success: flag }],
  [
    'page_view',
    {
      page: oneOf('home', 'product', 'category', 'search', 'cart', 'checkout'),
      referrer: oneOf('search', 'direct', 'social', 'email'),
      duration_seconds: whole(0),
    },
  ],
  ['item_click', { item_id: id, category: text, position: whole(1) }],
  [
    'purchase',
    {
      order_id: id,
      items: listOf(id),
      quantities: listOf(whole(1)),
      total_amount: moneyFaults,
      currency,
      payment_method: oneOf(...PAYMENTS),
    },
  ],
  ['cart_add', { item_id: id, quantity: whole(1), category: text, price: moneyFaults }],
  [
    'search',
    {
      search_query: text,
      results_count: whole(0),
      clicked_position: (value) => (value === null ? [] : whole(-(2 ** 31))(value)),
    },
  ],
]);

export function expectedOf({ value, timestampMs }: Message, rules: ParseRules): Expected {
  if (value === null || value.length === 0) return refused('empty_value');
  if (value.length > MIB) return refused('too_large');
  let json: string;
  try {
    json = STRICT.decode(value);
  } catch {
    return refused('not_utf8');
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return refused('not_json');
  }
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) return refused('not_an_object');
  if (!textsOf(json).every((each) => !/\p{Cs}/u.test(each) && !each.includes('\0'))) return refused('bad_text *');
  return expectedOfObject(Object.fromEntries(Object.entries(parsed)), timestampMs, rules);
}

function expectedOfObject(object: JsonObject, timestampMs: number, rules: ParseRules): Expected {
  const version = Object.hasOwn(object, 'schema_version') ? object['schema_version'] : undefined;
  if (Number.isInteger(version) && !SUPPORTED_VERSIONS.has(version)) {
    return refused('unsupported_version schema_version');
  }
  const type = Object.hasOwn(object, 'event_type') ? object['event_type'] : undefined;
  const own = OWN.get(type);
  if (own === undefined) {
    const reason = type === undefined ? 'missing_field' : typeof type === 'string' ? 'unknown_type' : 'wrong_field';
    return refused(`${reason} event_type`, 'wrong_field schema_version');
  }
  const required: Record<string, Rule> = { ...COMMON, ...own };
  const isOrder = type === 'purchase';
  if (isOrder && version === 2) required['payment_method'] = oneOf(...PAYMENTS, 'google_pay');
  const found = faultsOfFields(object, required);
  if (!SUPPORTED_VERSIONS.has(version)) found.certain.push('wrong_field schema_version');
  const hasCoupon = isOrder && Object.hasOwn(object, 'coupon_code');
  const couponFits = hasCoupon && text(object['coupon_code']).length === 0;
  if (hasCoupon && version === 2 && !couponFits) found.certain.push('wrong_field coupon_code');
  const known = [...Object.keys(required), 'event_type', 'schema_version', ...(couponFits ? ['coupon_code'] : [])];
  if (found.certain.length === 0) found.certain.push(...faultsBetween(object));
  if (found.certain.length === 0) found.certain.push(...faultsOfTime(object, timestampMs, rules));
  return { ...found, object: found.certain.length === 0 ? object : null, known };
}

function faultsOfFields(object: JsonObject, required: Record<string, Rule>): { certain: string[]; possible: string[] } {
  const certain: string[] = [];
  const possible: string[] = [];
  for (const [name, rule] of Object.entries(required)) {
    if (!Object.hasOwn(object, name)) {
      certain.push(`missing_field ${name}`);
      continue;
    }
    const reasons = rule(object[name]);
    const faults = reasons.filter((reason) => reason !== 'none').map((reason) => `${reason} ${name}`);
    (reasons.includes('none') ? possible : certain).push(...faults);
  }
  return { certain, possible };
}

function faultsBetween({ device, location, items, quantities, event_type: type }: JsonObject): string[] {
  const faults: string[] = [];
  if (Buffer.byteLength(`${String(device)}${String(location)}`) > 2400) faults.push('wrong_field location');
  if (type === 'purchase' && Array.isArray(items) && Array.isArray(quantities) && items.length !== quantities.length) {
    faults.push('wrong_field quantities');
  }
  return faults;
}

function faultsOfTime({ timestamp }: JsonObject, kafkaMs: number, { maxFutureMs, retentionMs }: ParseRules): string[] {
  const us = timeUs(String(timestamp));
  if (us === null) return ['bad_timestamp timestamp'];
  if (kafkaMs < 0) return [];
  const atMs = Number(us / 1000n) - (us % 1000n < 0n ? 1 : 0);
  if (atMs > kafkaMs + maxFutureMs) return ['too_far_in_future timestamp'];
  return retentionMs !== null && atMs < kafkaMs - retentionMs ? ['too_old timestamp'] : [];
}

function refused(certain: string, ...possible: string[]): Expected {
  return { certain: [certain], possible, object: null, known: [] };
}

/** Every string of a JSON text, names included, those of replaced members too. */
function textsOf(json: string): string[] {
  if (!json.includes('\\')) return [];
  const texts: string[] = [];
  for (let at = json.indexOf('"'); at !== -1; at = json.indexOf('"', at)) {
    let end = at + 1;
    while (json[end] !== '"') end += json[end] === '\\' ? 2 : 1;
    texts.push(String(JSON.parse(json.slice(at, end + 1))));
    at = end + 1;
  }
  return texts;
}
