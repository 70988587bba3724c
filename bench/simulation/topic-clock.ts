// The clock of a topic and its closer: commits share the clock, a close takes it alone for a moment and then writes minutes.
import type { Runner } from './cpu.ts';
import type { EventQueue } from './event-queue.ts';
import type { PartitionFlow } from './partition-flow.ts';
import { SETTINGS } from './plan.ts';
import type { Assumptions, Costs, Plan } from './plan.ts';

const MINUTE_MS = 60_000;
/** Where within a minute a simulation begins: in the middle, so that the first close holds half a minute. */
const BEGINS_AT_MS = 30_000;

export type TopicParts = {
  readonly queue: EventQueue;
  readonly plan: Plan;
  readonly costs: Costs;
  readonly assumptions: Assumptions;
  readonly postgres: Runner;
};

/** Counts for the whole run. Milliseconds. */
export class TopicClock {
  readonly partitions: PartitionFlow[] = [];
  readonly postgres: Runner;
  closedEvents = 0;
  /** Longest time that commits were held up by a close, and that results came behind what the watermark had passed. */
  longestHoldMs = 0;
  longestBehindMs = 0;
  readonly #parts: TopicParts;
  #sharing = 0;
  #alone = false;
  #held: (() => void)[] = [];
  #whenNoneShares: (() => void) | null = null;
  #closedThroughMs: number;
  #isClosing = false;

  constructor(parts: TopicParts, firstMs: number) {
    this.#parts = parts;
    this.postgres = parts.postgres;
    this.#closedThroughMs = Math.floor((firstMs + BEGINS_AT_MS) / MINUTE_MS) * MINUTE_MS - BEGINS_AT_MS;
    if (parts.plan.closes) this.#poll();
  }

  /** Calls back as soon as no close has or wants the clock alone; then the transaction shares it until `leave`. */
  enter(go: () => void): void {
    if (this.#alone) {
      this.#held.push(go);
      return;
    }
    this.#sharing += 1;
    go();
  }

  leave(): void {
    this.#sharing -= 1;
    if (this.#sharing > 0 || this.#whenNoneShares === null) return;
    const move = this.#whenNoneShares;
    this.#whenNoneShares = null;
    move();
  }

  /** Everything that ever comes is committed and closed. */
  get isDone(): boolean {
    const isRead = this.partitions.every((partition) => partition.isDrained);
    return isRead && (!this.#parts.plan.closes || this.#remaining() === 0);
  }

  #remaining(): number {
    return this.partitions.reduce((sum, { committed }) => sum + committed, 0) - this.closedEvents;
  }

  #poll(): void {
    const { queue } = this.#parts;
    queue.after(SETTINGS.pollEveryMs, () => {
      if (!this.#isClosing) this.#closeNext();
      if (!this.isDone) this.#poll();
    });
  }

  #closeNext(): void {
    const { plan } = this.#parts;
    const boundaryMs = this.#closedThroughMs + MINUTE_MS;
    const isEnd = this.partitions.every((partition) => partition.isDrained);
    const watermarkMs =
      Math.min(...this.partitions.map(({ eventTimeMs }) => eventTimeMs)) - plan.latenessSeconds * 1000;
    if (watermarkMs < boundaryMs && !(isEnd && this.#remaining() > 0)) return;
    this.#isClosing = true;
    this.#moveClock(() => this.#write(boundaryMs));
  }

  #moveClock(then: () => void): void {
    const { queue, assumptions } = this.#parts;
    const sinceMs = queue.nowMs;
    this.#alone = true;
    const move = (): void =>
      queue.after(assumptions.moveClockMs, () => {
        this.longestHoldMs = Math.max(this.longestHoldMs, queue.nowMs - sinceMs);
        this.#alone = false;
        const held = this.#held;
        this.#held = [];
        for (const go of held) this.enter(go);
        then();
      });
    if (this.#sharing === 0) move();
    else this.#whenNoneShares = move;
  }

  #write(boundaryMs: number): void {
    const { queue, plan, costs } = this.#parts;
    const through = this.partitions.reduce((sum, partition) => sum + partition.committedBefore(boundaryMs), 0);
    const events = through - this.closedEvents;
    const done = (): void => {
      this.closedEvents = through;
      this.longestBehindMs = Math.max(this.longestBehindMs, queue.nowMs - boundaryMs - plan.latenessSeconds * 1000);
      this.#closedThroughMs = boundaryMs;
      this.#isClosing = false;
      this.#closeNext();
    };
    this.postgres.run({ ms: (events * costs.closePerEvent) / 1000, part: 'closes', done });
  }
}
