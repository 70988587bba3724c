// The recount's own tables: what the topic says each message is, kept in PostgreSQL so that any number of them fits.
import { createHash } from 'node:crypto';

import { Client } from 'pg';

import type { Event } from '../pipeline/event.ts';
import type { Message } from '../pipeline/message.ts';
import type { Rejection } from '../pipeline/rejection.ts';
import { CopyBuffer } from './copy-buffer.ts';
import { headersJson } from './dead-letters.ts';
import { fusedCopy } from './fused-copy.ts';
import { clientConfig } from './pool.ts';
import { quoteSchema } from './schema-name.ts';

/** What the recount made of one message. */
export type JudgedMessage =
  | { readonly message: Message; readonly event: Event; readonly rejection: null }
  | { readonly message: Message; readonly event: null; readonly rejection: Rejection };

/** Why a message that is valid by its bytes and today's rules may be a dead letter all the same. */
export type TrustedReason = 'unstorable' | 'unsupported_version';

/** The offsets `[fromOffset, toOffset)` of a partition that were recounted. `messages`: how many the log held there. */
export type RecountedRange = {
  readonly partition: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly messages: number;
};

const TABLES = `
  create temp table recounted_events (partition int not null, "offset" bigint not null, occurred_at timestamptz not null, event_id uuid not null);
  create temp table recounted_rejections (partition int not null, "offset" bigint not null, reason text not null, key_hash bytea, value_hash bytea, headers_hash bytea not null);
  create temp table recounted_ranges (partition int not null, from_offset bigint not null, to_offset bigint not null, messages bigint not null)`;

/** Bounds what a hash or sort of the recount takes; what is larger goes to disk. */
const SESSION = `set work_mem = '96MB'; set statement_timeout = 0; set jit = off; set max_parallel_workers_per_gather = 0`;

/**
 * One session with temporary tables: they vanish with it, whatever ends it. `add` returns when the rows before these are
 * stored, so that a caller prepares the next ones meanwhile; `settle` waits for all.
 */
export class RecountTables {
  readonly client: Client;
  readonly #eventRows = new CopyBuffer();
  readonly #rejectionRows = new CopyBuffer();
  readonly #deadLetters: string;
  readonly #events: string;
  #mayTrust = false;
  #storing: Promise<unknown> = Promise.resolve();

  private constructor(client: Client, schema: string) {
    this.client = client;
    this.#deadLetters = `${quoteSchema(schema)}.dead_letters`;
    this.#events = `${quoteSchema(schema)}.events`;
  }

  /** Connects and makes the tables. */
  static async open({ url, schema }: { url: string; schema: string }): Promise<RecountTables> {
    const client = new Client(clientConfig({ url, applicationName: 'weir verify' }));
    // A broken connection also fails the statement under way, which reports it.
    client.on('error', () => {});
    await client.connect();
    const tables = new RecountTables(client, schema);
    await client.query(`${SESSION}; ${TABLES}`);
    const { rowCount } = await client.query(
      `select 1 from ${tables.#deadLetters} where reason in ('unstorable', 'unsupported_version') limit 1`,
    );
    tables.#mayTrust = rowCount === 1;
    return tables;
  }

  async close(): Promise<void> {
    await this.#storing.catch(() => {});
    await this.client.end();
  }

  /**
   * Offsets from `fromOffset` on, below `toOffset`, of letters whose reason only another could judge, so that the recount
   * takes its word: PostgreSQL, which refused to store the message (unless it took it when that was read again), or an older
   * build, which did not know the message's version (unless the letter is recovered).
   */
  async trustedRefusals(
    partition: number,
    fromOffset: number,
    toOffset: number,
  ): Promise<ReadonlyMap<number, TrustedReason>> {
    if (!this.#mayTrust) return new Map();
    await this.#storing;
    const { rows } = await this.client.query<{ offset: string; reason: TrustedReason }>(
      `select kafka_offset as offset, reason from ${this.#deadLetters} d
        where kafka_partition = $1 and kafka_offset >= $2 and kafka_offset < $3
          and (reason = 'unstorable'
            and not exists (select from ${this.#events} e where e.occurred_at = d.event_at and e.event_id = d.event_id
              and e.kafka_partition = d.kafka_partition and e.kafka_offset = d.kafka_offset)
            or reason = 'unsupported_version' and status <> 'recovered')`,
      [partition, fromOffset, toOffset],
    );
    return new Map(rows.map(({ offset, reason }) => [Number(offset), reason]));
  }

  /** Stores verdicts of one partition. */
  async add(partition: number, judged: readonly JudgedMessage[]): Promise<void> {
    await this.#storing;
    const sql: string[] = [];
    const copies: Buffer[] = [];
    const events = judged.filter(({ event }) => event !== null);
    const rejections = judged.filter(({ rejection }) => rejection !== null);
    if (events.length > 0) {
      sql.push('copy recounted_events from stdin (format binary)');
      copies.push(encodeEvents(partition, events, this.#eventRows));
    }
    if (rejections.length > 0) {
      sql.push('copy recounted_rejections from stdin (format binary)');
      copies.push(encodeRejections(partition, rejections, this.#rejectionRows));
    }
    if (sql.length === 0) return;
    this.#storing = fusedCopy(this.client, sql.join('; '), copies);
    // Reported by whoever waits for it next; until then it is not unhandled.
    this.#storing.catch(() => {});
  }

  /** Notes a partition as recounted, once all its verdicts are stored. */
  async finish(range: RecountedRange): Promise<void> {
    await this.#storing;
    await this.client.query('insert into recounted_ranges values ($1, $2, $3, $4)', [
      range.partition,
      range.fromOffset,
      range.toOffset,
      range.messages,
    ]);
  }

  /** Forgets a partition: the log start moved while it was read, and what is gone cannot be compared. */
  async forget(partition: number): Promise<void> {
    await this.#storing;
    await this.client.query('delete from recounted_events where partition = $1', [partition]);
    await this.client.query('delete from recounted_rejections where partition = $1', [partition]);
  }

  /** Statistics, so that PostgreSQL plans the comparison by the real sizes. */
  async analyze(): Promise<void> {
    await this.#storing;
    await this.client.query('analyze recounted_events; analyze recounted_rejections; analyze recounted_ranges');
  }
}

function encodeEvents(partition: number, judged: readonly JudgedMessage[], buffer: CopyBuffer): Buffer {
  buffer.begin();
  for (const { message, event } of judged) {
    if (!event) continue;
    buffer.row(4, 64);
    buffer.int4(partition);
    buffer.int8(message.offset);
    buffer.timestamptz(event.occurredAtMs, event.occurredAtUs);
    buffer.uuid(event.eventId);
  }
  return buffer.end();
}

function encodeRejections(partition: number, judged: readonly JudgedMessage[], buffer: CopyBuffer): Buffer {
  buffer.begin();
  for (const { message, rejection } of judged) {
    if (!rejection) continue;
    buffer.row(6, 300);
    buffer.int4(partition);
    buffer.int8(message.offset);
    buffer.text(rejection.reason);
    buffer.bytea(message.key && sha256(message.key));
    buffer.bytea(message.value && sha256(message.value));
    buffer.bytea(sha256(Buffer.from(headersJson(message.headers))));
  }
  return buffer.end();
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
