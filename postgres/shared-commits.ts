// Small batches of several partitions in one transaction: where many are read to their ends, each would make one for every few
// events, and the cost of a transaction hardly depends on how many these are.
import { setTimeout as wait } from 'node:timers/promises';

import type pg from 'pg';

import { sharedCommitSql } from './commit-sql.ts';
import type { SharedBatch } from './commit-sql.ts';
import { joinCopies } from './copy-buffer.ts';
import { fusedCopy } from './fused-copy.ts';
import { sqlState } from './sqlstate.ts';

/** `alone`: commits the batch over its lease's own connection. It is how the batch goes in when it can't be shared. */
type Waiting = {
  readonly batch: SharedBatch;
  readonly alone: () => Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
};

const MOST_TOGETHER = 64;
/** A commit that takes longer may wait for something that concerns its partition alone: nobody waits behind it any more. */
const LONG_MS = 50;
/** PostgreSQL has ended the session: what it had done is then for the checkpoint to say. */
const SESSION_ENDED = /^(57P|08)/;

/**
 * One for a worker process. While a small batch of a topic commits, others that come wait, and then go in together. A
 * transaction moves each partition's checkpoint by its own epoch and offset, so none of the guards is weaker than alone.
 */
export class SharedCommits {
  readonly #pool: pg.Pool;
  readonly #turnstiles = new Map<string, Turnstile>();

  /** Of `pool` it uses a connection a topic, when there is something to share. */
  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /**
   * Commits the batch. When the transaction fails by what PostgreSQL says about one of its batches, each is done again by its
   * `alone`, which throws as it does. Throws too when the connection broke: the outcome is unknown, for every batch in it.
   */
  async commit(batch: SharedBatch, alone: () => Promise<void>): Promise<void> {
    const { schema, topic } = batch.claim.spec;
    const place = `${schema}/${topic}`;
    const turnstile = this.#turnstiles.get(place) ?? new Turnstile(this.#pool);
    this.#turnstiles.set(place, turnstile);
    await turnstile.commit(batch, alone);
  }
}

/** Lets one commit through at a time, and all that have come meanwhile together as the next. */
class Turnstile {
  readonly #pool: pg.Pool;
  #waiting: Waiting[] = [];
  #taken = false;
  #sharing = false;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async commit(batch: SharedBatch, alone: () => Promise<void>): Promise<void> {
    const done = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ batch, alone, resolve, reject });
    });
    if (!this.#taken) this.#next();
    await done;
  }

  #next(): void {
    const group = this.#waiting.splice(0, MOST_TOGETHER);
    this.#taken = group.length > 0;
    if (group.length === 0) return;
    const run = group.length === 1 || this.#sharing ? allAlone(group) : this.#together(group);
    void Promise.race([run, wait(LONG_MS)]).then(() => this.#next());
  }

  /** Never rejects: every batch of the group hears of its own end. */
  async #together(group: readonly Waiting[]): Promise<void> {
    this.#sharing = true;
    try {
      const client = await this.#pool.connect().catch(() => null);
      if (client === null) return await allAlone(group);
      const failure = await share(client, group);
      client.release(failure !== null && !isUndone(failure.error));
      if (failure === null) for (const { resolve } of group) resolve();
      else if (isUndone(failure.error)) await allAlone(group);
      else for (const { reject } of group) reject(failure.error);
    } finally {
      this.#sharing = false;
    }
  }
}

async function allAlone(group: readonly Waiting[]): Promise<void> {
  await Promise.all(group.map(async ({ alone, resolve, reject }) => await alone().then(resolve, reject)));
}

async function share(client: pg.PoolClient, group: readonly Waiting[]): Promise<{ readonly error: unknown } | null> {
  // By partition, so that no two transactions hold checkpoints that the other one wants.
  const batches = group.map(({ batch }) => batch).toSorted((one, other) => one.claim.partition - other.claim.partition);
  try {
    await fusedCopy(client, sharedCommitSql(batches), [joinCopies(batches.map(({ rows }) => rows))]);
    return null;
  } catch (error) {
    return { error };
  }
}

/** PostgreSQL refused the transaction and lives: nothing of it is there. */
function isUndone(error: unknown): boolean {
  const state = sqlState(error);
  return state !== null && !SESSION_ENDED.test(state);
}
