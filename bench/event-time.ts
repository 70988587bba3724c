// Where event time stands in a bench's pipeline: the low watermark as the closer works it out, and how far results are readable.
import type { TopicObserver } from '../kafka/topics.ts';
import type { Checkpoint } from '../pipeline/checkpoint.ts';
import { paneStart } from '../pipeline/pane.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { lowWatermark } from '../pipeline/watermark.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { readClock } from '../postgres/closed-through.ts';
import type { Clock } from '../postgres/closed-through.ts';
import type { Queryable } from '../postgres/pool.ts';
import { lastWindowEnd } from '../postgres/windows.ts';
import type { Look } from './boundary-passes.ts';

type EventTimeParts = {
  readonly db: Queryable;
  readonly spec: PipelineSpec;
  readonly observer: TopicObserver;
};

type Reading = { readonly checkpoints: readonly Checkpoint[]; readonly checkpointsAtMs: number; readonly clock: Clock };
type Ends = Awaited<ReturnType<TopicObserver['offsets']>>;

/** Reads what anybody outside can read: checkpoints, the clock, and, where a partition may be idle, the ends of the log. */
export class EventTime {
  readonly #parts: EventTimeParts;
  #ends: Ends | null = null;
  #lowMs: number | null = null;

  constructor(parts: EventTimeParts) {
    this.#parts = parts;
  }

  /** One look. The low watermark never moves back, as in the closer. */
  async look(): Promise<Look> {
    this.#ends ??= await this.#parts.observer.offsets();
    let reading = await this.#read();
    if (this.#mayBeIdle(reading)) {
      // In the order that makes idleness safe: ends of the log, then checkpoints, then the clock.
      this.#ends = await this.#parts.observer.offsets();
      reading = await this.#read();
    }
    const { checkpointsAtMs, clock } = reading;
    const low = Math.max(
      (await this.#lowOf(reading, this.#ends)) ?? -Infinity,
      clock.lowWatermarkMs ?? -Infinity,
      this.#lowMs ?? -Infinity,
    );
    this.#lowMs = Number.isFinite(low) ? low : null;
    return {
      lowMs: this.#lowMs,
      lowAtMs: checkpointsAtMs,
      writtenMs: clock.writtenThroughMs,
      writtenAtMs: performance.now(),
    };
  }

  /** Whether every pane that the low watermark has passed is written. */
  async isClosedUp(): Promise<boolean> {
    const { lowMs, writtenMs } = await this.look();
    return lowMs === null || paneStart(lowMs) <= (writtenMs ?? -Infinity);
  }

  async #read(): Promise<Reading> {
    const { db, spec } = this.#parts;
    const checkpoints = await readCheckpoints(db, spec);
    const checkpointsAtMs = performance.now();
    return { checkpoints, checkpointsAtMs, clock: await readClock(db, spec) };
  }

  /** Without it the ends of the log change nothing: a partition that moved a moment ago is active, read to its end or not. */
  #mayBeIdle({ checkpoints, clock }: Reading): boolean {
    const { idleAfterMs } = this.#parts.spec;
    return checkpoints.some(({ committedAtMs }) => clock.nowMs - committedAtMs >= idleAfterMs);
  }

  async #lowOf({ checkpoints, clock }: Reading, ends: Ends): Promise<number | null> {
    const { db, spec } = this.#parts;
    const known = new Map(checkpoints.map((checkpoint) => [checkpoint.partition, checkpoint]));
    const partitions = ends.map(({ partition, logStartOffset, endOffset }) => {
      const { nextOffset, watermarkMs, committedAtMs } = known.get(partition) ?? {
        nextOffset: logStartOffset,
        watermarkMs: null,
        committedAtMs: clock.nowMs,
      };
      return { partition, nextOffset, endOffset, watermarkMs, committedAtMs };
    });
    const input = { ...spec, partitions, nowMs: clock.nowMs, lastWindowEndMs: null };
    const low = lowWatermark(input);
    // Only then does the last window matter, which is a look at the events.
    return low.allIdle ? lowWatermark({ ...input, lastWindowEndMs: await lastWindowEnd(db, spec) }).ms : low.ms;
  }
}
