// The day partitions of `events`: made before the first event of a day is committed.
import type pg from 'pg';

import type { MicroBatch } from '../pipeline/micro-batch.ts';
import { quoteSchema } from './schema-name.ts';

const DAY_MS = 86_400_000;

/** Remembers which UTC days have a partition, so that a batch costs a look-up of numbers and no round trip. */
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
    const dates = days.map((day) => new Date(day * DAY_MS).toISOString().slice(0, 10));
    // Until it has worked, no day counts as known: also the fast path by #latest must not skip it next time.
    this.#latest = Number.NaN;
    await this.#client.query(`select ${this.#tables}.ensure_event_days($1::date[])`, [dates]);
    for (const day of days) this.#known.add(day);
  }
}
