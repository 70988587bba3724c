// Recounts the five result tables from the messages that were produced, in memory, with none of the product's code.
import { TextDecoder } from 'node:util';

type Row = Record<string, unknown>;
/** Rows by result table; times are ISO text, counts numbers, money text with two decimals. No revision, no closed_at. */
export type Recount = Record<string, Row[]>;

type Fields = Record<string, unknown>;
type Told = {
  readonly id: string;
  readonly type: string;
  readonly user: string;
  readonly session: string;
  readonly device: string;
  readonly location: string;
  readonly atMs: number;
  readonly currency: string;
  readonly cents: number;
};

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const MINUTE_MS = 60_000;
const LATEST_FUTURE_MS = 300_000;
const VERSIONS = new Set<unknown>([undefined, 1, 2]);
const TEXTS = ['user_id', 'device', 'location', 'session_id'];
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const TIME = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$/;

/** For each type, whether its own fields are what they must be. */
const OWN: Record<string, (fields: Fields) => boolean> = {
  user_login: (fields) => isText(fields['login_method']) && typeof fields['success'] === 'boolean',
  page_view: (fields) => isText(fields['page']) && isText(fields['referrer']) && isInt(fields['duration_seconds']),
  item_click: (fields) => isText(fields['item_id']) && isText(fields['category']) && isInt(fields['position']),
  purchase: (fields) =>
    Array.isArray(fields['items']) && isAmount(fields['total_amount']) && isText(fields['currency']),
  cart_add: (fields) => isText(fields['item_id']) && isInt(fields['quantity']) && isAmount(fields['price']),
  search: (fields) => isText(fields['search_query']) && isInt(fields['results_count']),
};

const isText = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= 512 && !/[\0\p{Surrogate}]/u.test(value);
const isInt = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 31;
const isAmount = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value < 1e10;

/** The event that a message tells, or null when it tells none. */
function readMessage(value: Buffer, timestampMs: number): Told | null {
  const fields = readFields(value);
  if (fields === null) return null;
  const type = String(fields['event_type']);
  const own = Object.hasOwn(OWN, type) ? OWN[type] : undefined;
  if (own === undefined || !own(fields) || !TEXTS.every((name) => isText(fields[name]))) return null;
  if (!UUID.test(String(fields['event_id'])) || !VERSIONS.has(fields['schema_version'])) return null;
  const atMs = readTime(fields['timestamp']);
  if (atMs === null || atMs > timestampMs + LATEST_FUTURE_MS) return null;
  return {
    id: String(fields['event_id']).toLowerCase(),
    type,
    user: String(fields['user_id']),
    session: String(fields['session_id']),
    device: String(fields['device']),
    location: String(fields['location']),
    atMs,
    currency: String(fields['currency']),
    cents: Math.round(Number(fields['total_amount']) * 100),
  };
}

function readFields(value: Buffer): Fields | null {
  try {
    const json: unknown = JSON.parse(UTF8.decode(value));
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? { ...json } : null;
  } catch {
    return null;
  }
}

function readTime(text: unknown): number | null {
  const day = typeof text === 'string' ? TIME.exec(text)?.[1] : undefined;
  // A day that does not exist comes back as another one.
  if (day === undefined || new Date(`${day}T00:00:00Z`).toISOString().slice(0, 10) !== day) return null;
  const atMs = Date.parse(String(text));
  return Number.isNaN(atMs) ? null : atMs;
}

type Tally = {
  readonly startMs: number;
  readonly group: readonly string[];
  /** Shared and empty where nobody asks who it was. */
  readonly users: Set<string>;
  readonly sessions: Set<string>;
  readonly types: Record<string, number>;
  events: number;
  firstMs: number;
  lastMs: number;
  cents: number;
  most: number;
  least: number;
};

class Tallies {
  private readonly byStart = new Map<number, Map<string, Tally>>();
  private readonly lengthMs: number;
  private readonly slideMs: number;
  private readonly distinct: boolean;

  constructor(minutes: number, { slideMinutes = minutes, distinct = true } = {}) {
    this.lengthMs = minutes * MINUTE_MS;
    this.slideMs = slideMinutes * MINUTE_MS;
    this.distinct = distinct;
  }

  add(told: Told, group: readonly string[]): void {
    const key = group.join('\u0001');
    const lastStart = Math.floor(told.atMs / this.slideMs) * this.slideMs;
    for (let startMs = lastStart; startMs + this.lengthMs > told.atMs; startMs -= this.slideMs) {
      const tallies = this.byStart.get(startMs) ?? new Map<string, Tally>();
      this.byStart.set(startMs, tallies);
      const tally = tallies.get(key) ?? emptyTally({ startMs, group, distinct: this.distinct });
      tallies.set(key, tally);
      if (this.distinct) {
        tally.users.add(told.user);
        tally.sessions.add(told.session);
      }
      tally.types[told.type] = (tally.types[told.type] ?? 0) + 1;
      tally.events += 1;
      tally.firstMs = Math.min(tally.firstMs, told.atMs);
      tally.lastMs = Math.max(tally.lastMs, told.atMs);
      tally.cents += told.cents;
      tally.most = Math.max(tally.most, told.cents);
      tally.least = Math.min(tally.least, told.cents);
    }
  }

  rows(measures: (tally: Tally) => Row): Row[] {
    const tallies = [...this.byStart.values()].flatMap((those) => [...those.values()]);
    return tallies.map((tally) => {
      const ends = { window_start: iso(tally.startMs), window_end: iso(tally.startMs + this.lengthMs) };
      return { ...ends, ...measures(tally) };
    });
  }
}

const iso = (ms: number): string => new Date(ms).toISOString();
const money = (cents: number): string => (cents / 100).toFixed(2);
const NOBODY = new Set<string>();

function emptyTally({ distinct, ...window }: Pick<Tally, 'startMs' | 'group'> & { distinct: boolean }): Tally {
  return {
    ...window,
    users: distinct ? new Set() : NOBODY,
    sessions: distinct ? new Set() : NOBODY,
    types: {},
    events: 0,
    firstMs: Infinity,
    lastMs: -Infinity,
    cents: 0,
    most: 0,
    least: Infinity,
  };
}

/**
 * The rows that all windows have, late events included, each event counted once by (timestamp, event_id). Messages that
 * tell no event count nowhere; `events` says how many did.
 */
export function recount(messages: Iterable<{ value: Buffer; timestampMs: number }>): {
  events: number;
  tables: Recount;
} {
  const seen = new Set<string>();
  const types = new Tallies(1);
  const users = new Tallies(5, { slideMinutes: 1, distinct: false });
  const purchases = new Tallies(10);
  const sessions = new Tallies(5);
  const devices = new Tallies(10);
  for (const { value, timestampMs } of messages) {
    const told = readMessage(value, timestampMs);
    if (told === null || seen.has(`${told.atMs} ${told.id}`)) continue;
    seen.add(`${told.atMs} ${told.id}`);
    types.add(told, [told.type]);
    users.add(told, [told.user]);
    if (told.type === 'purchase') purchases.add(told, [told.currency]);
    sessions.add(told, [told.session]);
    devices.add(told, [told.device, told.location]);
  }
  const tables = {
    event_counts: types.rows((tally) => ({
      event_type: tally.group[0],
      event_count: tally.events,
      unique_users: tally.users.size,
    })),
    user_activity: users.rows((tally) => ({
      user_id: tally.group[0],
      event_count: tally.events,
      events_by_type: tally.types,
      first_event: iso(tally.firstMs),
      last_event: iso(tally.lastMs),
    })),
    purchase_metrics: purchases.rows((tally) => ({
      currency: tally.group[0],
      total_orders: tally.events,
      total_revenue: money(tally.cents),
      // Half a cent rounds up, in whole numbers.
      avg_order_value: money(Math.floor((2 * tally.cents + tally.events) / (2 * tally.events))),
      max_order_value: money(tally.most),
      min_order_value: money(tally.least),
      unique_buyers: tally.users.size,
    })),
    session_metrics: sessions.rows((tally) => ({
      session_id: tally.group[0],
      user_id: [...tally.users].toSorted()[0],
      events_in_session: tally.events,
      events_by_type: tally.types,
      session_start: iso(tally.firstMs),
      session_end: iso(tally.lastMs),
      session_duration_seconds: (tally.lastMs - tally.firstMs) / 1_000,
    })),
    device_stats: devices.rows((tally) => ({
      device: tally.group[0],
      location: tally.group[1],
      event_count: tally.events,
      unique_users: tally.users.size,
      unique_sessions: tally.sessions.size,
    })),
  };
  return { events: seen.size, tables };
}

/** Rows of one table that are not in the other, as sentences (at most `most`); empty when the tables say the same. */
export function differences(expected: readonly Row[], found: readonly Row[], most = 10): string[] {
  const expectedTexts = new Set(expected.map(canonical));
  const foundTexts = new Set(found.map(canonical));
  const missing = [...expectedTexts].filter((text) => !foundTexts.has(text)).map((text) => `Missing: ${text}.`);
  const foreign = [...foundTexts].filter((text) => !expectedTexts.has(text)).map((text) => `Too many: ${text}.`);
  const doubled = found.length - foundTexts.size;
  return [...(doubled > 0 ? [`${doubled} rows come twice.`] : []), ...missing, ...foreign].slice(0, most);
}

/** JSON with the keys of every object in order. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${key}: ${canonical(inner)}`).join(', ')}}`;
}
