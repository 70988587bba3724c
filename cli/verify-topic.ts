// Reads the topic again, as far as its partitions were ever read, and stores what every message should have become.
import { LostRangeError, OffsetBeyondEndError } from '../kafka/failures.ts';
import { openPartitionReader } from '../kafka/partition-reader.ts';
import type { FetchedMessages } from '../kafka/partition-reader.ts';
import { partitionOffsets } from '../kafka/topics.ts';
import { comparePartitions } from '../pipeline/check.ts';
import type { Check } from '../pipeline/check.ts';
import type { Event } from '../pipeline/event.ts';
import { parseMessage } from '../pipeline/parse-message.ts';
import type { ReadRange } from '../pipeline/partition-run.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import type { JudgedMessage, RecountTables, TrustedReason } from '../postgres/verify-recount.ts';

/** Larger than ingestion's fetches: nobody waits for these messages. */
const FETCH_BYTES = 4 * 1024 * 1024;
const FETCH_WAIT_MS = 1000;
/** A log that ends before the checkpoint is given this long to show the rest (a broker that has just come back). */
const END_OF_LOG_FETCHES = 5;

export type TopicRecount = {
  readonly brokers: readonly string[];
  readonly spec: PipelineSpec;
  readonly ranges: readonly ReadRange[];
  readonly tables: RecountTables;
  /** Hears how many messages were judged and of how many, now and then. */
  readonly onProgress: (judged: number, of: number) => void;
};

/** `unstorable`, `refusedByOlder`: valid messages that are dead letters for a reason that is taken on trust. */
type Recounted = {
  /** Partitions whose log still holds, and gave, all that was ever read of them. */
  readonly whole: ReadonlySet<number>;
  readonly messages: number;
  readonly unstorable: number;
  readonly refusedByOlder: number;
  readonly check: Check;
};

/**
 * Judges every message that the log still holds of what was read, partition by partition. The check it returns says whether
 * the log reaches that far at all.
 */
export async function recountTopic(recount: TopicRecount): Promise<Recounted> {
  const { brokers, spec, ranges, tables, onProgress } = recount;
  const logs = await partitionOffsets({ brokers: [...brokers], topic: spec.topic });
  const startOf = new Map(logs.map(({ partition, logStartOffset }) => [partition, logStartOffset]));
  const total = ranges.reduce(
    (sum, { partition, firstOffset, nextOffset }) =>
      sum + Math.max(0, nextOffset - Math.max(firstOffset, startOf.get(partition) ?? nextOffset)),
    0,
  );
  let messages = 0;
  let unstorable = 0;
  let refusedByOlder = 0;
  const whole = new Set<number>();
  const reached: { partition: number; expected: number; found: number }[] = [];
  for (const range of ranges) {
    const { partition, firstOffset, nextOffset } = range;
    const from = Math.max(firstOffset, startOf.get(partition) ?? firstOffset);
    const run = new PartitionRecount(recount, range, (judged) => onProgress(messages + judged, total));
    // A partition that the topic does not have, or whose log ends before what was read, was made anew.
    const end = startOf.has(partition) ? await run.read(from) : firstOffset;
    messages += run.messages;
    unstorable += run.trusted.unstorable;
    refusedByOlder += run.trusted.unsupported_version;
    if (run.from === firstOffset && end === nextOffset) whole.add(partition);
    reached.push({ partition, expected: nextOffset, found: end });
  }
  await tables.analyze();
  const claim = 'the topic still reaches as far as it was read';
  return { whole, messages, unstorable, refusedByOlder, check: comparePartitions('end of log', claim, reached) };
}

/** One partition's recount; begins again at the log start whenever that overtakes it. */
class PartitionRecount {
  messages = 0;
  /** The first offset that was judged; null before it has been read. */
  from: number | null = null;
  trusted: Record<TrustedReason, number> = { unstorable: 0, unsupported_version: 0 };
  readonly #recount: TopicRecount;
  readonly #range: ReadRange;
  readonly #onJudged: (judged: number) => void;

  constructor(recount: TopicRecount, range: ReadRange, onJudged: (judged: number) => void) {
    this.#recount = recount;
    this.#range = range;
    this.#onJudged = onJudged;
  }

  /** Returns the offset up to which the partition was read. */
  async read(from: number): Promise<number> {
    const { tables } = this.#recount;
    const { partition, nextOffset } = this.#range;
    let start = Math.min(from, nextOffset);
    for (;;) {
      try {
        const end = await this.#readFrom(start);
        await tables.finish({ partition, fromOffset: start, toOffset: end, messages: this.messages });
        this.from = start;
        return end;
      } catch (error) {
        if (error instanceof OffsetBeyondEndError) {
          await tables.forget(partition);
          await tables.finish({ partition, fromOffset: start, toOffset: start, messages: 0 });
          return error.logEnd;
        }
        if (!(error instanceof LostRangeError) || error.logStart <= start) throw error;
        await tables.forget(partition);
        this.messages = 0;
        this.trusted = { unstorable: 0, unsupported_version: 0 };
        start = Math.min(error.logStart, nextOffset);
      }
    }
  }

  async #readFrom(start: number): Promise<number> {
    const { nextOffset, partition } = this.#range;
    if (start >= nextOffset) return nextOffset;
    const { brokers, spec } = this.#recount;
    const reader = await openPartitionReader({
      brokers: [...brokers],
      topic: spec.topic,
      partition,
      fromOffset: start,
      maxBytes: FETCH_BYTES,
      maxWaitMs: FETCH_WAIT_MS,
    });
    try {
      let position = start;
      let emptyFetches = 0;
      while (position < nextOffset && emptyFetches < END_OF_LOG_FETCHES) {
        const fetched = await reader.next();
        emptyFetches = fetched.nextOffset === position ? emptyFetches + 1 : 0;
        await this.#judge(fetched);
        position = fetched.nextOffset;
      }
      return Math.min(position, nextOffset);
    } finally {
      await reader.close();
    }
  }

  async #judge({ messages, fromOffset, nextOffset }: FetchedMessages): Promise<void> {
    const { tables, spec } = this.#recount;
    const { partition, nextOffset: limit } = this.#range;
    const refused = await tables.trustedRefusals(partition, fromOffset, nextOffset);
    const judged: JudgedMessage[] = [];
    for (const message of messages) {
      if (message.offset >= limit) break;
      const verdict = parseMessage(message, spec);
      const reason = verdict.event && trustedReason(verdict.event, refused.get(message.offset));
      if (reason) {
        this.trusted[reason] += 1;
        judged.push({ message, event: null, rejection: { reason, field: null, detail: '' } });
      } else judged.push({ message, ...verdict });
    }
    this.messages += judged.length;
    await tables.add(partition, judged);
    this.#onJudged(this.messages);
  }
}

/** An older build cannot be the one that refused version 1. */
function trustedReason({ fields }: Event, reason: TrustedReason | undefined): TrustedReason | null {
  if (reason === 'unsupported_version' && (fields.schema_version ?? 1) === 1) return null;
  return reason ?? null;
}
