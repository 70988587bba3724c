// Asks PostgreSQL whether it takes work: over one kept connection, which is made anew every few times.
import { Socket } from 'node:net';

import { Client } from 'pg';

import { messageOf } from '../pipeline/ensure.ts';
import { clientConfig } from './pool.ts';
import { sqlState } from './sqlstate.ts';
import { tlsRemedy } from './tls.ts';

/** A kept connection does not notice a server that lets nobody else in, so every so many questions it is a new one. */
const RENEW_EVERY = 3;
const TOO_MANY_CONNECTIONS = '53300';

type Kept = { readonly client: Client; readonly socket: Socket };

export class PostgresPing {
  readonly #url: string;
  readonly #place: string;
  #kept: Kept | null = null;
  #underWay: Kept | null = null;
  #asked = 0;

  constructor(url: string) {
    this.#url = url;
    const { host, pathname } = new URL(url);
    this.#place = `PostgreSQL at ${host}${pathname}`;
  }

  /** Resolves when it lets somebody in and takes writes; throws one sentence otherwise. One call at a time. */
  async ask(): Promise<void> {
    try {
      if (this.#kept === null || this.#asked % RENEW_EVERY === 0) await this.#renew();
      this.#asked += 1;
      await this.#askKept();
    } catch (error) {
      this.cut(messageOf(error));
      throw error instanceof ReadOnlyError ? error : new Error(this.#sentence(error), { cause: error });
    }
  }

  /** Destroys its connections: a question under way fails and gives `why` as its reason, the next one connects anew. */
  cut(why: string): void {
    for (const kept of [this.#kept, this.#underWay]) kept?.socket.destroy(new Error(why));
    this.#kept = null;
    this.#underWay = null;
    this.#asked = 0;
  }

  /** The new one first: while the old one is there, its place cannot be what lets the new one in. */
  async #renew(): Promise<void> {
    const socket = new Socket();
    const config = clientConfig({ url: this.#url, applicationName: 'weir probe' });
    const client = new Client({ ...config, stream: () => socket });
    // A connection that breaks also fails the question under way; without a listener it would end the process.
    client.on('error', () => {});
    this.#underWay = { client, socket };
    await client.connect();
    const before = this.#kept;
    this.#kept = this.#underWay;
    this.#underWay = null;
    before?.client.end().catch(() => {});
  }

  async #askKept(): Promise<void> {
    const { rows } = (await this.#kept?.client.query<{ recovering: boolean; readOnly: boolean }>(
      `select pg_is_in_recovery() as recovering, current_setting('transaction_read_only') = 'on' as "readOnly"`,
    )) ?? { rows: [] };
    if (rows[0]?.recovering) {
      throw new ReadOnlyError(
        `${this.#place} is a standby in recovery and takes no writes: promote it, or set WEIR_POSTGRES_URL to the primary.`,
      );
    }
    if (rows[0]?.readOnly) {
      throw new ReadOnlyError(
        `${this.#place} is read-only and takes no writes: set default_transaction_read_only to off, or set WEIR_POSTGRES_URL to one that takes them.`,
      );
    }
  }

  #sentence(error: unknown): string {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    // A host with several addresses fails with an error that has no text of its own.
    const said = messageOf(error) || code;
    if (code === TOO_MANY_CONNECTIONS) {
      return `${this.#place} takes no more connections (${said}): raise max_connections, or end some of them.`;
    }
    return sqlState(error) === null
      ? `${this.#place} does not answer (${said}): ${tlsRemedy(said) ?? 'start it, or correct WEIR_POSTGRES_URL'}.`
      : `${this.#place} refuses (${said}): see its log, or correct WEIR_POSTGRES_URL.`;
  }
}

class ReadOnlyError extends Error {
  override readonly name = 'ReadOnlyError';
}
