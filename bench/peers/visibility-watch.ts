// Knows when each row of a table became readable, without touching the table: it notes, every few milliseconds, which
// transactions a new reader would see. A row is readable from the first such snapshot on that sees its transaction.
import { setTimeout as wait } from 'node:timers/promises';

import { Client } from 'pg';

import { clientConfig } from '../../postgres/pool.ts';

const LOOK_EVERY_MS = 5;
/** A row's xmin has 32 bits, a snapshot's transactions 64. */
const EPOCH = 2n ** 32n;

type Look = { readonly atMs: number; readonly next: bigint; readonly running: ReadonlySet<bigint> };

export class VisibilityWatch {
  readonly #client: Client;
  readonly #looks: Look[] = [];
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  private constructor(client: Client) {
    this.#client = client;
  }

  static async start(postgresUrl: string): Promise<VisibilityWatch> {
    const client = new Client(clientConfig({ url: postgresUrl, applicationName: 'weir bench probe' }));
    client.on('error', () => {});
    await client.connect();
    const watch = new VisibilityWatch(client);
    watch.#looking = watch.#look();
    watch.#looking.catch(() => {});
    return watch;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    try {
      await this.#looking;
    } finally {
      await this.#client.end();
    }
  }

  /** Milliseconds between two looks: latencies are known no better. */
  resolutionMs(): number {
    const [first, last] = [this.#looks[0], this.#looks.at(-1)];
    if (first === undefined || last === undefined) return 0;
    return (last.atMs - first.atMs) / Math.max(1, this.#looks.length - 1);
  }

  /** When a reader first saw what this transaction wrote (epoch ms); null: no look did. */
  seenAtMs(xmin: number): number | null {
    const newest = this.#looks.at(-1);
    if (newest === undefined) return null;
    // Of the newest epoch, or of the one before where it would lie in the future.
    const ofNewest = (newest.next / EPOCH) * EPOCH + BigInt(xmin);
    const id = ofNewest < newest.next || ofNewest < EPOCH ? ofNewest : ofNewest - EPOCH;
    let [from, to] = [0, this.#looks.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      const look = this.#looks[middle];
      if (look !== undefined && id < look.next && !look.running.has(id)) to = middle;
      else from = middle + 1;
    }
    return this.#looks[from]?.atMs ?? null;
  }

  async #look(): Promise<void> {
    const statement = { name: 'snapshot', text: 'select pg_current_snapshot()::text as snapshot' };
    while (!this.#stopped) {
      const { rows } = await this.#client.query<{ snapshot: string }>(statement);
      const [, next = '0', running = ''] = rows[0]?.snapshot.split(':') ?? [];
      const ids = running.split(',').filter((id) => id !== '');
      this.#looks.push({ atMs: Date.now(), next: BigInt(next), running: new Set(ids.map(BigInt)) });
      await wait(LOOK_EVERY_MS);
    }
  }
}
