// How one worker's batches of one topic get into PostgreSQL: the small ones together, as postgres/shared-commits.ts does it.
import type { Runner } from './cpu.ts';
import type { EventQueue } from './event-queue.ts';
import { SETTINGS } from './plan.ts';
import type { Assumptions, Costs } from './plan.ts';
import type { TopicClock } from './topic-clock.ts';

export type CommitParts = {
  readonly queue: EventQueue;
  readonly costs: Costs;
  readonly assumptions: Assumptions;
  /** False: each batch in a transaction of its own, whatever its size, and none waits for another. */
  readonly sharesCommits: boolean;
  readonly clock: Pick<TopicClock, 'enter' | 'leave'>;
  readonly postgres: Runner;
  /** Told of every transaction: how many events each of its batches held. */
  readonly onTransaction: (events: readonly number[]) => void;
};

/** `isWanted`: its lease still lives. `done` is called once, when it is committed; never when its lease is gone by then. */
export type Batch = { readonly events: number; readonly isWanted: () => boolean; readonly done: () => void };

/** While a small batch commits, others that come wait, and then go in together. */
export class SharedCommits {
  readonly #parts: CommitParts;
  #waiting: Batch[] = [];
  #isTaken = false;
  #isSharing = false;

  constructor(parts: CommitParts) {
    this.#parts = parts;
  }

  commit(batch: Batch): void {
    if (!this.#parts.sharesCommits || batch.events > SETTINGS.mostSharedEvents) {
      this.#transact([batch], () => {});
      return;
    }
    this.#waiting.push(batch);
    if (!this.#isTaken) this.#next();
  }

  #next(): void {
    const group = this.#waiting.splice(0, SETTINGS.mostTogether);
    this.#isTaken = group.length > 0;
    if (group.length === 0) return;
    let isOver = false;
    const goOn = (): void => {
      if (isOver) return;
      isOver = true;
      this.#next();
    };
    // There is one connection to share: while a long commit has it, the batches behind it go in each over its own.
    if (group.length === 1 || this.#isSharing) this.#allAlone(group, goOn);
    else this.#together(group, goOn);
    this.#parts.queue.after(SETTINGS.longCommitMs, goOn);
  }

  #allAlone(group: readonly Batch[], then: () => void): void {
    let left = group.length;
    for (const batch of group) {
      this.#transact([batch], () => {
        left -= 1;
        if (left === 0) then();
      });
    }
  }

  #together(group: readonly Batch[], then: () => void): void {
    this.#isSharing = true;
    this.#transact(group, () => {
      this.#isSharing = false;
      then();
    });
  }

  #transact(batches: readonly Batch[], then: () => void): void {
    const { queue, costs, assumptions, clock, postgres, onTransaction } = this.#parts;
    const answered = (): void => {
      clock.leave();
      const wanted = batches.filter(({ isWanted }) => isWanted());
      if (wanted.length > 0) onTransaction(wanted.map(({ events }) => events));
      for (const { done } of wanted) done();
      then();
    };
    clock.enter(() => {
      // Those that lost their leases while they waited for the clock have nothing to commit.
      if (!batches.some(({ isWanted }) => isWanted())) {
        clock.leave();
        then();
        return;
      }
      postgres.run({
        ms: transactionMs(batches, costs),
        part: 'commits',
        done: () => queue.after(assumptions.flushMs, answered),
      });
    });
  }
}

function transactionMs(batches: readonly Batch[], costs: Costs): number {
  const events = batches.reduce((sum, batch) => sum + batch.events, 0);
  const microseconds =
    costs.postgresPerTransaction + batches.length * costs.postgresPerCheckpoint + events * costs.postgresPerEvent;
  return microseconds / 1000;
}
