// The Pipeline dashboard: how it is at a glance, and what waits.
import { graph, metricTable, stat } from './panels.ts';
import { OF_PARTITION, OF_TOPIC } from './queries.ts';
import { BY_PARTITION, LINE_LINKS, NO_PIPELINE, PARTITION_LEGEND, words, workflowLink } from './row.ts';
import type { Row } from './row.ts';

export const GLANCE: Row = {
  title: 'At a glance',
  panels: [
    stat(
      {
        title: 'Messages waiting',
        description: 'Messages in Kafka that are not committed yet, over the chosen partitions.',
        unit: 'short',
        width: 4,
        none: NO_PIPELINE,
        steps: [
          [10_000, 'yellow'],
          [1_000_000, 'red'],
        ],
      },
      [{ expr: `sum by (topic) (weir_lag_offsets{${OF_PARTITION}})`, legend: '{{topic}}' }],
    ),
    stat(
      {
        title: 'Behind by',
        description:
          'How far the newest committed event time of the slowest partition lies behind the clock, while messages wait.',
        unit: 's',
        width: 4,
        none: NO_PIPELINE,
        steps: [
          [60, 'yellow'],
          [300, 'red'],
        ],
      },
      [{ expr: `max by (topic) (weir_event_time_lag_seconds{${OF_PARTITION}})`, legend: '{{topic}}' }],
    ),
    stat(
      {
        title: 'Partitions without a reader',
        description:
          'Partitions whose lease no worker holds. For a moment this happens at every change of hands; for minutes it must not.',
        unit: 'none',
        width: 4,
        none: NO_PIPELINE,
        steps: [[1, 'red']],
      },
      [
        {
          expr: `max by (topic) (weir_partitions{${OF_TOPIC}}) - sum by (topic) (max by (topic, partition) (weir_lease_held{${OF_TOPIC}}))`,
          legend: '{{topic}}',
        },
      ],
    ),
    stat(
      {
        title: 'Windows overdue by',
        description: 'Event time that the low watermark has passed and whose results are not written yet.',
        unit: 's',
        width: 4,
        none: NO_PIPELINE,
        steps: [
          [120, 'yellow'],
          [600, 'red'],
        ],
      },
      [{ expr: `max by (topic) (weir_window_overdue_seconds{${OF_TOPIC}})`, legend: '{{topic}}' }],
    ),
    metricTable(
      {
        title: 'Alerts',
        description: 'Alerts of Prometheus that are firing. The link leads to what the alert means and what to do.',
        unit: 'none',
        width: 8,
        height: 4,
        none: 'No alert is firing',
        labels: ['alertname', 'severity', 'topic', 'partition', 'runbook'],
        // Anchors have no capitals, unlike the names of alerts: the label has the section's.
        columns: ['alertname', 'runbook'].map((name) => ({
          name,
          links: [{ title: 'What to do', url: '${runbook}#${__data.fields.runbook}', targetBlank: true }],
        })),
      },
      [
        {
          name: 'Alerts',
          expr: 'count by (alertname, severity, topic, partition, runbook) (ALERTS{alertstate="firing"})',
        },
      ],
    ),
  ],
};

export const LAG: Row = {
  title: 'Lag',
  panels: [
    graph(
      {
        title: 'Messages waiting, by partition',
        description: 'Messages that are not committed yet. A click on a line leads to the workflow of its partition.',
        unit: 'short',
        width: 8,
        none: NO_PIPELINE,
        links: LINE_LINKS,
      },
      [{ expr: `sum by (${BY_PARTITION}) (weir_lag_offsets{${OF_PARTITION}})`, legend: PARTITION_LEGEND }],
    ),
    graph(
      {
        title: 'Behind in time, by partition',
        description:
          'While messages wait: clock less the event time of what was committed last, and less the time at which Kafka got it.',
        unit: 's',
        width: 8,
        none: NO_PIPELINE,
        steps: [[300, 'red']],
        links: LINE_LINKS,
      },
      [
        {
          expr: `max by (${BY_PARTITION}) (weir_event_time_lag_seconds{${OF_PARTITION}})`,
          legend: `${PARTITION_LEGEND} event time`,
        },
        {
          expr: `max by (${BY_PARTITION}) (weir_lag_seconds{${OF_PARTITION}})`,
          legend: `${PARTITION_LEGEND} Kafka time`,
        },
      ],
    ),
    metricTable(
      {
        title: 'Partitions',
        description:
          'Who reads, what waits, how old the watermark is. A partition of which Kafka has deleted unread messages stands until somebody accepts the loss (weir partition accept-gap).',
        unit: 'none',
        width: 8,
        none: NO_PIPELINE,
        labels: ['topic', 'partition'],
        columns: [{ name: 'partition', links: [workflowLink('__data.fields.topic', '__data.fields.partition')] }],
      },
      [
        {
          name: 'Read by',
          expr: `sum by (${BY_PARTITION}) (weir_lease_held{${OF_PARTITION}})`,
          mappings: words('nobody', 'a worker'),
        },
        { name: 'Waiting', expr: `sum by (${BY_PARTITION}) (weir_lag_offsets{${OF_PARTITION}})`, unit: 'short' },
        {
          name: 'Watermark is behind by',
          expr: `max by (${BY_PARTITION}) (weir_watermark_age_seconds{${OF_PARTITION}})`,
          unit: 's',
        },
        {
          name: 'Idle',
          expr: `max by (${BY_PARTITION}) (weir_partition_idle{${OF_PARTITION}})`,
          mappings: words('no', 'yes'),
        },
        {
          name: 'Lost range',
          expr: `max by (${BY_PARTITION}) (weir_partition_lost_range{${OF_PARTITION}})`,
          mappings: words('no', 'stands'),
        },
      ],
    ),
  ],
};
