// The metrics of a topic as a whole: event time and windows, and its dead letters. The worker that looks after them shows them.
import { COMMIT_SECONDS, DELAY_SECONDS, PARTITION, TOPIC } from './metric-declaration.ts';
import type { MetricGroup } from './metric-declaration.ts';

export const WINDOW_METRICS = {
  windowsClosed: {
    kind: 'counter',
    name: 'weir_windows_closed_total',
    help: 'Windows closed with revision 1.',
    unit: 'count',
    labels: ['topic', 'aggregate'],
  },
  windowsAmended: {
    kind: 'counter',
    name: 'weir_windows_amended_total',
    help: 'Closed windows that late events gave a new revision.',
    unit: 'count',
    labels: TOPIC,
  },
  panesClosed: {
    kind: 'counter',
    name: 'weir_panes_closed_total',
    help: 'Minutes of event time that were rolled up.',
    unit: 'count',
    labels: TOPIC,
  },
  resultRows: {
    kind: 'counter',
    name: 'weir_result_rows_written_total',
    help: 'Rows that closing windows wrote into the result table; those of later revisions are not among them.',
    unit: 'count',
    labels: ['topic', 'aggregate'],
  },
  lowWatermark: {
    kind: 'gauge',
    name: 'weir_low_watermark_seconds',
    help: 'Low watermark of the topic, seconds since 1970.',
    unit: 'seconds',
    labels: TOPIC,
  },
  closedThrough: {
    kind: 'gauge',
    name: 'weir_closed_through_seconds',
    help: 'Event time through which panes are closed, seconds since 1970.',
    unit: 'seconds',
    labels: TOPIC,
  },
  windowOverdue: {
    kind: 'gauge',
    name: 'weir_window_overdue_seconds',
    help: 'Event time that may be closed and is not written yet: from where the results stand to the newest minute boundary by the low watermark; 0 when there is nothing to close.',
    unit: 'seconds',
    labels: TOPIC,
  },
  windowsOpen: {
    kind: 'gauge',
    name: 'weir_windows_open',
    help: 'Windows that have begun by the newest event and are not written yet, empty ones among them.',
    unit: 'count',
    labels: ['topic', 'aggregate'],
  },
  lateWaiting: {
    kind: 'gauge',
    name: 'weir_late_events_waiting',
    help: 'Late events that the windows over them do not hold yet.',
    unit: 'count',
    labels: TOPIC,
  },
  partitions: {
    kind: 'gauge',
    name: 'weir_partitions',
    help: 'Partitions that have a checkpoint.',
    unit: 'count',
    labels: TOPIC,
  },
  partitionIdle: {
    kind: 'gauge',
    name: 'weir_partition_idle',
    help: 'Whether the partition is idle, so that windows do not wait for it: 1 or 0.',
    unit: 'yes or no',
    labels: PARTITION,
  },
  partitionLostRange: {
    kind: 'gauge',
    name: 'weir_partition_lost_range',
    help: 'Whether Kafka has deleted messages that the partition still had to read, so that it stands until somebody accepts the gap: 1 or 0.',
    unit: 'yes or no',
    labels: PARTITION,
  },
  closeSeconds: {
    kind: 'histogram',
    name: 'weir_close_seconds',
    help: 'Time of one transaction that writes closed panes and the windows that end there.',
    unit: 'seconds',
    labels: TOPIC,
    buckets: COMMIT_SECONDS,
  },
  closeDelay: {
    kind: 'histogram',
    name: 'weir_close_delay_seconds',
    help: 'From the low watermark reaching a boundary, as first seen, to the windows up to there being written.',
    unit: 'seconds',
    labels: TOPIC,
    buckets: DELAY_SECONDS,
  },
} as const satisfies MetricGroup;

export const LETTER_METRICS = {
  lettersByStatus: {
    kind: 'gauge',
    name: 'weir_dead_letters',
    help: 'Dead letters by status; counted up to 100,000 each.',
    unit: 'count',
    labels: ['topic', 'status'],
  },
  lettersWaiting: {
    kind: 'gauge',
    name: 'weir_letters_waiting',
    help: 'Dead letters that the topic of dead letters does not hold yet; counted up to 100,000.',
    unit: 'count',
    labels: TOPIC,
  },
  lettersPublished: {
    kind: 'counter',
    name: 'weir_letters_published_total',
    help: 'Dead letters written to the topic of dead letters; one may be written twice.',
    unit: 'count',
    labels: TOPIC,
  },
  lettersRefused: {
    kind: 'counter',
    name: 'weir_letters_refused_total',
    help: 'Dead letters that Kafka refused to take into the topic of dead letters, for their size; PostgreSQL has them.',
    unit: 'count',
    labels: TOPIC,
  },
} as const satisfies MetricGroup;
