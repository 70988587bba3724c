// The Pipeline dashboard: whether it is right, and how long an event takes.
import { graph, stat } from './panels.ts';
import { OF_PARTITION, OF_TOPIC, meanOf, quantileOf, quantiles, rateOf } from './queries.ts';
import { NO_PIPELINE, words } from './row.ts';
import type { Row } from './row.ts';

const NOTHING_COMMITTED = 'Nothing was committed in this time';
const NEVER_VERIFIED = 'weir verify has not run yet';
const perSecond = (what: string): string => `sum(rate(weir_events_${what}_total{${OF_PARTITION}}[$__rate_interval]))`;

export const CORRECTNESS: Row = {
  title: 'Correctness',
  panels: [
    stat(
      {
        title: 'Last verification',
        description:
          'What weir verify found when it last compared topic, checkpoints, events and results: conservation law, identities and every result row.',
        unit: 'none',
        width: 4,
        none: NEVER_VERIFIED,
        mappings: words('failed', 'clean'),
        steps: [
          [0, 'red'],
          [1, 'green'],
        ],
      },
      [
        {
          // Of the worker that knows the newest one, not of one that looked after the topic before.
          expr: `min by (topic) (weir_verification_clean{${OF_TOPIC}} and on (topic, instance) (weir_verification_timestamp_seconds{${OF_TOPIC}} == on (topic) group_left () max by (topic) (weir_verification_timestamp_seconds{${OF_TOPIC}})))`,
          legend: '{{topic}}',
        },
      ],
    ),
    stat(
      {
        title: 'Verified',
        description: 'How long ago that was.',
        unit: 's',
        width: 4,
        none: NEVER_VERIFIED,
        steps: [[604_800, 'yellow']],
      },
      [{ expr: `time() - max by (topic) (weir_verification_timestamp_seconds{${OF_TOPIC}})`, legend: '{{topic}}' }],
    ),
    stat(
      {
        title: 'Late events',
        description:
          'Share of the recorded events whose minute had closed already. Each one makes its windows be written again: a larger allowed lateness (WEIR_LATENESS) makes them fewer.',
        unit: 'percentunit',
        width: 4,
        none: NOTHING_COMMITTED,
        steps: [
          [0.01, 'yellow'],
          [0.05, 'red'],
        ],
      },
      [{ expr: `${perSecond('late')} / ${perSecond('recorded')}`, legend: 'late' }],
    ),
    stat(
      {
        title: 'Duplicates',
        description: 'Share of the valid messages whose event was stored already; they change nothing.',
        unit: 'percentunit',
        width: 4,
        none: NOTHING_COMMITTED,
      },
      [
        {
          expr: `${perSecond('duplicate')} / (${perSecond('recorded')} + ${perSecond('duplicate')})`,
          legend: 'duplicates',
        },
      ],
    ),
    stat(
      {
        title: 'Dead letters, by status',
        description:
          'Messages that could not become events, by what has become of them (counted up to 100,000 each). Those with status new wait for somebody to look: weir dead-letters list.',
        unit: 'short',
        width: 8,
        none: NO_PIPELINE,
      },
      [{ expr: `max by (status) (weir_dead_letters{${OF_TOPIC}})`, legend: '{{status}}' }],
    ),
    graph(
      {
        title: 'Conservation law: what became of every offset',
        description:
          'Each offset that is read is exactly one of these four; in each transaction they add up to how far the checkpoint moved. weir verify holds the sums to it.',
        unit: 'cps',
        width: 8,
        stacked: true,
        none: NO_PIPELINE,
      },
      [
        { expr: perSecond('recorded'), legend: 'recorded' },
        { expr: perSecond('duplicate'), legend: 'duplicate' },
        { expr: perSecond('rejected'), legend: 'rejected' },
        { expr: perSecond('skipped'), legend: 'skipped' },
      ],
    ),
    graph(
      {
        title: 'Rejected messages, by reason',
        description: 'Messages a second that became dead letters.',
        unit: 'cps',
        width: 8,
        stacked: true,
        none: NO_PIPELINE,
      },
      [{ expr: rateOf('weir_events_rejected_total', OF_PARTITION, 'reason'), legend: '{{reason}}' }],
    ),
    graph(
      {
        title: 'Fences, and the topic of dead letters',
        description:
          'Commits a second refused because another consumer owns the partition (a few at a change of hands are as they should be); letters a second written to the topic of dead letters, or refused there for their size; and letters that wait for it.',
        unit: 'short',
        width: 8,
        none: NO_PIPELINE,
      },
      [
        { expr: rateOf('weir_fenced_total', OF_PARTITION, 'topic'), legend: '{{topic}} fenced' },
        { expr: rateOf('weir_letters_published_total', OF_TOPIC, 'topic'), legend: '{{topic}} letters published' },
        { expr: rateOf('weir_letters_refused_total', OF_TOPIC, 'topic'), legend: '{{topic}} letters refused' },
        { expr: `max by (topic) (weir_letters_waiting{${OF_TOPIC}})`, legend: '{{topic}} letters waiting' },
      ],
    ),
  ],
};

const STAGES = ['fetch', 'parse', 'encode', 'commit'];

export const LATENCY: Row = {
  title: 'Latency',
  panels: [
    graph(
      {
        title: 'From the Kafka timestamp to the commit',
        description:
          'For the oldest message of each micro-batch. While a backlog is caught up on, this is the age of the backlog.',
        unit: 's',
        width: 8,
        none: NOTHING_COMMITTED,
      },
      quantiles('weir_produce_to_commit_seconds', OF_PARTITION),
    ),
    graph(
      {
        title: 'From the event time to the commit',
        description: 'For the newest event of each micro-batch: what the producers hold back is in it as well.',
        unit: 's',
        width: 8,
        none: NOTHING_COMMITTED,
      },
      quantiles('weir_event_time_to_commit_seconds', OF_PARTITION),
    ),
    graph(
      {
        title: 'From the watermark to the result',
        description:
          'From the moment at which the low watermark was first seen to have passed a boundary until the windows that end there are written; and the length of one transaction that writes them.',
        unit: 's',
        width: 8,
        none: 'No window closed in this time',
      },
      [
        ...quantiles('weir_close_delay_seconds', OF_TOPIC),
        { expr: quantileOf(0.99, 'weir_close_seconds', { selector: OF_TOPIC }), legend: 'p99 of one transaction' },
      ],
    ),
    graph(
      {
        title: 'Where the time of a micro-batch goes',
        description:
          'Means. A fetch that finds nothing waits for the next message, so while all is caught up it is the pause between two messages.',
        unit: 's',
        width: 12,
        none: NOTHING_COMMITTED,
      },
      STAGES.map((stage) => ({ expr: meanOf(`weir_${stage}_seconds`, OF_PARTITION), legend: stage })),
    ),
    graph(
      {
        title: 'Commit',
        description: 'Time that PostgreSQL takes for the transaction of one micro-batch.',
        unit: 's',
        width: 12,
        none: NOTHING_COMMITTED,
        steps: [[1, 'red']],
      },
      quantiles('weir_commit_seconds', OF_PARTITION),
    ),
  ],
};
