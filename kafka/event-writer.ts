// Writes messages to a topic so that none is lost: idempotent, confirmed by all replicas, checked partition by partition.
import { assert, must } from '../pipeline/ensure.ts';
import type { Header } from '../pipeline/message.ts';
import { Backoff } from './backoff.ts';
import { BrokerLink } from './broker-link.ts';
import { partitionOf } from './choose-partition.ts';
import { KafkaRefusedError } from './failures.ts';
import { protocolError } from './kafkajs-internals.ts';
import { Ticket, PartitionQueue } from './partition-queue.ts';
import { persevere } from './persevere.ts';
import { newIdentity, produce } from './produce.ts';
import type { PartitionBatch, ProducerIdentity } from './produce.ts';
import { TopicLeaders } from './topic-leaders.ts';
import { PassingError, isTooLarge, passes, troubleOf } from './trouble.ts';

/** A message to write. `partition` overrides what the key says; without key and partition, partitions take turns. */
export type EventToWrite = {
  readonly key: Buffer | string | null;
  readonly value: Buffer | null;
  readonly timestampMs?: number | undefined;
  readonly headers?: readonly Header[] | undefined;
  readonly partition?: number | undefined;
};

export type EventWriter = {
  /**
   * Resolves when every message is on all in-sync replicas, in order per partition. Waits through passing trouble.
   * Rejects with KafkaRefusedError (too large, not allowed), or with the reason of the abort or close; some of the messages
   * may then be written. A crash of the process between sending and confirming can write a message twice on the next try.
   */
  write(messages: readonly EventToWrite[]): Promise<void>;
  /** Why nothing is written at present, as a sentence; null while all is well. */
  waitingFor(): string | null;
  /** Ends the writer; writes that still wait reject. */
  close(): Promise<void>;
};

export type EventWriterOptions = {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly clientId?: string;
  readonly signal?: AbortSignal;
  /** Told of each trouble that it waits through, by its kind. */
  readonly onTrouble?: (kind: string) => void;
};

/** Kafka lost track of this producer's numbers: out of order, duplicate, bad epoch, unknown mapping, unknown producer. */
const IDENTITY_ERRORS = new Set([45, 46, 47, 49, 59]);

class Writer implements EventWriter {
  readonly #topic: string;
  readonly #link: BrokerLink;
  readonly #leaders: TopicLeaders;
  readonly #stop = new AbortController();
  readonly #options: EventWriterOptions;
  readonly #backoff = new Backoff();
  readonly #queues = new Map<number, PartitionQueue>();
  #partitionCount = 0;
  #turn = 0;
  #identity: ProducerIdentity | null = null;
  #identityLost = false;
  #running = false;
  #waitingFor: string | null = null;

  constructor(options: EventWriterOptions) {
    this.#topic = options.topic;
    this.#link = new BrokerLink(options);
    this.#leaders = new TopicLeaders(this.#link, options.topic);
    this.#options = options;
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Finds the topic and gets an identity. */
  async open(): Promise<void> {
    this.#options.signal?.throwIfAborted();
    await persevere(this.#link, async () => {
      await this.#countPartitions();
      await this.#ensureIdentity();
    });
  }

  async write(messages: readonly EventToWrite[]): Promise<void> {
    this.#stop.signal.throwIfAborted();
    if (messages.length === 0) return;
    const ticket = new Ticket(messages.length);
    for (const message of messages) {
      const key = typeof message.key === 'string' ? Buffer.from(message.key) : message.key;
      const { value, timestampMs, headers } = message;
      this.#queue(this.#choosePartition(message.partition, key)).add({ key, value, timestampMs, headers }, ticket);
    }
    // Starts once the callers of this turn of the event loop have added theirs, so that small writes share a batch.
    if (!this.#running) {
      this.#running = true;
      setImmediate(() => void this.#run());
    }
    await ticket.settled;
  }

  waitingFor(): string | null {
    return this.#waitingFor;
  }

  close(): Promise<void> {
    this.#end(new Error(`The writer of topic ${this.#topic} is closed.`));
    return Promise.resolve();
  }

  readonly #onAbort = (): void => this.#end(this.#options.signal?.reason);

  #end(reason: unknown): void {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#stop.abort(reason);
    this.#link.close('The writer was stopped.');
    for (const queue of this.#queues.values()) queue.abandon(reason);
  }

  #choosePartition(chosen: number | undefined, key: Buffer | null): number {
    if (chosen !== undefined) {
      assert(chosen >= 0 && chosen < this.#partitionCount, `Topic ${this.#topic} has no partition ${chosen}.`);
      return chosen;
    }
    if (key !== null) return partitionOf(key, this.#partitionCount);
    this.#turn = (this.#turn + 1) % this.#partitionCount;
    return this.#turn;
  }

  #queue(partition: number): PartitionQueue {
    const known = this.#queues.get(partition);
    if (known) return known;
    const queue = new PartitionQueue();
    this.#queues.set(partition, queue);
    return queue;
  }

  /** Sends round after round until nothing waits; one batch per partition and one request per broker in flight. */
  async #run(): Promise<void> {
    try {
      while (!this.#stop.signal.aborted && (await this.#round()));
    } catch (thrown) {
      for (const queue of this.#queues.values()) queue.abandon(thrown);
      // What became of batches in flight is unknown, so their numbers can't be used for others.
      this.#identityLost = true;
      this.#running = false;
    }
  }

  async #round(): Promise<boolean> {
    try {
      await this.#ensureIdentity();
      const identity = must(this.#identity, 'a producer has its identity before it sends');
      const batches: PartitionBatch[] = [];
      for (const [partition, queue] of this.#queues) {
        const bytes = queue.inHand(identity);
        if (bytes !== null) batches.push({ partition, bytes });
      }
      // In the same breath as the look at the queues, or a write in between would wait for a round that nobody starts.
      this.#running = batches.length > 0;
      if (!this.#running) return false;
      const troubles = (await this.#sendToLeaders(batches)).filter((trouble) => trouble !== null);
      // One that doesn't pass is thrown first; a broken connection needs more renewing than a moved leader.
      const worst = troubles.find((each) => troubleOf(each) === null) ?? troubles[0];
      if (worst) throw worst;
      this.#backoff.reset();
      this.#waitingFor = null;
    } catch (thrown) {
      await this.#waitOut(thrown);
    }
    return true;
  }

  /** What went wrong with each leader's request, or null. Every partition sent must come back without an error. */
  async #sendToLeaders(batches: readonly PartitionBatch[]): Promise<(Error | null)[]> {
    await this.#countPartitions();
    const requests = [...(await this.#leaders.byLeader(batches))].map(async ([leader, led]) => {
      try {
        const broker = await this.#leaders.broker(leader, led);
        this.#settle(led, await produce(broker, this.#topic, led));
        return null;
      } catch (thrown) {
        return thrown instanceof Error ? thrown : new Error(String(thrown));
      }
    });
    return Promise.all(requests);
  }

  #settle(sent: readonly PartitionBatch[], codes: ReadonlyMap<number, number>): void {
    let trouble: Error | null = null;
    for (const { partition, bytes } of sent) {
      const queue = this.#queue(partition);
      const code = codes.get(partition);
      const type = protocolError(code ?? 0)?.type ?? String(code);
      if (code === 0) queue.confirmed();
      else if (code === undefined)
        trouble = new PassingError('UNCONFIRMED', `Partition ${partition} was not confirmed.`);
      else if (IDENTITY_ERRORS.has(code)) trouble = this.#forgotten(partition, code);
      else if (passes(code)) trouble = new PassingError(type, this.#sentence(partition, code));
      else if (!isTooLarge(code) || !queue.split()) {
        const next = 'check the size and time of the message, the limits of the topic and the rights of this client';
        queue.refuse(
          new KafkaRefusedError(type, `${this.#sentence(partition, code)} (${bytes.length} bytes); ${next}.`),
        );
      }
    }
    if (trouble) throw trouble;
  }

  #sentence(partition: number, code: number): string {
    const error = protocolError(code);
    return `Kafka did not write to partition ${partition} of topic ${this.#topic} (${error?.type}): ${error?.message}`;
  }

  #forgotten(partition: number, code: number): PassingError {
    this.#identityLost = true;
    return new PassingError('FORGOTTEN', `${this.#sentence(partition, code)}; writing goes on as a new producer.`);
  }

  /** A new identity starts every partition's numbers anew; batches whose fate is unknown may then be written twice. */
  async #ensureIdentity(): Promise<void> {
    if (this.#identity !== null && !this.#identityLost) return;
    this.#identity = await newIdentity(await this.#link.anyBroker());
    this.#identityLost = false;
    for (const queue of this.#queues.values()) queue.renumber();
  }

  async #waitOut(thrown: unknown): Promise<void> {
    const trouble = troubleOf(thrown);
    if (trouble === null) throw thrown;
    this.#leaders.forget();
    if (trouble.renew === 'connection') this.#link.cut(trouble.reason);
    this.#waitingFor = trouble.reason;
    this.#options.onTrouble?.(trouble.kind);
    await this.#backoff.wait(this.#stop.signal);
  }

  async #countPartitions(): Promise<void> {
    this.#partitionCount = (await this.#leaders.current()).partitionMetadata.length;
  }
}

/** Opens a writer of a topic that exists. Throws TopicMissingError, KafkaUnreachableError or KafkaRefusedError. */
export async function openEventWriter(options: EventWriterOptions): Promise<EventWriter> {
  const writer = new Writer(options);
  try {
    await writer.open();
  } catch (thrown) {
    await writer.close();
    throw thrown;
  }
  return writer;
}
