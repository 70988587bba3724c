// Reads one partition from a chosen offset, one fetch ahead of its caller while more is there, and never skips anything in silence.
import { assert } from '../pipeline/ensure.ts';
import type { LinkOptions } from './broker-link.ts';
import { PartitionFetch } from './partition-fetch.ts';
import type { FetchedMessages } from './partition-fetch.ts';

export type { FetchedMessages };

export type PartitionReader = {
  /**
   * The next fetch; with nothing new it comes back empty after `maxWaitMs`. One call at a time. Waits through leader
   * changes, restarts and throttling, at most `patienceMs` without an answer. Throws LongTroubleError, LostRangeError,
   * OffsetBeyondEndError, UnreadableRecordsError, KafkaRefusedError, or the reason of the caller's AbortSignal; the
   * position then stays where it was.
   */
  next(): Promise<FetchedMessages>;
  /** Reads on from `offset`; what was fetched ahead is thrown away. */
  seek(offset: number): void;
  /** The freshest known end of the partition (last stable offset); the starting offset before the first answer. */
  endOffset(): number;
  /** Whether nothing is fetched ahead: the last fetch went to the end of the log as it was then, or there was none. */
  atEnd(): boolean;
  /** Why nothing comes at present, as a sentence for people; null while all is well. */
  waitingFor(): string | null;
  /** Cuts the connections; a waiting `next` rejects. */
  close(): Promise<void>;
};

export type PartitionReaderOptions = LinkOptions & {
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: number;
  /** Bytes a fetch may bring; a larger single batch still comes whole. */
  readonly maxBytes?: number;
  readonly maxWaitMs?: number;
  readonly patienceMs?: number;
  readonly signal?: AbortSignal;
};

/** 1,000 to 3,400 events a fetch, where PostgreSQL takes a micro-batch fastest. */
const MAX_BYTES = 700 * 1024;
const MAX_WAIT_MS = 100;
/** Longer than a broker takes to start again. A reader that is cut off must give its partition back: others may not be. */
const PATIENCE_MS = 60_000;

type Ahead = { readonly fetched: Promise<FetchedMessages> };

class Reader implements PartitionReader {
  readonly #fetch: PartitionFetch;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal | undefined;
  readonly #place: string;
  #position: number;
  #endOffset: number;
  #ahead: Ahead | null = null;

  constructor(options: PartitionReaderOptions) {
    const { topic, partition, fromOffset, signal } = options;
    this.#place = `partition ${partition} of topic ${topic}`;
    this.#position = fromOffset;
    this.#endOffset = fromOffset;
    this.#fetch = new PartitionFetch(
      {
        ...options,
        maxBytes: options.maxBytes ?? MAX_BYTES,
        maxWaitMs: options.maxWaitMs ?? MAX_WAIT_MS,
        patienceMs: options.patienceMs ?? PATIENCE_MS,
      },
      this.#stop.signal,
    );
    this.#signal = signal;
    // Not AbortSignal.any: a worker's signal outlives thousands of readers, and this listener goes with its reader.
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (signal?.aborted) this.#onAbort();
  }

  async next(): Promise<FetchedMessages> {
    for (;;) {
      const ahead = (this.#ahead ??= this.#start());
      let fetched: FetchedMessages;
      try {
        fetched = await ahead.fetched;
      } catch (thrown) {
        if (this.#ahead !== ahead) continue;
        this.#ahead = null;
        throw thrown;
      }
      if (this.#ahead !== ahead) continue;
      this.#position = fetched.nextOffset;
      // At the end of the log a fetch ahead would bring the first message that comes, and the others would wait behind it.
      this.#ahead = fetched.nextOffset < fetched.endOffset ? this.#start() : null;
      return fetched;
    }
  }

  seek(offset: number): void {
    assert(Number.isSafeInteger(offset) && offset >= 0, `${offset} is no offset to seek to.`);
    this.#position = offset;
    this.#ahead = null;
  }

  endOffset(): number {
    return this.#endOffset;
  }

  atEnd(): boolean {
    return this.#ahead === null;
  }

  waitingFor(): string | null {
    return this.#fetch.waitingFor();
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error(`The reader of ${this.#place} is closed.`));
    this.#signal?.removeEventListener('abort', this.#onAbort);
    await this.#ahead?.fetched.catch(() => undefined);
  }

  readonly #onAbort = (): void => {
    this.#stop.abort(this.#signal?.reason);
  };

  #start(): Ahead {
    const fetched = this.#fetch.from(this.#position).then((result) => {
      this.#endOffset = Math.max(result.endOffset, result.nextOffset);
      return result;
    });
    // Its error belongs to the `next` that asks for it; a fetch that a seek threw away has nobody to tell.
    fetched.catch(() => undefined);
    return { fetched };
  }
}

/**
 * Opens a reader that starts at `fromOffset`. It resolves at once and connects in the background, so that the caller can
 * show why a first answer takes long (`waitingFor`).
 */
export function openPartitionReader(options: PartitionReaderOptions): Promise<PartitionReader> {
  return Promise.resolve(new Reader(options));
}
