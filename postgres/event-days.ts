// The partitions of `events`: made before the first event of a day is committed.
import type pg from 'pg';

import { must } from '../pipeline/ensure.ts';
import type { MicroBatch } from '../pipeline/micro-batch.ts';
import { quoteSchema } from './schema-name.ts';

const DAY_MS = 86_400_000;
/** Days further ahead of PostgreSQL's clock share a table a year, and from the next century on one a century. */
const NEAR_DAYS = 400;
/** Made in one transaction: each table takes locks, of which a server has a few thousand. */
const MOST_AT_ONCE = 50;

/** A table for more than a day: `fromYear` is its first year, `untilYear` the one behind its last. */
type FarSpan = { readonly name: string; readonly fromYear: number; readonly untilYear: number };

/**
 * Remembers which UTC days have a partition, so that a batch costs a look-up of numbers and no round trip. Far days share
 * tables: a producer without Kafka timestamps may name any day up to the year 9999, and thousands of tables would take
 * minutes to make, and more locks than a server has.
 */
export class EventDays {
  readonly #client: pg.Client;
  readonly #tables: string;
  readonly #known = new Set<number>();
  #latest = Number.NaN;

  constructor(client: pg.Client, schema: string) {
    this.#client = client;
    this.#tables = quoteSchema(schema);
  }

  /** Makes the partitions that the batch's events need and this object has not seen yet. */
  async ensureFor({ events }: MicroBatch): Promise<void> {
    let missing: Set<number> | null = null;
    for (const { event } of events) {
      const day = Math.floor(event.occurredAtMs / DAY_MS);
      if (day === this.#latest) continue;
      this.#latest = day;
      if (!this.#known.has(day)) (missing ??= new Set()).add(day);
    }
    if (missing) await this.#make([...missing].toSorted((a, b) => a - b));
  }

  async #make(days: number[]): Promise<void> {
    // Until it has worked, no day counts as known: also the fast path by #latest must not skip it next time.
    this.#latest = Number.NaN;
    const { nearUntil, covered } = await this.#lookAhead(days);
    const single: number[] = [];
    const far = new Map<string, FarSpan>();
    for (const day of days) {
      if (spansOver(day).some((name) => covered.has(name))) continue;
      const span = farSpanOf(day, nearUntil);
      if (span === null) single.push(day);
      else far.set(span.name, span);
    }
    for (let at = 0; at < single.length; at += MOST_AT_ONCE) {
      const dates = single.slice(at, at + MOST_AT_ONCE).map(isoDay);
      await this.#client.query(`select ${this.#tables}.ensure_event_days($1::date[])`, [dates]);
    }
    for (const { fromYear, untilYear } of far.values()) {
      await this.#client.query(`select ${this.#tables}.ensure_event_years($1, $2)`, [fromYear, untilYear]);
    }
    for (const day of days) this.#known.add(day);
  }

  /** How far days are near, by PostgreSQL's clock, which all workers share; and which tables over more than a day are there. */
  async #lookAhead(days: readonly number[]): Promise<{ nearUntil: number; covered: ReadonlySet<string> }> {
    const { rows } = await this.#client.query<{ ms: number; names: string[] }>(
      `/* before ensure_event_days */ select (extract(epoch from (now() at time zone 'UTC')::date + ${NEAR_DAYS}) * 1000)::float8 as ms,
         array(select name from unnest($1::text[]) name where to_regclass($2 || '.' || name) is not null) as names`,
      [[...new Set(days.flatMap(spansOver))], this.#tables],
    );
    const { ms, names } = must(rows[0], 'the answer of a look at the clock');
    return { nearUntil: ms, covered: new Set(names) };
  }
}

const isoDay = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);
const yearOf = (day: number): number => new Date(day * DAY_MS).getUTCFullYear();
const centuryOf = (year: number): number => Math.floor(year / 100);

/** Names of the tables that hold this day if they exist: they were made when it was far ahead. */
function spansOver(day: number): string[] {
  const year = yearOf(day);
  return [`events_${year}`, `events_${centuryOf(year)}00s`];
}

/**
 * Null for days near enough for tables of their own, and for the rest of the last near year: so no table over a year or a
 * century ever meets one of a day or a year, now or when the clock has moved on.
 */
function farSpanOf(day: number, nearUntilMs: number): FarSpan | null {
  const year = yearOf(day);
  const nearYear = new Date(nearUntilMs).getUTCFullYear();
  if (year <= nearYear) return null;
  const century = centuryOf(year);
  if (century === centuryOf(nearYear)) return { name: `events_${year}`, fromYear: year, untilYear: year + 1 };
  return { name: `events_${century}00s`, fromYear: century * 100, untilYear: century * 100 + 100 };
}
