// What the declaration of a metric says, and the labels and buckets that several of them share.

type MetricKind = 'counter' | 'gauge' | 'histogram';

/**
 * What a value is. Seconds, bytes and rates stand at the end of the name as Prometheus wants it (before a counter's `_total`);
 * a count counts what the name says; `yes or no` is 1 or 0; `info` is always 1, and its labels say it all.
 */
type MetricUnit = 'seconds' | 'bytes' | 'per second' | 'count' | 'yes or no' | 'info';

/** One metric. `labels` are bounded: a topic, its partitions, the reasons, the aggregates. `buckets` for histograms only. */
export type MetricDeclaration = {
  readonly kind: MetricKind;
  readonly name: string;
  readonly help: string;
  readonly unit: MetricUnit;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
};

export type MetricGroup = Readonly<Record<string, MetricDeclaration>>;

export const TOPIC = ['topic'] as const;
export const PARTITION = ['topic', 'partition'] as const;
export const GENERATOR = ['generator', 'topic'] as const;

/** A transaction. */
export const COMMIT_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
/** Work of the CPU on one micro-batch. */
export const CPU_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1] as const;
/** From live, where milliseconds matter, to a history of days that is caught up with. */
export const DELAY_SECONDS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400,
] as const;
export const BATCH_ROWS = [1, 3, 10, 30, 100, 300, 1_000, 2_000, 3_000, 5_000, 10_000] as const;
export const BATCH_BYTES = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000] as const;
