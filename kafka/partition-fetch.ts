// Fetching from one partition through all trouble that passes: leader changes, broken connections, brokers that restart.
import { assert } from '../pipeline/ensure.ts';
import type { Message } from '../pipeline/message.ts';
import { Backoff } from './backoff.ts';
import { BrokerLink } from './broker-link.ts';
import type { LinkOptions } from './broker-link.ts';
import { LongTroubleError, LostRangeError, OffsetBeyondEndError } from './failures.ts';
import { readFetchResponse } from './fetch-response.ts';
import type { FetchResponse } from './fetch-response.ts';
import { protocolRequest } from './kafkajs-internals.ts';
import type { Broker } from './kafkajs-internals.ts';
import { lookUpOffsets } from './offset-lookup.ts';
import { readRecords } from './record-batch.ts';
import { PassingError, hasTimedOut, throwProtocolError, troubleOf } from './trouble.ts';

/**
 * What one fetch gave. `nextOffset` is the position after it: it also passes control records, aborted transactions and
 * compacted holes. `endOffset` is the last stable offset, so nextOffset === endOffset means read to the end.
 */
export type FetchedMessages = {
  readonly messages: Message[];
  readonly fromOffset: number;
  readonly nextOffset: number;
  readonly endOffset: number;
  readonly logStartOffset: number;
};

export type FetchOptions = LinkOptions & {
  readonly topic: string;
  readonly partition: number;
  readonly maxBytes: number;
  readonly maxWaitMs: number;
  /** Trouble that lasts longer is thrown. */
  readonly patienceMs: number;
};

const READ_COMMITTED = 1;
const OFFSET_OUT_OF_RANGE = 1;
const FETCH_VERSION = 11;
/** A leader that just took over may not know its end yet, so one look beyond the end is no proof. */
const LOOKS_BEYOND_END = 3;
/** On a slow link an answer of the usual size may never come in time: then smaller ones are asked for, and larger ones step by step. */
const SHRINK = 4;
const GROWTH = 1.125;
const LEAST_BYTES = 16 * 1024;

/** Fetches of one partition, one at a time, over a link of its own: a broker answers the requests of a connection in order. */
export class PartitionFetch {
  readonly #options: FetchOptions;
  readonly #link: BrokerLink;
  readonly #backoff = new Backoff();
  readonly #stop: AbortSignal;
  #leader: Broker | null = null;
  #maxBytes: number;
  #waitingFor: string | null = null;
  #troubleSinceMs: number | null = null;
  #throttledUntilMs = 0;

  /** `stop` ends every wait and cuts the link. */
  constructor(options: FetchOptions, stop: AbortSignal) {
    this.#options = options;
    this.#maxBytes = options.maxBytes;
    this.#link = new BrokerLink(options);
    this.#stop = stop;
    stop.addEventListener('abort', () => this.#link.close('The reader of the partition was stopped.'), { once: true });
  }

  /** Why no messages come at present, as a sentence; null while all is well. */
  waitingFor(): string | null {
    const throttledMs = this.#throttledUntilMs - Date.now();
    if (this.#waitingFor === null && throttledMs > 0) return `Kafka throttles this client for ${throttledMs} ms more.`;
    return this.#waitingFor;
  }

  /** The messages from `offset` on; waits while trouble lasts, but no longer than `patienceMs`. */
  async from(offset: number): Promise<FetchedMessages> {
    let looksBeyondEnd = 0;
    for (;;) {
      this.#stop.throwIfAborted();
      try {
        const fetched = await this.#once(offset);
        this.#backoff.reset();
        this.#waitingFor = null;
        this.#troubleSinceMs = null;
        if (fetched !== null) return fetched;
      } catch (thrown) {
        this.#stop.throwIfAborted();
        if (thrown instanceof OffsetBeyondEndError) {
          looksBeyondEnd += 1;
          if (looksBeyondEnd >= LOOKS_BEYOND_END) throw thrown;
        }
        await this.#waitOut(thrown);
      }
    }
  }

  async #waitOut(thrown: unknown): Promise<void> {
    const beyondEnd = thrown instanceof OffsetBeyondEndError;
    const trouble = beyondEnd ? ({ renew: 'leader', reason: thrown.message } as const) : troubleOf(thrown);
    if (trouble === null) throw thrown;
    this.#leader = null;
    if (trouble.renew === 'connection') this.#link.cut(trouble.reason);
    if (hasTimedOut(thrown)) this.#askForLess();
    this.#waitingFor = trouble.reason;
    const nowMs = performance.now();
    const lastedMs = nowMs - (this.#troubleSinceMs ??= nowMs);
    if (lastedMs > this.#options.patienceMs) {
      this.#troubleSinceMs = null;
      throw new LongTroubleError({ ...this.#options, lastedMs, reason: trouble.reason }, thrown);
    }
    try {
      await this.#backoff.wait(this.#stop);
    } catch {
      this.#stop.throwIfAborted();
    }
  }

  /** Null when the broker throttles and answers with nothing; kafkajs holds the next request back for that time. */
  async #once(offset: number): Promise<FetchedMessages | null> {
    const { topic, partition } = this.#options;
    const leader = (this.#leader ??= await this.#findLeader());
    const answer = await this.#ask(leader, offset);
    if (answer.throttleMs > 0) this.#throttledUntilMs = Date.now() + answer.throttleMs;
    if (answer.errorCode === OFFSET_OUT_OF_RANGE) await this.#explainOutOfRange(leader, offset);
    throwProtocolError(answer.errorCode, { sentence: `Partition ${partition} of topic ${topic} can't be read` });
    if (answer.highWatermark < 0) return null;
    const bytes = answer.records;
    const read = await readRecords({ topic, partition, bytes, fromOffset: offset, aborted: answer.aborted });
    // Kafka returns a first batch larger than the limit whole; should a broker cut it, a larger fetch gets it.
    const cutOff = read.nextOffset === offset && bytes.length > 0;
    this.#maxBytes = cutOff
      ? Math.min(this.#maxBytes * 2, 2 ** 30)
      : Math.min(this.#options.maxBytes, Math.ceil(this.#maxBytes * GROWTH));
    return {
      messages: read.messages,
      fromOffset: offset,
      nextOffset: read.nextOffset,
      endOffset: answer.lastStableOffset < 0 ? answer.highWatermark : answer.lastStableOffset,
      logStartOffset: answer.logStartOffset,
    };
  }

  #askForLess(): void {
    const least = Math.min(this.#options.maxBytes, LEAST_BYTES);
    this.#maxBytes = Math.max(least, Math.floor(this.#maxBytes / SHRINK));
  }

  async #ask(leader: Broker, offset: number): Promise<FetchResponse> {
    const { topic, partition, maxWaitMs } = this.#options;
    const maxBytes = this.#maxBytes;
    const partitions = [{ partition, fetchOffset: offset, maxBytes }];
    const request = protocolRequest<FetchResponse & { clientSideThrottleTime: number }>(leader, 'Fetch', {
      isolationLevel: READ_COMMITTED,
      maxWaitTime: maxWaitMs,
      minBytes: 1,
      maxBytes,
      topics: [{ topic, partitions }],
      rackId: '',
    });
    assert(request.request.apiVersion === FETCH_VERSION, 'This Kafka broker is older than 2.3: update it.');
    // kafkajs holds its requests back while the throttle time that `decode` reports lasts.
    const decode = (payload: Buffer) => {
      const answer = readFetchResponse(payload);
      return Promise.resolve({ ...answer, clientSideThrottleTime: answer.throttleMs });
    };
    const parse = (answer: FetchResponse & { clientSideThrottleTime: number }) => Promise.resolve(answer);
    return leader.connectionPool.send({ ...request, response: { decode, parse } });
  }

  async #findLeader(): Promise<Broker> {
    const { topic, partition } = this.#options;
    const metadata = await this.#link.topicMetadata(topic);
    const sentence = `Topic ${topic} can't be read`;
    throwProtocolError(metadata.topicErrorCode, { sentence });
    const found = metadata.partitionMetadata.find((each) => each.partitionId === partition);
    if (!found) throw new PassingError('NO_PARTITION', `Topic ${topic} has no partition ${partition} (yet).`);
    const leader = found.leader < 0 ? null : await this.#link.node(found.leader);
    if (!leader) throw new PassingError('NO_LEADER', `Partition ${partition} of topic ${topic} has no leader now.`);
    return leader;
  }

  async #explainOutOfRange(leader: Broker, wanted: number): Promise<never> {
    const { topic, partition } = this.#options;
    const [range] = await lookUpOffsets(leader, { topic, partitions: [partition], end: 'written' });
    assert(range !== undefined, `Kafka gave no offsets of partition ${partition} of topic ${topic}.`);
    const { logStartOffset: logStart, endOffset: logEnd } = range;
    if (wanted < logStart) throw new LostRangeError({ topic, partition, wanted, logStart });
    if (wanted > logEnd) throw new OffsetBeyondEndError({ topic, partition, wanted, logEnd });
    throw new PassingError(
      'OFFSET_OUT_OF_RANGE',
      `Offset ${wanted} of partition ${partition} of topic ${topic} was out of range a moment ago.`,
    );
  }
}
