// Watches event time: works out the low watermark again and again until there is something to close or to amend.
import type pg from 'pg';

import { openTopicObserver } from '../kafka/topics.ts';
import type { TopicObserver } from '../kafka/topics.ts';
import type { CloseMetrics } from '../observability/close-metrics.ts';
import { lastEndOfAny, sessionRulesOf } from '../pipeline/session.ts';
import { parseOffset } from '../pipeline/offset.ts';
import { paneStart } from '../pipeline/pane.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { lowWatermark, nextLookMs } from '../pipeline/watermark.ts';
import type { LowWatermark, WatermarkInput } from '../pipeline/watermark.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { closeNextPanes } from '../postgres/close-windows.ts';
import { moveClosedThrough, raiseLowWatermark, readClock } from '../postgres/closed-through.ts';
import type { Clock } from '../postgres/closed-through.ts';
import { lateEventsWaiting } from '../postgres/late-events.ts';
import { readLastVerification } from '../postgres/verifications.ts';
import { firstEvent, newestEvent, nextClosable } from '../postgres/windows.ts';
import { toFailure } from './failures.ts';
import { keepLooking } from './lease.ts';
import type { LeaseEnd } from './lease.ts';
import { topicLook } from './topic-look.ts';
import type { ObservedPartition } from './topic-look.ts';

const VERIFICATION_EVERY_MS = 15_000;

export type AwaitWatermarkDeps = {
  readonly pool: pg.Pool;
  readonly kafkaBrokers: readonly string[];
  readonly metrics: CloseMetrics;
};

export type AwaitWatermarkInput = {
  readonly spec: PipelineSpec;
  readonly leaseMs: number;
  readonly everyMs: number;
  /** Late events are no news before this time has passed: they are collected. */
  readonly amendAfterMs: number;
  /** Offset (decimal string) by partition where a bounded stream ends; null: it has no end. */
  readonly endOffsets: Readonly<Record<string, string>> | null;
};

/** Where event time stands. Epoch ms; null before the first event. */
export type EventTime = {
  readonly lowWatermarkMs: number | null;
  readonly closedThroughMs: number | null;
  readonly writtenThroughMs: number | null;
  readonly heldBackBy: number | null;
};

/** What happened. `closeThroughMs`: boundary to close up to; null when the news is something else. */
export type WatermarkNews = {
  readonly reason: 'closable' | 'amendable' | 'stream-ended' | LeaseEnd;
  readonly closeThroughMs: number | null;
  readonly lateWaiting: number;
  readonly eventTime: EventTime | null;
  /** When that was seen (epoch ms); older builds don't say. */
  readonly seenAtMs?: number;
};

type News = WatermarkNews & { readonly eventTime: EventTime };

/** The activity `awaitWatermark`. */
export const createAwaitWatermark =
  (deps: AwaitWatermarkDeps) =>
  async (input: AwaitWatermarkInput): Promise<WatermarkNews> => {
    const { topic } = input.spec;
    const ended = deps.metrics.began(topic);
    try {
      const observer = await openTopicObserver({ brokers: [...deps.kafkaBrokers], topic });
      try {
        const watch = new Watch(deps, input, observer);
        const { leaseMs } = input;
        const everyMs = (): number => nextLookMs(watch.eventTime?.lowWatermarkMs ?? null, input.everyMs);
        const news = await keepLooking(
          { leaseMs, everyMs },
          async () => await watch.look(),
          () => watch.eventTime,
        );
        if (typeof news === 'object') return news;
        return { reason: news, closeThroughMs: null, lateWaiting: 0, eventTime: watch.eventTime };
      } finally {
        await observer.close();
      }
    } catch (error) {
      throw toFailure(error);
    } finally {
      ended();
    }
  };

class Watch {
  eventTime: EventTime | null = null;
  readonly #deps: AwaitWatermarkDeps;
  readonly #input: AwaitWatermarkInput;
  readonly #observer: TopicObserver;
  readonly #startedMs = performance.now();
  #verificationReadMs = -Infinity;

  constructor(deps: AwaitWatermarkDeps, input: AwaitWatermarkInput, observer: TopicObserver) {
    this.#deps = deps;
    this.#input = input;
    this.#observer = observer;
  }

  /** One look at the world, in the order that makes idleness safe: ends of the log, then checkpoints, then the clock. */
  async look(): Promise<News | null> {
    const { pool, metrics } = this.#deps;
    const { spec } = this.#input;
    const { partitions, checkpoints, clock } = await this.#progress();
    const newestMs = await newestEvent(pool, spec);
    const lastWindowEndMs = newestMs === null ? null : lastEndOfAny(newestMs, sessionRulesOf(spec));
    const ended = this.#streamEnd(partitions, { nowMs: clock.nowMs, lastWindowEndMs });
    const low = lowWatermark({ ...spec, partitions, nowMs: clock.nowMs, lastWindowEndMs });
    const lowMs = Math.max(low.ms ?? -Infinity, ended?.atMs ?? -Infinity, clock.lowWatermarkMs ?? -Infinity);
    const lowWatermarkMs = Number.isFinite(lowMs) ? lowMs : null;
    if (lowWatermarkMs !== null && lowWatermarkMs > (clock.lowWatermarkMs ?? -Infinity)) {
      await raiseLowWatermark(pool, spec, lowWatermarkMs);
    }
    const lateWaiting = await lateEventsWaiting(pool, spec);
    await this.#showVerification();
    const eventTime = this.#remember(clock, low, lowWatermarkMs);
    const closeThroughMs = await this.#closable(eventTime);
    const fromMs = clock.writtenThroughMs ?? (newestMs === null ? null : await firstEvent(pool, spec));
    metrics.looked(
      spec.topic,
      topicLook({ ...eventTime, closeThroughMs, fromMs, newestMs, lateWaiting, checkpoints, partitions, low }),
    );
    const news = { closeThroughMs, lateWaiting, eventTime, seenAtMs: Date.now() };
    if (ended) return { ...news, reason: 'stream-ended' };
    if (closeThroughMs !== null) return { ...news, reason: 'closable' };
    if (lateWaiting === 0 || performance.now() - this.#startedMs < this.#input.amendAfterMs) return null;
    return { ...news, reason: 'amendable' };
  }

  /** People verify once a day, and a look is four times a second. */
  async #showVerification(): Promise<void> {
    if (performance.now() - this.#verificationReadMs < VERIFICATION_EVERY_MS) return;
    const { pool, metrics } = this.#deps;
    const { spec } = this.#input;
    const last = await readLastVerification(pool, spec);
    if (last !== null) metrics.verified({ topic: spec.topic, ...last });
    this.#verificationReadMs = performance.now();
  }

  async #progress(): Promise<{ partitions: ObservedPartition[]; checkpoints: number; clock: Clock }> {
    const { pool } = this.#deps;
    const { spec } = this.#input;
    const ends = await this.#observer.offsets();
    const checkpoints = new Map((await readCheckpoints(pool, spec)).map((row) => [row.partition, row] as const));
    const clock = await readClock(pool, spec);
    const partitions = ends.map(({ partition, logStartOffset, endOffset }) => {
      const { nextOffset, watermarkMs, committedAtMs } = checkpoints.get(partition) ?? {
        // A partition that is too new to have a checkpoint holds event time where it is until the pipeline has seen it.
        nextOffset: logStartOffset,
        watermarkMs: null,
        committedAtMs: clock.nowMs,
      };
      return { partition, nextOffset, logStartOffset, endOffset, watermarkMs, committedAtMs };
    });
    return { partitions, checkpoints: checkpoints.size, clock };
  }

  /** Set once every partition has reached the end that a bounded stream was given; `atMs` null when it held no event. */
  #streamEnd(
    partitions: readonly ObservedPartition[],
    { nowMs, lastWindowEndMs }: Pick<WatermarkInput, 'nowMs' | 'lastWindowEndMs'>,
  ): { atMs: number | null } | null {
    const { endOffsets, spec } = this.#input;
    if (endOffsets === null) return null;
    const positions = new Map(partitions.map(({ partition, nextOffset }) => [String(partition), nextOffset] as const));
    const reached = Object.entries(endOffsets).every(
      ([partition, end]) => (positions.get(partition) ?? -1) >= parseOffset(end),
    );
    if (!reached) return null;
    // One event that claims a year far off must not make all later events late: nothing moves event time further than this.
    const furthestMs = lastEndOfAny(nowMs + spec.maxFutureMs, sessionRulesOf(spec));
    return { atMs: lastWindowEndMs === null ? null : Math.min(lastWindowEndMs, furthestMs) };
  }

  /**
   * The boundary to close up to, or null. What was closed but not written (a closer died) comes first. Time without events
   * and open windows is passed over here and now: late events must be known as late, but no child is worth an empty minute.
   */
  async #closable({ lowWatermarkMs, closedThroughMs, writtenThroughMs }: EventTime): Promise<number | null> {
    const { pool } = this.#deps;
    const { spec } = this.#input;
    const boundaryMs = lowWatermarkMs === null ? -Infinity : paneStart(lowWatermarkMs);
    const closedMs = closedThroughMs ?? -Infinity;
    const unwritten = closedMs > (writtenThroughMs ?? -Infinity);
    if (boundaryMs <= closedMs && !unwritten) return null;
    const throughMs = Math.max(boundaryMs, closedMs);
    if (unwritten || (await nextClosable(pool, spec, throughMs)) !== null) return throughMs;
    await moveClosedThrough(pool, spec, throughMs);
    await closeNextPanes(pool, spec, { throughMs });
    return null;
  }

  #remember({ closedThroughMs, writtenThroughMs }: Clock, low: LowWatermark, lowWatermarkMs: number | null): EventTime {
    const heldBackBy = low.heldBackBy?.partition ?? null;
    this.eventTime = { lowWatermarkMs, closedThroughMs, writtenThroughMs, heldBackBy };
    return this.eventTime;
  }
}
