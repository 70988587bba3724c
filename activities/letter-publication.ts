// The way of dead letters into their topic, a page at a time: read, written, confirmed by Kafka, only then marked.
import type pg from 'pg';

import { openEventWriter } from '../kafka/event-writer.ts';
import type { EventWriter } from '../kafka/event-writer.ts';
import { KafkaRefusedError, TopicMissingError } from '../kafka/failures.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { deadLetterTopic } from '../pipeline/ids.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { publishedLetter } from '../pipeline/published-letter.ts';
import { markPublished, markRefused, readUnpublishedLetters } from '../postgres/unpublished-letters.ts';
import type { UnpublishedLetter } from '../postgres/unpublished-letters.ts';

export type PublicationDeps = { readonly pool: pg.Pool; readonly kafkaBrokers: readonly string[] };

/** What became of one page. `isLast`: nothing waited behind it. */
export type PublishedPage = { readonly published: number; readonly refused: number; readonly isLast: boolean };

/** A broker closes the connection on a request of 100 MiB or more, and that would look like an outage. */
const PAGE = { letters: 500, bytes: 4 * 1024 * 1024, longestBytes: 32 * 1024 * 1024 };
/** Below the silence that ends a lease, so that the sentence says what Kafka does. */
const CONFIRMED_WITHIN_MS = 20_000;
/** Kafka's two ways of saying that a single message is too large. */
const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

type Outcome = { readonly id: string; readonly failure: unknown };

export class LetterPublication {
  readonly #deps: PublicationDeps;
  readonly #spec: Pick<PipelineSpec, 'topic' | 'schema'>;
  readonly #signal: AbortSignal;
  #writer: EventWriter | null = null;

  /** `signal` gives up what Kafka has not confirmed yet; it is sent again by the next publication. */
  constructor(deps: PublicationDeps, spec: Pick<PipelineSpec, 'topic' | 'schema'>, signal: AbortSignal) {
    this.#deps = deps;
    this.#spec = spec;
    this.#signal = signal;
  }

  /**
   * Publishes the first letters that wait. Throws one sentence when the topic is missing, forbidden, or silent for 20 s;
   * what was confirmed until then is marked. A letter that Kafka finds too large is marked as refused and holds up nobody.
   */
  async publishPage(): Promise<PublishedPage> {
    const { pool } = this.#deps;
    const { schema } = this.#spec;
    const { letters, isLast } = await readUnpublishedLetters(pool, schema, PAGE);
    if (letters.length === 0) return { published: 0, refused: 0, isLast };
    const outcomes = await this.#send(letters);
    const confirmed = outcomes.filter(({ failure }) => failure === null).map(({ id }) => id);
    const refused = outcomes.filter(({ failure }) => isTooLarge(failure));
    if (confirmed.length > 0) await markPublished(pool, schema, confirmed);
    for (const { id, failure } of refused) await markRefused(pool, schema, { id, why: refusal(failure) });
    const other = outcomes.find(({ failure }) => failure !== null && !isTooLarge(failure));
    if (other && !this.#signal.aborted) throw other.failure;
    return { published: confirmed.length, refused: refused.length, isLast };
  }

  async close(): Promise<void> {
    await this.#writer?.close();
  }

  /** Each letter is a write of its own, so that the fate of one says nothing of the others; Kafka gets them in batches. */
  async #send(letters: readonly UnpublishedLetter[]): Promise<Outcome[]> {
    const writer = await this.#open();
    let silence: Error | null = null;
    const giveUp = (): void => void writer.close();
    const timer = setTimeout(() => {
      const why = writer.waitingFor() ?? 'It does not answer.';
      silence = new Error(`Kafka has confirmed no dead letters for ${CONFIRMED_WITHIN_MS / 1000} s. ${why}`);
      giveUp();
    }, CONFIRMED_WITHIN_MS);
    this.#signal.addEventListener('abort', giveUp, { once: true });
    try {
      return await Promise.all(
        letters.map(async ({ id, letter, bytes }) => {
          if (letter === null) return { id, failure: tooLong(bytes) };
          const failure = await writer
            .write([publishedLetter(this.#spec.topic, letter)])
            .then(() => null)
            .catch((thrown: unknown) => silence ?? this.#explained(thrown));
          return { id, failure };
        }),
      );
    } finally {
      clearTimeout(timer);
      this.#signal.removeEventListener('abort', giveUp);
    }
  }

  /** Opened when the first letter is there: where nothing is refused, the topic is not missed. */
  async #open(): Promise<EventWriter> {
    if (this.#writer) return this.#writer;
    const options = { brokers: this.#deps.kafkaBrokers, topic: deadLetterTopic(this.#spec.topic) };
    try {
      this.#writer = await openEventWriter({ ...options, signal: this.#signal });
      return this.#writer;
    } catch (thrown) {
      throw this.#explained(thrown);
    }
  }

  #explained(thrown: unknown): unknown {
    if (!(thrown instanceof TopicMissingError)) return thrown;
    return new Error(
      `Topic ${thrown.topic} does not exist on Kafka at ${this.#deps.kafkaBrokers.join(', ')}: make it (weir up --create-topic, ` +
        `or Kafka's own tools, with max.message.bytes=8388608). Until then dead letters wait in PostgreSQL; ingestion goes on.`,
      { cause: thrown },
    );
  }
}

function isTooLarge(failure: unknown): boolean {
  return failure instanceof KafkaRefusedError && TOO_LARGE.has(failure.reason);
}

function tooLong(bytes: number): KafkaRefusedError {
  return new KafkaRefusedError(
    'MESSAGE_TOO_LARGE',
    `A letter of ${bytes} bytes is more than a request to Kafka may hold.`,
  );
}

const refusal = (failure: unknown): string => `Not published: ${messageOf(failure)}`;
