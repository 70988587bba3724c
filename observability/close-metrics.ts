// What a worker counts while it closes and amends windows, and what it sees of a topic's event time meanwhile.
import { AGGREGATES } from '../pipeline/aggregates.ts';
import { FUNNEL, SESSIONS } from '../pipeline/session.ts';
import type { Makers, Reading } from './metric-makers.ts';
import { TopicFigures } from './topic-figures.ts';
import { WINDOW_METRICS } from './topic-metric-list.ts';

type ByAggregate = Readonly<Record<string, number>>;

/** Event times are epoch ms, null before the first. `idle`, `lost`: the partitions of which it holds. */
export type TopicLook = {
  readonly lowWatermarkMs: number | null;
  readonly closedThroughMs: number | null;
  /** Event time that may be closed and is not written yet. */
  readonly overdueMs: number;
  readonly lateWaiting: number;
  readonly openWindows: ByAggregate;
  /** Partitions that have a checkpoint. */
  readonly checkpoints: number;
  /** All partitions of the topic. */
  readonly partitions: readonly { readonly partition: number; readonly isIdle: boolean; readonly isLost: boolean }[];
};

/** For the activities that close and amend windows. `seconds`: time that the transaction took. */
export type CloseMetrics = {
  /** An activity that closes windows of the topic begins: what was seen of it stays on the page until the function that comes back is called, and a minute longer. */
  began(topic: string): () => void;
  looked(topic: string, look: TopicLook): void;
  /** How far the results lie behind what may be closed, seen by the one that closes. */
  overdue(of: { topic: string; closedThroughMs: number; overdueMs: number }): void;
  panesClosed(of: {
    topic: string;
    panes: number;
    windowsByAggregate: ByAggregate;
    rowsByAggregate: ByAggregate;
    seconds: number;
  }): void;
  /** All windows up to a boundary are written, so long after the low watermark was seen to have reached it. */
  closed(of: { topic: string; delaySeconds: number }): void;
  windowsAmended(of: { topic: string; windows: number }): void;
  /** What the newest `weir verify` found, and when it ended. */
  verified(of: { topic: string } & Verification): void;
};

/** `atMs`: when it ended (epoch ms). */
type Verification = { readonly clean: boolean; readonly atMs: number };

const RESULTS: readonly string[] = [...AGGREGATES.map(({ name }) => name), FUNNEL, SESSIONS];

export function closeMetrics(make: Makers): CloseMetrics {
  const windowsClosed = make.counter(WINDOW_METRICS.windowsClosed);
  const resultRows = make.counter(WINDOW_METRICS.resultRows);
  const windowsAmended = make.counter(WINDOW_METRICS.windowsAmended);
  const panesClosed = make.counter(WINDOW_METRICS.panesClosed);
  const closeSeconds = make.histogram(WINDOW_METRICS.closeSeconds);
  const closeDelay = make.histogram(WINDOW_METRICS.closeDelay);
  const figures = topicReadings(make);
  const known = new Set<string>();
  const know = (topic: string): void => {
    if (known.has(topic)) return;
    known.add(topic);
    for (const aggregate of RESULTS) {
      for (const each of [windowsClosed, resultRows]) each.inc({ topic, aggregate }, 0);
    }
    for (const each of [windowsAmended, panesClosed]) each.inc({ topic }, 0);
    for (const each of [closeSeconds, closeDelay]) each.zero({ topic });
  };
  return {
    began(topic) {
      know(topic);
      return figures.began(topic);
    },
    looked: (topic, look) => figures.saw(topic, look),
    overdue: ({ topic, closedThroughMs, overdueMs }) => figures.saw(topic, { closedThroughMs, overdueMs }),
    panesClosed({ topic, panes, windowsByAggregate, rowsByAggregate, seconds }) {
      panesClosed.inc({ topic }, panes);
      closeSeconds.observe({ topic }, seconds);
      for (const [aggregate, windows] of Object.entries(windowsByAggregate)) {
        windowsClosed.inc({ topic, aggregate }, windows);
      }
      for (const [aggregate, rows] of Object.entries(rowsByAggregate)) resultRows.inc({ topic, aggregate }, rows);
    },
    closed: ({ topic, delaySeconds }) => closeDelay.observe({ topic }, delaySeconds),
    windowsAmended: ({ topic, windows }) => windowsAmended.inc({ topic }, windows),
    verified: ({ topic, clean, atMs }) => figures.saw(topic, { verification: { clean, atMs } }),
  };
}

/** What may be known of a topic: a worker that closes its windows need not be the one that looks at its event time. */
type Seen = Partial<TopicLook & { readonly verification: Verification }>;

function topicReadings(make: Makers): TopicFigures<Seen> {
  const figures = new TopicFigures<Seen>();
  const ofTopic = (value: (seen: Seen) => number | null | undefined) => (): Reading[] =>
    Array.from(figures.known(), ([topic, seen]) => [{ topic }, value(seen) ?? null]);
  const ofPartition = (holds: (of: TopicLook['partitions'][number]) => boolean) => (): Reading[] =>
    Array.from(figures.known()).flatMap(([topic, { partitions = [] }]) =>
      partitions.map((of): Reading => [{ topic, partition: String(of.partition) }, Number(holds(of))]),
    );
  make.reading(
    WINDOW_METRICS.lowWatermark,
    ofTopic(({ lowWatermarkMs }) => inSeconds(lowWatermarkMs)),
  );
  make.reading(
    WINDOW_METRICS.closedThrough,
    ofTopic(({ closedThroughMs }) => inSeconds(closedThroughMs)),
  );
  make.reading(
    WINDOW_METRICS.windowOverdue,
    ofTopic(({ overdueMs }) => inSeconds(overdueMs)),
  );
  make.reading(
    WINDOW_METRICS.lateWaiting,
    ofTopic(({ lateWaiting }) => lateWaiting),
  );
  make.reading(
    WINDOW_METRICS.verificationClean,
    ofTopic(({ verification }) => verification && Number(verification.clean)),
  );
  make.reading(
    WINDOW_METRICS.verificationTimestamp,
    ofTopic(({ verification }) => inSeconds(verification?.atMs)),
  );
  make.reading(
    WINDOW_METRICS.partitions,
    ofTopic(({ checkpoints }) => checkpoints),
  );
  make.reading(
    WINDOW_METRICS.partitionIdle,
    ofPartition(({ isIdle }) => isIdle),
  );
  make.reading(
    WINDOW_METRICS.partitionLostRange,
    ofPartition(({ isLost }) => isLost),
  );
  make.reading(WINDOW_METRICS.windowsOpen, () =>
    Array.from(figures.known()).flatMap(([topic, { openWindows = {} }]) =>
      Object.entries(openWindows).map(([aggregate, open]): Reading => [{ topic, aggregate }, open]),
    ),
  );
  return figures;
}

const inSeconds = (ms: number | null | undefined): number | null => (typeof ms === 'number' ? ms / 1000 : null);
