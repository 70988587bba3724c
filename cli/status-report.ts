// How far a topic's pipeline is, read from PostgreSQL and Kafka themselves, so that it can be asked while no worker is up.
import type pg from 'pg';

import { LostRangeError } from '../kafka/failures.ts';
import { openTopicObserver } from '../kafka/topics.ts';
import type { TopicObserver } from '../kafka/topics.ts';
import type { Checkpoint, Counts } from '../pipeline/checkpoint.ts';
import { formatOffset } from '../pipeline/offset.ts';
import type { Settings } from '../pipeline/settings.ts';
import { isIdle, lowWatermark } from '../pipeline/watermark.ts';
import type { HoldReason } from '../pipeline/watermark.ts';
import { readRuns } from '../postgres/checkpoint-runs.ts';
import { readCheckpoints } from '../postgres/checkpoints.ts';
import { lastWindowEnd } from '../postgres/windows.ts';
import { countClosedWindows, hasClosableWindows } from '../postgres/closed-windows.ts';
import { readClock } from '../postgres/closed-through.ts';
import type { Clock } from '../postgres/closed-through.ts';
import { lateEventsWaiting } from '../postgres/late-events.ts';
import { countLateLeftOut } from '../postgres/late-list.ts';
import { openPool } from '../postgres/pool.ts';
import { countSessions } from '../postgres/read-sessions.ts';
import { withSessionRules } from '../postgres/session-rules.ts';
import type { SessionCounts } from '../postgres/read-sessions.ts';
import { countUndecidedLetters } from '../postgres/undecided-letters.ts';
import type { UndecidedLetters } from '../postgres/undecided-letters.ts';
import { addressesOf } from './addresses.ts';
import { FlowMeter } from './flow-meter.ts';
import type { Rates } from './flow-meter.ts';
import { OldestUnread } from './oldest-unread.ts';
import { findRestored } from './pipeline-schema.ts';
import type { RestoredFrom } from './pipeline-schema.ts';
import { readPublication } from './publication-status.ts';
import type { Publication } from './publication-status.ts';
import { workersReadiness } from './worker-readiness.ts';
import type { WorkerReadiness } from './worker-readiness.ts';

/** One partition. Offsets are decimal strings, counts numbers, times ISO. `nextOffset` null: never read yet. */
export type PartitionStatus = Counts & {
  readonly partition: number;
  readonly nextOffset: string | null;
  readonly endOffset: string;
  readonly logStartOffset: string;
  readonly lag: number;
  readonly watermark: string | null;
  readonly idle: boolean;
  /** What keeps the partition from going on, if the offsets alone tell it. */
  readonly problem: string | null;
};

export type StatusReport = {
  readonly topic: string;
  readonly schema: string;
  readonly takenAt: string;
  /** The snapshot that the schema was restored from: nothing is read into it. Null for a pipeline's own schema. */
  readonly restoredFrom: RestoredFrom | null;
  /** Lag 0 everywhere, no closable window open, no late event waiting. */
  readonly caughtUp: boolean;
  readonly lag: number;
  /** Age of the oldest unread message; 0 without one, null where it could not be read. */
  readonly lagSeconds: number | null;
  readonly lowWatermark: string | null;
  readonly heldBackBy: { readonly partition: number; readonly reason: HoldReason } | null;
  readonly closedThrough: string | null;
  readonly writtenThrough: string | null;
  /** Between this reading and the one before; null at the first. */
  readonly rates: Rates | null;
  /** Counts of all runs: a rewind begins new ones of its partition, whose line tells those. */
  readonly totals: Counts & { readonly windows: number; readonly lateWaiting: number; readonly lateLeftOut: number };
  readonly letters: UndecidedLetters;
  readonly publication: Publication;
  readonly windows: Readonly<Record<string, number>>;
  readonly sessions: SessionCounts;
  readonly partitions: readonly PartitionStatus[];
  /** The live workers of the home. */
  readonly workers: readonly WorkerReadiness[];
};

type Offsets = Awaited<ReturnType<TopicObserver['offsets']>>[number];

/** One status with rates measured over half a second. */
export async function readStatus(settings: Settings): Promise<StatusReport> {
  const reader = await openStatusReader(settings);
  try {
    await reader.read();
    await new Promise((resolve) => {
      setTimeout(resolve, 500);
    });
    return await reader.read();
  } finally {
    await reader.close();
  }
}

/** Keeps its connections between readings. */
export async function openStatusReader(settings: Settings): Promise<StatusReader> {
  const { kafka, postgres } = addressesOf(settings);
  const observer = await openTopicObserver({ brokers: kafka.brokers, topic: settings.topic });
  const pool = openPool({ url: postgres.url, max: 3, applicationName: 'weir status' });
  const unread = new OldestUnread(kafka.brokers, settings.topic);
  return new StatusReader(settings, { brokers: kafka.brokers, observer, pool, unread });
}

type Parts = {
  readonly brokers: readonly string[];
  readonly observer: TopicObserver;
  readonly pool: pg.Pool;
  readonly unread: OldestUnread;
};

export class StatusReader {
  readonly pool: pg.Pool;
  readonly #settings: Settings;
  readonly #parts: Parts;
  readonly #flow = new FlowMeter();

  constructor(settings: Settings, parts: Parts) {
    this.#settings = settings;
    this.#parts = parts;
    this.pool = parts.pool;
  }

  async close(): Promise<void> {
    await Promise.all([this.#parts.observer.close(), this.#parts.unread.close(), this.pool.end()]);
  }

  async read(): Promise<StatusReport> {
    const settings = await withSessionRules(this.pool, this.#settings);
    const { topic, schema } = settings;
    // The order matters: only end offsets older than the checkpoints can prove that nothing is unread.
    const offsets = await this.#parts.observer.offsets();
    const { checkpoints, clock, runs, lastWindowEndMs, ...counted } = await this.#tables(settings);
    const partitions = offsets.map((of) => this.#partition(of, checkpoints, clock));
    const lag = sum(partitions.map((of) => of.lag));
    const low = this.#lowWatermark(offsets, checkpoints, { ...clock, lastWindowEndMs });
    const closable = await hasClosableWindows(this.pool, settings, { ...clock, lowWatermarkMs: low.ms });
    const { lateWaiting, lateLeftOut, ...shown } = counted;
    const totals = { ...countsOf(runs), windows: sum(Object.values(shown.windows)), lateWaiting, lateLeftOut };
    return {
      topic,
      schema,
      takenAt: new Date().toISOString(),
      ...shown,
      caughtUp: lag === 0 && !closable && lateWaiting === 0,
      lag,
      lagSeconds: await this.#parts.unread.ageSeconds(unreadOf(partitions)),
      lowWatermark: iso(low.ms),
      heldBackBy: low.heldBackBy,
      closedThrough: iso(clock.closedThroughMs),
      writtenThrough: iso(clock.writtenThroughMs),
      rates: this.#flow.measure({
        produced: sum(offsets.map((of) => of.endOffset)),
        committed: sum(checkpoints.map((of) => of.nextOffset)),
      }),
      totals,
      partitions,
      workers: await workersReadiness(this.#settings.home),
    };
  }

  /** What the schema's tables say, read over several connections at once. */
  async #tables(settings: Settings) {
    const { topic, schema } = settings;
    const { pool } = this;
    const { brokers } = this.#parts;
    const [checkpoints, clock, runs, lastWindowEndMs, lateWaiting, lateLeftOut] = await Promise.all([
      readCheckpoints(pool, { topic, schema }),
      readClock(pool, { topic, schema }),
      readRuns(pool, { schema, topic }),
      lastWindowEnd(pool, settings),
      lateEventsWaiting(pool, { topic, schema }),
      countLateLeftOut(pool, schema),
    ]);
    const [windows, sessions, letters, publication, restoredFrom] = await Promise.all([
      countClosedWindows(pool, schema),
      countSessions(pool, schema),
      countUndecidedLetters(pool, schema),
      readPublication(pool, { schema, topic, brokers }),
      findRestored(pool, schema),
    ]);
    const counts = { windows, sessions, letters, publication, lateWaiting, lateLeftOut };
    return { checkpoints, clock, runs, lastWindowEndMs, restoredFrom, ...counts };
  }

  #partition(of: Offsets, checkpoints: readonly Checkpoint[], clock: Clock): PartitionStatus {
    const found = checkpoints.find((each) => each.partition === of.partition);
    const counts = found?.counts ?? { recorded: 0, duplicate: 0, late: 0, rejected: 0, skipped: 0 };
    const position = found?.nextOffset ?? of.logStartOffset;
    const { idleAfterMs } = this.#settings;
    return {
      partition: of.partition,
      nextOffset: found ? formatOffset(found.nextOffset) : null,
      endOffset: formatOffset(of.endOffset),
      logStartOffset: formatOffset(of.logStartOffset),
      // Commits go on between the two readings, so a position may be past the end offset that was read before.
      lag: Math.max(0, of.endOffset - position),
      watermark: iso(found?.watermarkMs ?? null),
      idle: found ? isIdle({ ...found, endOffset: of.endOffset }, { idleAfterMs, nowMs: clock.nowMs }) : false,
      problem: problemOf(found?.nextOffset ?? null, { ...of, topic: this.#settings.topic }),
      ...counts,
    };
  }

  #lowWatermark(
    offsets: readonly Offsets[],
    checkpoints: readonly Checkpoint[],
    clock: Clock & { readonly lastWindowEndMs: number | null },
  ) {
    const partitions = offsets.map(({ partition, logStartOffset, endOffset }) => {
      const found = checkpoints.find((each) => each.partition === partition);
      const unread = { nextOffset: logStartOffset, watermarkMs: null, committedAtMs: clock.nowMs };
      return { ...(found ?? unread), partition, endOffset };
    });
    const { nowMs, lastWindowEndMs } = clock;
    const now = lowWatermark({ ...this.#settings, partitions, nowMs, lastWindowEndMs });
    // It never moves back: what the pipeline has already reached stays reached.
    const ms = Math.max(now.ms ?? -Infinity, clock.lowWatermarkMs ?? -Infinity);
    return { ms: ms === -Infinity ? null : ms, heldBackBy: now.heldBackBy };
  }
}

function countsOf(runs: Awaited<ReturnType<typeof readRuns>>): Counts {
  return {
    recorded: sum(runs.map(({ counts }) => counts.recorded)),
    duplicate: sum(runs.map(({ counts }) => counts.duplicate)),
    late: sum(runs.map(({ counts }) => counts.late)),
    rejected: sum(runs.map(({ counts }) => counts.rejected)),
    skipped: sum(runs.map(({ counts }) => counts.skipped)),
  };
}

/** The same sentence with which the partition stops, or will as soon as it reads on. */
function problemOf(nextOffset: number | null, of: Offsets & { readonly topic: string }): string | null {
  if (nextOffset === null || nextOffset >= of.logStartOffset) return null;
  return new LostRangeError({ ...of, wanted: nextOffset, logStart: of.logStartOffset }).message;
}

function unreadOf(partitions: readonly PartitionStatus[]): { partition: number; nextOffset: number }[] {
  return partitions
    .filter((of) => of.lag > 0 && of.problem === null)
    .map((of) => ({ partition: of.partition, nextOffset: Number(of.nextOffset ?? of.logStartOffset) }));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
