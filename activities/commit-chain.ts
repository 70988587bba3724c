// A chain of commits: one partition read from its checkpoint on, each micro-batch committed behind the one before it.
import { setTimeout as wait } from 'node:timers/promises';

import type { Client } from 'pg';

import type { PartitionReader } from '../kafka/partition-reader.ts';
import type { IngestMetrics, LeaseStanding } from '../observability/ingest-metrics.ts';
import type { Checkpoint, Counts, RejectionCounts } from '../pipeline/checkpoint.ts';
import type { Message } from '../pipeline/message.ts';
import { NO_COUNTS, addCounts, formMicroBatch } from '../pipeline/micro-batch.ts';
import type { FetchedRange, MicroBatch } from '../pipeline/micro-batch.ts';
import { parseMessage } from '../pipeline/parse-message.ts';
import type { Verdict } from '../pipeline/parse-message.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { portionsOf } from '../pipeline/portion.ts';
import { RecentIdentities } from '../pipeline/recent-identities.ts';
import { BatchCommitter } from '../postgres/batch-committer.ts';
import type { Committed, PreparedBatch } from '../postgres/batch-committer.ts';
import type { SharedCommits } from '../postgres/shared-commits.ts';

/** Where a chain stands; plain numbers, for heartbeats and metrics. `lagMs`: age of the last committed message while there are unread ones. */
export type ChainProgress = {
  readonly nextOffset: number;
  readonly endOffset: number;
  readonly lagMs: number;
  readonly counts: Counts;
};

export type ChainParts = {
  readonly spec: PipelineSpec;
  readonly checkpoint: Checkpoint;
  readonly reader: PartitionReader;
  readonly client: Client;
  readonly metrics: IngestMetrics;
  /** Commits small batches together with other partitions'; absent: each alone. */
  readonly shared?: Pick<SharedCommits, 'commit'> | undefined;
};

/** A batch that is ready to commit: how long it took until here (s), and when its oldest record was written to Kafka (epoch ms; null: it holds none). */
type Ready = {
  readonly prepared: PreparedBatch;
  readonly seconds: { readonly fetch: number; readonly parse: number; readonly encode: number };
  readonly producedMs: number | null;
};

/**
 * The shortest time from one commit of a partition that is read to its end to the next, so that small transactions don't take
 * all CPU time. One run of 20 s each at 10,000 events/s: p50 11, 10 and 12 ms with 0, 5 and 8 ms; too few to tell them apart.
 */
const LEAST_TURN_MS = 5;

/**
 * All in-memory state of a partition: what was read ahead, what is encoded, which identities were seen. It is true only
 * while every commit succeeds. When one fails, or nobody knows whether it did, the whole chain is thrown away and a new
 * one starts from the checkpoint row.
 */
export class CommitChain {
  readonly #parts: ChainParts;
  readonly #committer: BatchCommitter;
  readonly #judge: (message: Message) => Verdict;
  readonly #recent = new RecentIdentities();
  #nextOffset: number;
  #counts = NO_COUNTS;
  #hasRefused = false;
  #turnedMs = -Infinity;
  #watermarkMs: number | null;
  #lastTimestampMs: number | null = null;

  constructor(parts: ChainParts) {
    const { spec, checkpoint, client, shared = null } = parts;
    this.#parts = parts;
    const { partition, epoch, reachedOffset } = checkpoint;
    this.#committer = new BatchCommitter(client, { spec, partition, epoch, reachedOffset }, shared);
    const rules = { maxFutureMs: spec.maxFutureMs, retentionMs: spec.retentionMs };
    this.#judge = (message) => parseMessage(message, rules);
    this.#nextOffset = checkpoint.nextOffset;
    this.#watermarkMs = checkpoint.watermarkMs;
  }

  /**
   * Ingests while `goOn()` says so, then waits for the commit in hand: whoever gets the result knows the checkpoint. Also
   * ends behind a row that PostgreSQL refused, since what follows was judged as if that event were there: a new chain goes on.
   * `onTurn` is called at every turn of the loop, at least as often as an empty fetch returns.
   */
  async run(goOn: () => boolean, onTurn: (progress: ChainProgress) => void): Promise<void> {
    let inFlight: Promise<void> = Promise.resolve();
    let portions: FetchedRange[] = [];
    try {
      while (goOn()) {
        if (portions.length === 0 && this.#parts.reader.atEnd()) {
          await inFlight;
          await this.#untilNextTurn();
        }
        const turnedMs = performance.now();
        this.#turnedMs = turnedMs;
        const [portion, ...rest] = portions.length > 0 ? portions : portionsOf(await this.#parts.reader.next());
        portions = rest;
        if (portion !== undefined && portion.nextOffset > portion.fromOffset) {
          const ready = this.#ready(portion, turnedMs);
          await inFlight;
          if (this.#hasRefused) break;
          inFlight = this.#commit(ready);
          // Looked at by the next turn; without this, a failure in between would count as unhandled.
          inFlight.catch(() => {});
        } else {
          await inFlight;
          if (this.#hasRefused) break;
        }
        onTurn(this.progress());
      }
    } finally {
      // Also when reading failed: the commit in hand must not be cut off.
      await inFlight;
    }
  }

  /**
   * With nothing unread, what comes while a commit is under way goes into the next one together. Reading on at once instead made
   * a commit of the first message that came, behind which the others waited: at 10,000 events/s twice the median latency.
   */
  async #untilNextTurn(): Promise<void> {
    const restMs = LEAST_TURN_MS - (performance.now() - this.#turnedMs);
    if (restMs > 0) await wait(restMs);
  }

  /** What was fetched since `turnedMs`, judged and encoded. */
  #ready(portion: FetchedRange, turnedMs: number): Ready {
    const fetchedMs = performance.now();
    const batch = formMicroBatch(portion, this.#judge, this.#recent);
    const judgedMs = performance.now();
    const prepared = this.#committer.prepare(batch);
    const encodedMs = performance.now();
    const seconds = {
      fetch: (fetchedMs - turnedMs) / 1000,
      parse: (judgedMs - fetchedMs) / 1000,
      encode: (encodedMs - judgedMs) / 1000,
    };
    return { prepared, seconds, producedMs: portion.messages[0]?.timestampMs ?? null };
  }

  progress(): ChainProgress {
    const endOffset = Math.max(this.#parts.reader.endOffset(), this.#nextOffset);
    const behind = endOffset > this.#nextOffset && this.#lastTimestampMs !== null;
    const lagMs = behind ? Math.max(0, Date.now() - (this.#lastTimestampMs ?? 0)) : 0;
    return { nextOffset: this.#nextOffset, endOffset, lagMs, counts: this.#counts };
  }

  /** For the metrics, asked at any time. */
  standing(): LeaseStanding {
    const { nextOffset, endOffset } = this.progress();
    const unread = endOffset - nextOffset;
    const nowMs = Date.now();
    const since = (atMs: number | null): number | null => (atMs === null ? null : Math.max(0, nowMs - atMs));
    const newestMs = this.#watermarkMs === null ? null : this.#watermarkMs + this.#parts.spec.latenessMs;
    return {
      unread,
      lagMs: unread === 0 ? 0 : since(this.#lastTimestampMs),
      eventTimeLagMs: unread === 0 ? 0 : since(newestMs),
      watermarkMs: this.#watermarkMs,
    };
  }

  async #commit(ready: Ready): Promise<void> {
    const startedMs = performance.now();
    const committed = await this.#committer.commit(ready.prepared);
    const commitSeconds = (performance.now() - startedMs) / 1000;
    const newestMs = this.#advance(ready.prepared.batch, committed);
    this.#count(ready, committed, { commitSeconds, newestMs });
  }

  /** Event time of the batch's newest event (epoch ms); null of none. */
  #advance(batch: MicroBatch, { counts, toOffset, refused }: Committed): number | null {
    this.#nextOffset = toOffset;
    this.#hasRefused = refused > 0;
    this.#counts = addCounts(this.#counts, counts);
    const last = batch.events.at(-1)?.message ?? batch.rejected.at(-1)?.message;
    if (last) this.#lastTimestampMs = last.timestampMs;
    let newestMs = -Infinity;
    for (const { event } of batch.events) if (event.occurredAtMs > newestMs) newestMs = event.occurredAtMs;
    if (newestMs === -Infinity) return null;
    const watermarkMs = newestMs - this.#parts.spec.latenessMs;
    if (this.#watermarkMs === null || watermarkMs > this.#watermarkMs) this.#watermarkMs = watermarkMs;
    return newestMs;
  }

  #count(
    { prepared, seconds, producedMs }: Ready,
    committed: Committed,
    { commitSeconds, newestMs }: { commitSeconds: number; newestMs: number | null },
  ): void {
    const { spec, checkpoint, metrics } = this.#parts;
    const of = { topic: spec.topic, partition: checkpoint.partition };
    const { counts } = committed;
    const nowMs = Date.now();
    const since = (atMs: number | null): number | null => (atMs === null ? null : Math.max(0, nowMs - atMs) / 1000);
    metrics.batchCommitted({
      ...of,
      counts,
      rejectedByReason: rejectionCounts(prepared.batch, committed),
      rows: counts.recorded + counts.rejected,
      bytes: bytesOf(prepared),
      seconds: {
        ...seconds,
        commit: commitSeconds,
        eventTimeToCommit: since(newestMs),
        produceToCommit: since(producedMs),
      },
    });
    if (committed.staged) metrics.batchStaged(of);
    if (committed.refused > 0) metrics.batchRetried({ ...of, cause: 'row_refused' });
    if (committed.remarked > 0) metrics.batchRetried({ ...of, cause: 'closed_meanwhile' });
  }
}

/** Of the rows that the batch holds: each copy also has a head and an end, which are there without rows too. */
function bytesOf({ batch, events, letters }: PreparedBatch): number {
  return (batch.events.length > 0 ? events.length : 0) + (batch.rejected.length > 0 ? letters.length : 0);
}

function rejectionCounts({ rejected }: MicroBatch, { toOffset, refused }: Committed): RejectionCounts {
  const counts: { -readonly [Reason in keyof RejectionCounts]: RejectionCounts[Reason] } = {};
  for (const { rejection, message } of rejected) {
    if (message.offset < toOffset) counts[rejection.reason] = (counts[rejection.reason] ?? 0) + 1;
  }
  if (refused > 0) counts.unstorable = (counts.unstorable ?? 0) + refused;
  return counts;
}
