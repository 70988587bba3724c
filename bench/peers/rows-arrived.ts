// Watches rows arrive in a peer's table, for a system that does not say when it has read everything.
import { setTimeout as wait } from 'node:timers/promises';

import { Client } from 'pg';

import { must } from '../../pipeline/ensure.ts';
import { clientConfig } from '../../postgres/pool.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import type { JobOrder } from './system.ts';

const LOOK_EVERY_MS = 1000;
/** PostgreSQL's statistics are this far behind, at most, while a session writes. */
const SETTLED_AFTER_MS = 5_000;
/** After this long without a new row none is expected any more: what is missing is lost. */
const GIVE_UP_AFTER_MS = 40_000;

/** Counting rows costs PostgreSQL time that is measured: its statistics say when a count is worth it. */
export class RowsArrived {
  readonly #order: JobOrder;
  readonly #client: Client;
  #connecting: Promise<unknown> | null = null;
  #written = -1;
  #changedMs = performance.now();

  constructor(order: JobOrder) {
    this.#order = order;
    this.#client = new Client(clientConfig({ url: order.addresses.postgres.url, applicationName: 'weir bench' }));
    this.#client.on('error', () => {});
  }

  /** Waits a moment, then says whether all rows are there or no more come. */
  async all(): Promise<boolean> {
    await (this.#connecting ??= this.#client.connect());
    await wait(LOOK_EVERY_MS);
    const { schema, events } = this.#order;
    // A live job has no end.
    if (events === null) return false;
    const { rows } = await this.#client.query<{ written: string }>(
      `select n_tup_ins + n_tup_upd as written from pg_stat_user_tables where schemaname = $1 and relname = 'raw'`,
      [schema],
    );
    const written = Number(must(rows[0], `table raw in schema ${schema}`).written);
    const now = performance.now();
    if (written !== this.#written) {
      this.#written = written;
      this.#changedMs = now;
    }
    const quietMs = now - this.#changedMs;
    if (quietMs < SETTLED_AFTER_MS || written === 0) return quietMs > GIVE_UP_AFTER_MS;
    return quietMs > GIVE_UP_AFTER_MS || (await this.#count()) >= events;
  }

  async #count(): Promise<number> {
    const { rows } = await this.#client.query<{ count: string }>(
      `select count(*) from ${quoteSchema(this.#order.schema)}.raw`,
    );
    return Number(rows[0]?.count ?? 0);
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}
