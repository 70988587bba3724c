// A connection to PostgreSQL that notices when nobody answers any more, also where no error ever comes: packets vanish, a
// server or its machine stands still, the answer to a COMMIT is lost.
//
// A statement may take long for good reasons (it waits for a lock, it closes a dense pane), so time alone says nothing. When
// nothing has moved on the line for ten seconds, a second connection asks the server whether it is at work on the statement.
// If it is not, or if the second connection is not answered either, the line is cut: the statement fails with a sentence.
import { Client, DatabaseError } from 'pg';
import type pg from 'pg';

import { messageOf } from '../pipeline/ensure.ts';
import { tlsRemedy } from './tls.ts';

const LOOK_EVERY_MS = 1_000;
const SILENT_AFTER_MS = 10_000;
/** Less than a pool waits for a connection, so that this failure, which names the server, is the one that is seen. */
const CONNECT_WITHIN_MS = 8_000;
const ASK_WITHIN_MS = 2_500;
/** A goodbye that nobody hears is not waited for any longer. */
const END_WITHIN_MS = 2_000;

/** Nobody answers at PostgreSQL's address, or nobody any more. After a statement was sent its outcome is unknown. */
class PostgresUnreachableError extends Error {
  override readonly name = 'PostgresUnreachableError';
  /** The code of the error below (ECONNREFUSED, ...), if it has one. */
  readonly code: string | null;

  constructor(sentence: string, options: ErrorOptions) {
    super(sentence, options);
    const { cause } = options;
    this.code = cause instanceof Error && 'code' in cause ? String(cause.code) : null;
  }
}

/** Used by every pool and by every lease; `pg` makes it, so it takes what `pg.Client` takes. */
export class WatchedClient extends Client {
  // Of `pg`'s own, which its types do not tell: false while an answer is awaited.
  declare readonly readyForQuery: boolean;
  declare readonly processID: number | null;
  readonly #config: pg.ClientConfig;
  #heardMs = performance.now();
  #trace = '';
  #asking = false;

  constructor(config: pg.ClientConfig = {}) {
    super({ ...config, connectionTimeoutMillis: CONNECT_WITHIN_MS });
    this.#config = config;
  }

  override connect(): Promise<this>;
  override connect(callback: (error: Error | null, client?: this) => void): void;
  override connect(callback?: (error: Error | null, client?: this) => void): Promise<this> | void {
    if (!callback) return this.#connect();
    super.connect((error: Error | null) => {
      if (error) callback(this.#named(error));
      else callback(null, this.#watched());
    });
  }

  override end(): Promise<void>;
  override end(callback: (error: Error) => void): void;
  override end(callback?: (error: Error) => void): Promise<void> | void {
    const timer = setTimeout(() => this.cut(), END_WITHIN_MS);
    this.once('end', () => clearTimeout(timer));
    return callback ? super.end(callback) : super.end();
  }

  /** Destroys the socket: a statement under way fails, its outcome unknown. */
  cut(why?: Error): void {
    this.connection.stream.destroy(why);
  }

  async #connect(): Promise<this> {
    try {
      await super.connect();
    } catch (error) {
      throw error instanceof Error ? this.#named(error) : error;
    }
    return this.#watched();
  }

  /** What PostgreSQL itself says (no such user, starting up) is told better in its own words. */
  #named(cause: Error): Error {
    if (cause instanceof DatabaseError) return cause;
    const said = cause.message || codeOf(cause);
    const remedy = tlsRemedy(said) ?? 'start it, or correct WEIR_POSTGRES_URL';
    return new PostgresUnreachableError(`PostgreSQL at ${this.#place} does not answer (${said}): ${remedy}.`, {
      cause,
    });
  }

  #watched(): this {
    const watch = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
    this.once('end', () => clearInterval(watch));
    return this;
  }

  get #place(): string {
    return `${this.host}:${this.port}`;
  }

  #look(): void {
    const trace = this.#traceNow();
    if (this.readyForQuery || trace !== this.#trace) {
      this.#trace = trace;
      this.#heardMs = performance.now();
    } else if (performance.now() - this.#heardMs >= SILENT_AFTER_MS && !this.#asking) void this.#ask(trace);
  }

  /** Changes whenever something came, or left this process. */
  #traceNow(): string {
    const { stream } = this.connection;
    return `${'bytesRead' in stream ? String(stream.bytesRead) : ''} ${stream.writableLength}`;
  }

  async #ask(trace: string): Promise<void> {
    this.#asking = true;
    const trouble = await this.#troubleOnServer();
    this.#asking = false;
    this.#heardMs = performance.now();
    // The answer may have come after all.
    if (trouble === null || this.readyForQuery || this.#traceNow() !== trace) return;
    this.cut(
      new PostgresUnreachableError(
        `PostgreSQL at ${this.#place} has left a statement without an answer for ${SILENT_AFTER_MS / 1_000} s (${trouble}): the connection is given up, and what became of the statement is looked up before anything goes on.`,
        {},
      ),
    );
  }

  /** Null when the server says that it is at work on the statement; otherwise what is wrong. */
  async #troubleOnServer(): Promise<string | null> {
    const asker = new Client({
      ...this.#config,
      application_name: 'weir asks',
      connectionTimeoutMillis: ASK_WITHIN_MS,
      query_timeout: ASK_WITHIN_MS,
    });
    asker.on('error', () => {});
    try {
      await asker.connect();
      // A session that waits for its client is not at work: what either side sent last has not arrived.
      const { rows } = await asker.query<{ at_work: boolean }>(
        `select state = 'disabled' or state = 'active' and wait_event_type is distinct from 'Client' as at_work
         from pg_stat_activity where pid = $1`,
        [this.processID],
      );
      if (rows[0] === undefined) return 'its session is gone';
      return rows[0].at_work ? null : 'its session waits for this one to speak';
    } catch (error) {
      // A server that refuses has answered: it is there, and the session may well be at work.
      return error instanceof DatabaseError ? null : `a second connection was not answered either: ${messageOf(error)}`;
    } finally {
      asker.connection.stream.destroy();
    }
  }
}

/** Where a host has several addresses, the error that gathers their failures has no text of its own. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'no reason given';
}
