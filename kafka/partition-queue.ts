// The messages that wait to be written to one partition, and the one batch of them that is on its way.
import type { OutgoingMessage } from './record-encode.ts';
import { encodeBatch, encodedSizeLimit } from './record-encode.ts';
import type { ProducerIdentity } from './produce.ts';

/** One call of `write`: settles when all its messages are written, or when one is refused. */
export class Ticket {
  readonly settled: Promise<void>;
  #left: number;
  #resolve: () => void = () => undefined;
  #reject: (reason: unknown) => void = () => undefined;
  #failed = false;

  constructor(messageCount: number) {
    this.#left = messageCount;
    this.settled = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get failed(): boolean {
    return this.#failed;
  }

  written(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#resolve();
  }

  fail(reason: unknown): void {
    this.#failed = true;
    this.#reject(reason);
  }
}

type Waiting = { readonly message: OutgoingMessage; readonly ticket: Ticket };
type Batch = { readonly items: readonly Waiting[]; readonly bytes: Buffer };

const MAX_BATCH_MESSAGES = 500;
/** Well below the 1 MiB that a broker takes in one batch by default; one larger message still goes alone. */
const MAX_BATCH_BYTES = 512 * 1024;
const SEQUENCES = 2 ** 31;

/**
 * At most one batch is in hand. It keeps its bytes, so its sequence numbers, over every retry until Kafka confirms or
 * refuses it: another batch under the same numbers would be taken for a repetition and dropped by the broker.
 */
export class PartitionQueue {
  #waiting: Waiting[] = [];
  #batch: Batch | null = null;
  #sequence = 0;
  #maxMessages = MAX_BATCH_MESSAGES;

  add(message: OutgoingMessage, ticket: Ticket): void {
    this.#waiting.push({ message, ticket });
  }

  /** The bytes of the batch in hand; makes one when messages wait. Null when there is nothing to write. */
  inHand(identity: ProducerIdentity): Buffer | null {
    if (this.#batch === null && this.#waiting.length > 0) this.#batch = this.#take(identity);
    return this.#batch?.bytes ?? null;
  }

  confirmed(): void {
    const items = this.#batch?.items ?? [];
    this.#sequence = (this.#sequence + items.length) % SEQUENCES;
    this.#batch = null;
    for (const { ticket } of items) ticket.written();
  }

  /** A new identity starts counting at 0: the batch in hand goes back and will be made again. */
  renumber(): void {
    this.#putBack();
    this.#sequence = 0;
  }

  /** Too large for the broker: makes smaller ones of it. False when it holds one message only. */
  split(): boolean {
    const count = this.#batch?.items.length ?? 0;
    if (count < 2) return false;
    this.#putBack();
    this.#maxMessages = Math.floor(count / 2);
    return true;
  }

  /** Kafka didn't write the batch and never will: its writes fail, and what they still had waiting is dropped. */
  refuse(reason: unknown): void {
    for (const { ticket } of this.#batch?.items ?? []) ticket.fail(reason);
    this.#batch = null;
    this.#waiting = this.#waiting.filter(({ ticket }) => !ticket.failed);
  }

  /** Everything here fails. */
  abandon(reason: unknown): void {
    this.#putBack();
    for (const { ticket } of this.#waiting) ticket.fail(reason);
    this.#waiting = [];
  }

  #putBack(): void {
    if (this.#batch) this.#waiting = [...this.#batch.items, ...this.#waiting];
    this.#batch = null;
  }

  #take(identity: ProducerIdentity): Batch | null {
    let count = 0;
    let size = 0;
    for (const { message } of this.#waiting) {
      size += encodedSizeLimit(message);
      if (count > 0 && (size > MAX_BATCH_BYTES || count === this.#maxMessages)) break;
      count += 1;
    }
    if (count === 0) return null;
    const items = this.#waiting.splice(0, count);
    const messages = items.map(({ message }) => message);
    const stamp = { ...identity, firstSequence: this.#sequence, nowMs: Date.now() };
    return { items, bytes: encodeBatch(messages, stamp) };
  }
}
