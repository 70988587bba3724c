// One partition as its leases drive it: fetch, parse, commit, and while it is behind the next batch beside the commit.
import type { Runner } from './cpu.ts';
import type { EventQueue } from './event-queue.ts';
import { SETTINGS } from './plan.ts';
import type { Assumptions, Costs } from './plan.ts';
import type { Source } from './source.ts';
import type { TopicClock } from './topic-clock.ts';
import type { Worker } from './worker.ts';

export type FlowParts = {
  readonly queue: EventQueue;
  readonly costs: Costs;
  readonly assumptions: Assumptions;
  readonly leastTurnMs: number;
  readonly source: Source;
  readonly clock: TopicClock;
  /** Where a broker on the same machine takes its time; null: on machines of its own. */
  readonly broker: Runner | null;
  /** Told of every batch committed: its first message, and behind its last. */
  readonly onCommit: (flow: PartitionFlow, from: number, to: number) => void;
};

type Batch = { readonly from: number; readonly to: number; readonly turnedMs: number; readonly isBehind: boolean };

export class PartitionFlow {
  readonly source: Source;
  committed = 0;
  readonly #parts: FlowParts;
  #fetched = 0;
  /** Grows whenever a lease is lost: what an earlier one began is then nobody's. */
  #epoch = 0;
  #worker: Worker | null = null;
  #isCommitting = false;
  #whenCommitted: (() => void) | null = null;

  constructor(parts: FlowParts) {
    this.#parts = parts;
    this.source = parts.source;
  }

  /** A lease begins on this worker, from the checkpoint. */
  begin(worker: Worker): void {
    this.lose();
    this.#worker = worker;
    this.#turn(this.#epoch);
  }

  /** The lease is lost with everything that it had in hand. */
  lose(): void {
    this.#epoch += 1;
    this.#worker = null;
    this.#fetched = this.committed;
    this.#isCommitting = false;
    this.#whenCommitted = null;
  }

  /** Event time up to which everything is committed: now, when nothing waits. */
  get eventTimeMs(): number {
    const nextMs = this.source.timeOf(this.committed);
    return Math.min(nextMs, this.#parts.queue.nowMs);
  }

  get isDrained(): boolean {
    return this.source.timeOf(this.committed) === Infinity;
  }

  committedBefore(ms: number): number {
    return Math.min(this.committed, this.source.countAt(ms - 1e-3));
  }

  #turn(epoch: number): void {
    const { queue, assumptions } = this.#parts;
    if (epoch !== this.#epoch) return;
    const turnedMs = queue.nowMs;
    const waitMs = this.source.timeOf(this.#fetched) - turnedMs;
    // A source that has ended says nothing any more.
    if (waitMs === Infinity) return;
    queue.after(Math.max(0, waitMs) + assumptions.fetchMs, () => {
      if (epoch === this.#epoch) this.#parse(epoch, turnedMs);
    });
  }

  #parse(epoch: number, turnedMs: number): void {
    const { queue, costs, broker } = this.#parts;
    const from = this.#fetched;
    const available = this.source.countAt(queue.nowMs);
    const to = Math.min(available, from + SETTINGS.mostMessages);
    const batch = { from, to, turnedMs, isBehind: available > to };
    this.#fetched = to;
    broker?.run({ ms: ((to - from) * costs.brokerPerEvent) / 1000, part: 'broker', done: () => {} });
    const done = (): void => {
      if (epoch !== this.#epoch) return;
      if (this.#isCommitting) this.#whenCommitted = () => this.#commit(epoch, batch);
      else this.#commit(epoch, batch);
    };
    const ms = (costs.workerPerTurn + (to - from) * costs.workerPerEvent) / 1000;
    this.#worker?.thread.run({ ms, part: 'worker', done });
  }

  #commit(epoch: number, batch: Batch): void {
    const { clock, onCommit } = this.#parts;
    const { from, to, isBehind } = batch;
    this.#isCommitting = true;
    const done = (): void => {
      this.#isCommitting = false;
      this.committed = to;
      onCommit(this, from, to);
      const next = this.#whenCommitted;
      this.#whenCommitted = null;
      next?.();
      if (!isBehind) this.#rest(epoch, batch.turnedMs);
    };
    const isWanted = (): boolean => epoch === this.#epoch;
    this.#worker?.commitsInto(clock).commit({ events: to - from, isWanted, done });
    if (isBehind) this.#turn(epoch);
  }

  /** With nothing unread, what comes meanwhile goes into the next commit together. */
  #rest(epoch: number, turnedMs: number): void {
    const { queue, leastTurnMs } = this.#parts;
    queue.after(leastTurnMs - (queue.nowMs - turnedMs), () => this.#turn(epoch));
  }
}
