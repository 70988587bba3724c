// Every metric that Weir exposes, declared once: dashboards, alerts and documents are held to this list.

type MetricKind = 'counter' | 'gauge' | 'histogram';

/** One metric. `labels` are bounded: a topic, its partitions, the reasons, the aggregates. `buckets` for histograms only. */
export type MetricDeclaration = {
  readonly kind: MetricKind;
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
};

const PARTITION = ['topic', 'partition'] as const;
const GENERATOR = ['generator', 'topic'] as const;
const COMMIT_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const BATCH_ROWS = [1, 3, 10, 30, 100, 300, 1000, 2000, 3000, 5000, 10_000];

export const COUNTERS = {
  recorded: {
    kind: 'counter',
    name: 'weir_events_recorded_total',
    help: 'Events stored, late ones among them.',
    labels: PARTITION,
  },
  duplicate: {
    kind: 'counter',
    name: 'weir_events_duplicate_total',
    help: 'Messages whose event was stored already.',
    labels: PARTITION,
  },
  late: {
    kind: 'counter',
    name: 'weir_events_late_total',
    help: 'Events stored after the pane they belong to had closed.',
    labels: PARTITION,
  },
  rejected: {
    kind: 'counter',
    name: 'weir_events_rejected_total',
    help: 'Messages that became dead letters, by reason.',
    labels: [...PARTITION, 'reason'],
  },
  skipped: {
    kind: 'counter',
    name: 'weir_events_skipped_total',
    help: 'Offsets without a message: control records and compacted holes.',
    labels: PARTITION,
  },
  batches: {
    kind: 'counter',
    name: 'weir_batches_committed_total',
    help: 'Micro-batches committed.',
    labels: PARTITION,
  },
  staged: {
    kind: 'counter',
    name: 'weir_batches_staged_total',
    help: 'Micro-batches that went through the staging table, because PostgreSQL met a duplicate in them.',
    labels: PARTITION,
  },
  retried: {
    kind: 'counter',
    name: 'weir_batches_retried_total',
    help: 'Micro-batches sent again, by cause: a pane closed meanwhile, a row was refused, a conflict with another transaction.',
    labels: [...PARTITION, 'cause'],
  },
  fenced: {
    kind: 'counter',
    name: 'weir_fenced_total',
    help: 'Commits refused because another consumer owns the partition.',
    labels: PARTITION,
  },
  windowsClosed: {
    kind: 'counter',
    name: 'weir_windows_closed_total',
    help: 'Windows closed with revision 1.',
    labels: ['topic', 'aggregate'],
  },
  windowsAmended: {
    kind: 'counter',
    name: 'weir_windows_amended_total',
    help: 'Closed windows that late events gave a new revision.',
    labels: ['topic'],
  },
  panesClosed: {
    kind: 'counter',
    name: 'weir_panes_closed_total',
    help: 'Minutes of event time that were rolled up.',
    labels: ['topic'],
  },
  lettersPublished: {
    kind: 'counter',
    name: 'weir_letters_published_total',
    help: 'Dead letters written to the topic of dead letters; one may be written twice.',
    labels: ['topic'],
  },
  lettersRefused: {
    kind: 'counter',
    name: 'weir_letters_refused_total',
    help: 'Dead letters that Kafka refused to take into the topic of dead letters, for their size; PostgreSQL has them.',
    labels: ['topic'],
  },
  produced: {
    kind: 'counter',
    name: 'weir_generator_messages_total',
    help: 'Messages that the generator has produced and Kafka has acknowledged.',
    labels: GENERATOR,
  },
  producedBytes: {
    kind: 'counter',
    name: 'weir_generator_bytes_total',
    help: 'Keys and values of these messages, in bytes.',
    labels: GENERATOR,
  },
  produceErrors: {
    kind: 'counter',
    name: 'weir_generator_errors_total',
    help: 'How often Kafka could not be written to, by what was wrong; the messages are written all the same, later.',
    labels: [...GENERATOR, 'kind'],
  },
} as const satisfies Record<string, MetricDeclaration>;

export const GAUGES = {
  lagOffsets: {
    kind: 'gauge',
    name: 'weir_lag_offsets',
    help: 'Messages of the partition that are not committed yet.',
    labels: PARTITION,
  },
  lagSeconds: {
    kind: 'gauge',
    name: 'weir_lag_seconds',
    help: 'How long ago the newest committed message was written to Kafka; 0 when none is waiting.',
    labels: PARTITION,
  },
  watermarkAge: {
    kind: 'gauge',
    name: 'weir_watermark_age_seconds',
    help: 'How far the watermark of the partition lies behind the wall clock.',
    labels: PARTITION,
  },
  lowWatermark: {
    kind: 'gauge',
    name: 'weir_low_watermark_seconds',
    help: 'Low watermark of the topic, seconds since 1970.',
    labels: ['topic'],
  },
  closedThrough: {
    kind: 'gauge',
    name: 'weir_closed_through_seconds',
    help: 'Event time through which panes are closed, seconds since 1970.',
    labels: ['topic'],
  },
  lateWaiting: {
    kind: 'gauge',
    name: 'weir_late_events_waiting',
    help: 'Late events that the windows over them do not hold yet.',
    labels: ['topic'],
  },
  dependencyUp: {
    kind: 'gauge',
    name: 'weir_dependency_up',
    help: 'Whether the server (temporal, postgres, kafka) did what this worker needs of it when last asked: 1 or 0.',
    labels: ['dependency'],
  },
  workerReady: {
    kind: 'gauge',
    name: 'weir_worker_ready',
    help: 'Whether this worker can take work just now, as /readyz says: 1 or 0.',
    labels: [],
  },
  lettersWaiting: {
    kind: 'gauge',
    name: 'weir_letters_waiting',
    help: 'Dead letters that the topic of dead letters does not hold yet; counted up to 100,000.',
    labels: ['topic'],
  },
  generatorBehind: {
    kind: 'gauge',
    name: 'weir_generator_behind_seconds',
    help: 'How far the generator is behind its schedule.',
    labels: GENERATOR,
  },
  generatorTarget: {
    kind: 'gauge',
    name: 'weir_generator_target_per_second',
    help: 'Messages a second that the schedule of the generator asks for at present.',
    labels: GENERATOR,
  },
  generatorActual: {
    kind: 'gauge',
    name: 'weir_generator_actual_per_second',
    help: 'Messages of the generator that Kafka acknowledged a second, over the last five seconds.',
    labels: GENERATOR,
  },
} as const satisfies Record<string, MetricDeclaration>;

export const HISTOGRAMS = {
  commitSeconds: {
    kind: 'histogram',
    name: 'weir_commit_seconds',
    help: 'Time that PostgreSQL took to commit one micro-batch.',
    labels: PARTITION,
    buckets: COMMIT_SECONDS,
  },
  batchRows: {
    kind: 'histogram',
    name: 'weir_batch_rows',
    help: 'Rows of one micro-batch.',
    labels: PARTITION,
    buckets: BATCH_ROWS,
  },
  closeSeconds: {
    kind: 'histogram',
    name: 'weir_close_seconds',
    help: 'Time of one transaction that writes closed panes and the windows that end there.',
    labels: ['topic'],
    buckets: COMMIT_SECONDS,
  },
} as const satisfies Record<string, MetricDeclaration>;

/** The whole list. */
export const METRICS: readonly MetricDeclaration[] = [COUNTERS, GAUGES, HISTOGRAMS].flatMap((group) =>
  Object.values<MetricDeclaration>(group),
);
