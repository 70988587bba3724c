// The Pipeline dashboard: the way of an event, from the producer over the commit to the closed window.
import { graph } from './panels.ts';
import { OF_PARTITION, OF_TOPIC, meanOf, rateOf } from './queries.ts';
import { BY_PARTITION, LINE_LINKS, NO_PIPELINE, PARTITION_LEGEND } from './row.ts';
import type { Row } from './row.ts';

const NO_GENERATOR = 'No generator runs; other producers show as arriving messages';
const NOTHING_CLOSED = 'No window has closed yet: the low watermark has to pass its end';

export const PRODUCED: Row = {
  title: 'Produced',
  panels: [
    graph(
      {
        title: 'Messages arriving in the topic',
        description:
          'What is committed a second plus the growth of what waits: every producer counts, not only the generator.',
        unit: 'cps',
        width: 8,
        none: NO_PIPELINE,
      },
      [
        {
          expr: `sum by (topic) (
            rate(weir_events_recorded_total{${OF_PARTITION}}[$__rate_interval]) + rate(weir_events_duplicate_total{${OF_PARTITION}}[$__rate_interval])
            + rate(weir_events_skipped_total{${OF_PARTITION}}[$__rate_interval])
            + on (job, instance, topic, partition) sum by (job, instance, topic, partition) (rate(weir_events_rejected_total{${OF_PARTITION}}[$__rate_interval]))
          ) + sum by (topic) (deriv(weir_lag_offsets{${OF_PARTITION}}[$__rate_interval]))`.replaceAll(/\s+/g, ' '),
          legend: '{{topic}}',
        },
      ],
    ),
    graph(
      {
        title: 'Generator: asked for and acknowledged',
        description: 'Messages a second that the schedule of a generator asks for, and that Kafka has acknowledged.',
        unit: 'cps',
        width: 8,
        none: NO_GENERATOR,
      },
      [
        {
          expr: `sum by (generator) (weir_generator_target_per_second{${OF_TOPIC}})`,
          legend: '{{generator}} asked for',
        },
        { expr: `sum by (generator) (weir_generator_actual_per_second{${OF_TOPIC}})`, legend: '{{generator}} now' },
        { expr: rateOf('weir_generator_messages_total', OF_TOPIC, 'generator'), legend: '{{generator}} acknowledged' },
      ],
    ),
    graph(
      {
        title: 'Generator: behind its schedule',
        description: 'How late its next message is.',
        unit: 's',
        width: 4,
        none: NO_GENERATOR,
        steps: [[5, 'red']],
      },
      [{ expr: `max by (generator) (weir_generator_behind_seconds{${OF_TOPIC}})`, legend: '{{generator}}' }],
    ),
    graph(
      {
        title: 'Generator: bytes and errors',
        description:
          'Bytes of keys and values a second; and how often a second Kafka could not be written to (such messages are written later).',
        unit: 'Bps',
        width: 4,
        none: NO_GENERATOR,
      },
      [
        { expr: rateOf('weir_generator_bytes_total', OF_TOPIC, 'generator'), legend: '{{generator}}' },
        { expr: `${rateOf('weir_generator_errors_total', OF_TOPIC, 'kind')} or vector(0)`, legend: 'errors {{kind}}' },
      ],
    ),
  ],
};

export const COMMITTED: Row = {
  title: 'Committed',
  panels: [
    graph(
      {
        title: 'Events recorded, by partition',
        description: 'Events that became rows of the table events, a second.',
        unit: 'cps',
        width: 8,
        stacked: true,
        none: NO_PIPELINE,
        links: LINE_LINKS,
      },
      [{ expr: rateOf('weir_events_recorded_total', OF_PARTITION, BY_PARTITION), legend: PARTITION_LEGEND }],
    ),
    graph(
      {
        title: 'Micro-batches',
        description:
          'Transactions a second that commit one micro-batch; those that went through the staging table because of a duplicate; those sent again, by cause.',
        unit: 'ops',
        width: 8,
        none: NO_PIPELINE,
      },
      [
        { expr: rateOf('weir_batches_committed_total', OF_PARTITION, ''), legend: 'committed' },
        { expr: rateOf('weir_batches_staged_total', OF_PARTITION, ''), legend: 'staged' },
        { expr: rateOf('weir_batches_retried_total', OF_PARTITION, 'cause'), legend: 'again: {{cause}}' },
      ],
    ),
    graph(
      {
        title: 'Rows a micro-batch',
        description:
          'Few rows a batch: it keeps up, and each event is committed at once. Thousands: it is catching up.',
        unit: 'short',
        width: 4,
        none: NO_PIPELINE,
      },
      [{ expr: meanOf('weir_batch_rows', OF_PARTITION), legend: 'rows, mean' }],
    ),
    graph(
      {
        title: 'Bytes a micro-batch',
        description: 'Bytes of what one fetch returned.',
        unit: 'bytes',
        width: 4,
        none: NO_PIPELINE,
      },
      [{ expr: meanOf('weir_batch_bytes', OF_PARTITION), legend: 'bytes, mean' }],
    ),
  ],
};

export const CLOSED: Row = {
  title: 'Closed',
  panels: [
    graph(
      {
        title: 'The clock of the topic',
        description:
          'How far the low watermark, and the event time through which windows are closed, lie behind the wall clock. Live they stay at the allowed lateness and up to a minute more.',
        unit: 's',
        width: 8,
        none: NO_PIPELINE,
      },
      [
        {
          expr: `time() - max by (topic) (weir_low_watermark_seconds{${OF_TOPIC}})`,
          legend: '{{topic}} low watermark',
        },
        {
          expr: `time() - max by (topic) (weir_closed_through_seconds{${OF_TOPIC}})`,
          legend: '{{topic}} closed through',
        },
        { expr: `max by (topic) (weir_window_overdue_seconds{${OF_TOPIC}})`, legend: '{{topic}} overdue' },
      ],
    ),
    graph(
      {
        title: 'Windows closed',
        description: 'Windows a second that got their first result, by aggregate; and minutes of event time rolled up.',
        unit: 'ops',
        width: 8,
        none: NOTHING_CLOSED,
      },
      [
        { expr: rateOf('weir_windows_closed_total', OF_TOPIC, 'aggregate'), legend: '{{aggregate}}' },
        { expr: rateOf('weir_panes_closed_total', OF_TOPIC, ''), legend: 'minutes' },
      ],
    ),
    graph(
      {
        title: 'Result rows written',
        description: 'Rows of result tables a second, by aggregate, first results and amended ones.',
        unit: 'wps',
        width: 8,
        stacked: true,
        none: NOTHING_CLOSED,
      },
      [{ expr: rateOf('weir_result_rows_written_total', OF_TOPIC, 'aggregate'), legend: '{{aggregate}}' }],
    ),
    graph(
      {
        title: 'Windows open',
        description: 'Windows that have begun and are not closed, empty ones among them.',
        unit: 'none',
        width: 12,
        none: NO_PIPELINE,
      },
      [{ expr: `max by (aggregate) (weir_windows_open{${OF_TOPIC}})`, legend: '{{aggregate}}' }],
    ),
    graph(
      {
        title: 'Windows amended',
        description:
          'Closed windows a second that late events gave a new revision; and late events that wait to be taken in.',
        unit: 'short',
        width: 12,
        none: NO_PIPELINE,
      },
      [
        { expr: rateOf('weir_windows_amended_total', OF_TOPIC, 'topic'), legend: '{{topic}} amended a second' },
        { expr: `max by (topic) (weir_late_events_waiting{${OF_TOPIC}})`, legend: '{{topic}} late events waiting' },
      ],
    ),
  ],
};
