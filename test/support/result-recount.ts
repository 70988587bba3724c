// Recounts the five results from a list of events, with none of the product's code, and reads the result tables in the same
// form, so that a test can compare the two.
import type pg from 'pg';

import { quoteSchema } from '../../postgres/schema-name.ts';
import type { StoredEvent } from './events.ts';

type Row = Record<string, unknown>;
export type Results = Record<string, Row[]>;

const MINUTE = 60_000;
const iso = (ms: number): string => new Date(ms).toISOString();
const cents = (text: string | null): number => Math.round(Number(text) * 100);
const money = (value: number): string => (value / 100).toFixed(2);
const distinct = (values: readonly string[]): number => new Set(values).size;

/** Events by `start|group`: each falls into the windows of `length` minutes that start every `slide`. */
function grouped(
  events: readonly StoredEvent[],
  { length, slide }: { length: number; slide: number },
  group: (event: StoredEvent) => string[],
): { start: number; end: number; group: string[]; events: StoredEvent[] }[] {
  const found = new Map<string, { start: number; end: number; group: string[]; events: StoredEvent[] }>();
  for (const event of events) {
    const at = Date.parse(event.at);
    // Every minute is tried as a start: slow and plain.
    const minute = Math.floor(at / MINUTE);
    for (let start = minute - length + 1; start <= minute; start += 1) {
      if (((start % slide) + slide) % slide !== 0) continue;
      const key = JSON.stringify([start, ...group(event)]);
      const window = { start: start * MINUTE, end: (start + length) * MINUTE, group: group(event), events: [] };
      found.set(key, found.get(key) ?? window);
      found.get(key)?.events.push(event);
    }
  }
  return [...found.values()];
}

function byType(events: readonly StoredEvent[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of events) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

function span(events: readonly StoredEvent[]): [number, number] {
  const times = events.map(({ at }) => Date.parse(at));
  return [Math.min(...times), Math.max(...times)];
}

/** The rows that the five result tables must hold, for windows that end by `throughMs`. */
export function recountResults(events: readonly StoredEvent[], throughMs: number): Results {
  const results: Results = {
    event_counts: grouped(events, { length: 1, slide: 1 }, (event) => [event.type]).map((w) => ({
      ...head(w, ['event_type']),
      event_count: w.events.length,
      unique_users: distinct(w.events.map(({ user }) => user)),
    })),
    user_activity: grouped(events, { length: 5, slide: 1 }, (event) => [event.user]).map((w) => ({
      ...head(w, ['user_id']),
      event_count: w.events.length,
      events_by_type: byType(w.events),
      first_event: iso(span(w.events)[0]),
      last_event: iso(span(w.events)[1]),
    })),
    purchase_metrics: purchases(events.filter(({ type }) => type === 'purchase')),
    session_metrics: grouped(events, { length: 5, slide: 5 }, (event) => [event.session]).map((w) => ({
      ...head(w, ['session_id']),
      user_id: w.events.map(({ user }) => user).toSorted()[0],
      events_in_session: w.events.length,
      events_by_type: byType(w.events),
      session_start: iso(span(w.events)[0]),
      session_end: iso(span(w.events)[1]),
      session_duration_seconds: (span(w.events)[1] - span(w.events)[0]) / 1000,
    })),
    device_stats: grouped(events, { length: 10, slide: 10 }, (event) => [event.device, event.location]).map((w) => ({
      ...head(w, ['device', 'location']),
      event_count: w.events.length,
      unique_users: distinct(w.events.map(({ user }) => user)),
      unique_sessions: distinct(w.events.map(({ session }) => session)),
    })),
  };
  for (const [name, rows] of Object.entries(results)) {
    results[name] = sorted(rows.filter((row) => Date.parse(String(row['window_end'])) <= throughMs));
  }
  return results;
}

function purchases(events: readonly StoredEvent[]): Row[] {
  return grouped(events, { length: 10, slide: 10 }, (event) => [event.currency ?? '']).map((w) => {
    const amounts = w.events.map(({ amount }) => cents(amount));
    const total = amounts.reduce((sum, amount) => sum + amount, 0);
    return {
      ...head(w, ['currency']),
      total_orders: amounts.length,
      total_revenue: money(total),
      avg_order_value: money(Math.round(total / amounts.length)),
      max_order_value: money(Math.max(...amounts)),
      min_order_value: money(Math.min(...amounts)),
      unique_buyers: distinct(w.events.map(({ user }) => user)),
    };
  });
}

function head({ start, end, group }: { start: number; end: number; group: string[] }, columns: string[]): Row {
  const named = Object.fromEntries(columns.map((column, index) => [column, group[index]]));
  return { window_start: iso(start), window_end: iso(end), ...named };
}

function sorted(rows: Row[]): Row[] {
  const texts = new Map(rows.map((row) => [row, canonical(row)]));
  return rows.toSorted((one, other) => ((texts.get(one) ?? '') < (texts.get(other) ?? '') ? -1 : 1));
}

/** JSON with the keys of every object in order. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${key}:${canonical(inner)}`).join()}}`;
}

/** What the five result tables hold, less revision and closed_at. */
export async function readResults(pool: pg.Pool, schema: string): Promise<Results> {
  const results: Results = {};
  for (const table of ['event_counts', 'user_activity', 'purchase_metrics', 'session_metrics', 'device_stats']) {
    const { rows } = await pool.query<Row>(`select * from ${quoteSchema(schema)}.${table}`);
    results[table] = sorted(rows.map(plain));
  }
  return results;
}

function plain(row: Row): Row {
  const entries = Object.entries(row)
    .filter(([column]) => column !== 'revision' && column !== 'closed_at')
    .map(([column, value]): [string, unknown] => {
      if (value instanceof Date) return [column, value.toISOString()];
      // Counts are bigint (text in the driver); amounts keep their two decimals.
      return [column, typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value];
    });
  return Object.fromEntries(entries);
}
