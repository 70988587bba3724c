// Commits micro-batches of one lease: exactly once, fenced, whatever is in them.
import type pg from 'pg';

import type { Counts } from '../pipeline/checkpoint.ts';
import { messageOf, must } from '../pipeline/ensure.ts';
import { partitionId } from '../pipeline/ids.ts';
import { addCounts, countsOf, refuseOnlyEvent, replaysOf, splitMicroBatch } from '../pipeline/micro-batch.ts';
import type { MicroBatch, RecordedEvent } from '../pipeline/micro-batch.ts';
import { isReread, plainCommitSql, stagedCommitSql } from './commit-sql.ts';
import type { Claim, Step } from './commit-sql.ts';
import { CopyBuffer } from './copy-buffer.ts';
import { encodeDeadLetters } from './dead-letters.ts';
import { EventDays } from './event-days.ts';
import { encodeEvents, encodeLateEvents } from './event-rows.ts';
import { fusedCopy } from './fused-copy.ts';
import type { SharedCommits } from './shared-commits.ts';
import { quoteSchema } from './schema-name.ts';
import { CLOSED_MEANWHILE, FENCED, isDataError, isDuplicate, sqlState } from './sqlstate.ts';

/** Another consumer has taken the partition over: nothing was committed, and nothing may be any more. */
export class FencedError extends Error {
  constructor({ spec, partition, epoch }: Claim, options: ErrorOptions) {
    super(
      `Another lease has taken partition ${partition} of ${spec.topic} over from this one (epoch ${epoch}), which committed nothing more and has ended; should that go on, two workflows own the partition: end the one that is not "${partitionId(spec.topic, partition)}" (temporal workflow list).`,
      options,
    );
    this.name = 'FencedError';
  }
}

/** A batch with its rows already encoded; valid until the second `prepare` after its own. */
export type PreparedBatch = { readonly batch: MicroBatch; readonly events: Buffer; readonly letters: Buffer };

/**
 * How a batch went in, up to `toOffset`: its end, unless a row was refused. `staged`: through the staging table, because of
 * duplicates or because it was read before; `refused`: rows that PostgreSQL would not take; `remarked`: times that closed_through had moved meanwhile and late events were marked again.
 */
export type Committed = {
  readonly toOffset: number;
  readonly counts: Counts;
  readonly staged: boolean;
  readonly refused: number;
  readonly remarked: number;
};

type PlainCommit = { readonly step: Step; readonly copies: readonly Buffer[] };
type Slot = { readonly events: CopyBuffer; readonly letters: CopyBuffer };
/** A larger batch is worth a transaction, and goes in beside the others instead of behind them. */
const MOST_SHARED_EVENTS = 500;
const newSlot = (): Slot => ({ events: new CopyBuffer(), letters: new CopyBuffer() });

/** closed_through moves about once a minute; a batch that meets more moves than this is stuck for another reason. */
const MOST_REMARKS = 20;

/**
 * One lease's way into PostgreSQL, over a connection of its own. `prepare` the next batch while `commit` of the last is
 * under way; never two commits at once. Any rejection of `commit` but FencedError leaves the outcome unknown or undone:
 * drop this object and what was read ahead, and read the checkpoint again.
 */
export class BatchCommitter {
  readonly #client: pg.Client;
  readonly #claim: Claim;
  readonly #shared: Pick<SharedCommits, 'commit'> | null;
  readonly #days: EventDays;
  readonly #lateRows = new CopyBuffer();
  #slots: [Slot, Slot] = [newSlot(), newSlot()];
  #closedThroughMs = Number.NEGATIVE_INFINITY;

  /** `shared`: lets small batches go in with those of other partitions. */
  constructor(client: pg.Client, claim: Claim, shared: Pick<SharedCommits, 'commit'> | null = null) {
    this.#client = client;
    this.#claim = claim;
    this.#shared = shared;
    this.#days = new EventDays(client, claim.spec.schema);
  }

  /** Encodes the batch's rows into the buffers that the batch before the last one used. */
  prepare(batch: MicroBatch): PreparedBatch {
    const [slot, other] = this.#slots;
    this.#slots = [other, slot];
    return this.#encode(batch, slot);
  }

  /** One transaction. Resolves to what the batch added to the checkpoint's counts. */
  async commit(prepared: PreparedBatch): Promise<Committed> {
    try {
      await this.#days.ensureFor(prepared.batch);
      return await this.#commitMarked(prepared);
    } catch (error) {
      if (sqlState(error) === FENCED) throw new FencedError(this.#claim, { cause: error });
      if (isDataError(error) && prepared.batch.events.length > 0) return await this.#bisect(prepared.batch, error);
      throw error;
    }
  }

  /** Marks late events against the newest closed_through this lease knows; looks again when PostgreSQL knows a newer one. */
  async #commitMarked(prepared: PreparedBatch): Promise<Committed> {
    for (let remarked = 0; ; remarked++) {
      try {
        return { ...(await this.#commitOnce(prepared)), remarked };
      } catch (error) {
        if (sqlState(error) !== CLOSED_MEANWHILE || remarked === MOST_REMARKS) throw error;
        await this.#readClosedThrough();
      }
    }
  }

  async #commitOnce(prepared: PreparedBatch): Promise<Omit<Committed, 'remarked'>> {
    const { batch, letters } = prepared;
    const late = batch.events.filter(({ event }) => event.occurredAtMs < this.#closedThroughMs);
    const step = this.#step(batch, late.length);
    if (isReread(this.#claim, batch)) return await this.#commitStaged(prepared, step);
    const copies: Buffer[] = batch.events.length > 0 ? [prepared.events] : [];
    if (late.length > 0) copies.push(this.#encodeLate(late));
    if (step.counts.rejected > 0) copies.push(letters);
    try {
      await this.#commitPlain(prepared, { step, copies });
      return { toOffset: batch.toOffset, counts: step.counts, staged: false, refused: 0 };
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
    return await this.#commitStaged(prepared, step);
  }

  async #commitPlain({ batch, events }: PreparedBatch, { step, copies }: PlainCommit): Promise<void> {
    const alone = async (): Promise<void> => {
      await fusedCopy(this.#client, plainCommitSql(this.#claim, step), copies);
    };
    const { recorded, late, rejected } = step.counts;
    const isShareable = recorded > 0 && late + rejected === 0 && !batch.hasReplays;
    if (this.#shared === null || !isShareable || recorded > MOST_SHARED_EVENTS) return await alone();
    await this.#shared.commit({ claim: this.#claim, step, rows: events }, alone);
  }

  async #commitStaged({ batch, events, letters }: PreparedBatch, step: Step): Promise<Omit<Committed, 'remarked'>> {
    const copies = step.counts.rejected > 0 ? [events, letters] : [events];
    const rows = await fusedCopy(this.#client, stagedCommitSql(this.#claim, step), copies);
    const [recorded, lateRecorded] = must(rows.at(-1), 'counts of a staged batch').map(Number);
    const counts = stagedCounts(step.counts, recorded ?? 0, lateRecorded ?? 0);
    return { toOffset: batch.toOffset, counts, staged: true, refused: 0 };
  }

  #step(batch: MicroBatch, late: number): Step {
    let max = Number.NEGATIVE_INFINITY;
    let minOnTime = Number.POSITIVE_INFINITY;
    const closed = this.#closedThroughMs;
    for (const { event } of batch.events) {
      const ms = event.occurredAtMs;
      if (ms > max) max = ms;
      if (ms >= closed && ms < minOnTime) minOnTime = ms;
    }
    return {
      batch,
      counts: countsOf(batch, late),
      maxOccurredAtMs: Number.isFinite(max) ? max : null,
      minOnTimeMs: Number.isFinite(minOnTime) ? minOnTime : null,
      closedThroughMs: closed,
      replays: replaysOf(batch),
    };
  }

  /**
   * A value that PostgreSQL does not take: halves the batch until the row stands alone, refuses that one and stops behind
   * it. The rest was judged while that event counted as seen: another message with its identity may be there, which now is
   * no duplicate of anything.
   */
  async #bisect(batch: MicroBatch, error: unknown): Promise<Committed> {
    if (batch.events.length === 1) {
      const refused = refuseOnlyEvent(batch, `PostgreSQL refused the row: ${messageOf(error)}.`);
      return { ...(await this.commit(this.#encode(refused, newSlot()))), refused: 1 };
    }
    const [first, second] = splitMicroBatch(batch);
    const left = await this.commit(this.#encode(first, newSlot()));
    if (left.refused > 0) return left;
    const right = await this.commit(this.#encode(second, newSlot()));
    return {
      toOffset: right.toOffset,
      counts: addCounts(left.counts, right.counts),
      staged: left.staged || right.staged,
      refused: right.refused,
      remarked: left.remarked + right.remarked,
    };
  }

  #encode(batch: MicroBatch, slot: Slot): PreparedBatch {
    const { partition } = this.#claim;
    return {
      batch,
      events: encodeEvents(batch.events, partition, slot.events),
      letters: encodeDeadLetters(batch.rejected, partition, slot.letters),
    };
  }

  #encodeLate(late: readonly RecordedEvent[]): Buffer {
    const { spec, partition } = this.#claim;
    const rules = { partition, closedThroughMs: this.#closedThroughMs, amendHorizonMs: spec.amendHorizonMs };
    return encodeLateEvents(late, rules, this.#lateRows);
  }

  async #readClosedThrough(): Promise<void> {
    const { schema, topic } = this.#claim.spec;
    const { rows } = await this.#client.query<{ ms: number }>(
      `select (extract(epoch from closed_through) * 1000)::float8 as ms from ${quoteSchema(schema)}.closed_through where topic = $1`,
      [topic],
    );
    this.#closedThroughMs = rows[0]?.ms ?? Number.NEGATIVE_INFINITY;
  }
}

function stagedCounts(planned: Counts, recorded: number, late: number): Counts {
  return { ...planned, recorded, late, duplicate: planned.duplicate + planned.recorded - recorded };
}
