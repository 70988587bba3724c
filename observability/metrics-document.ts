// docs/metrics.md as it follows from the list of metrics.
import { AGGREGATES } from '../pipeline/aggregates.ts';
import { LETTER_STATUSES } from '../pipeline/dead-letter.ts';
import { REJECTION_REASONS } from '../pipeline/rejection.ts';
import { FUNNEL, SESSIONS } from '../pipeline/session.ts';
import { RETRY_CAUSES } from './ingest-metrics.ts';
import type { MetricDeclaration } from './metric-declaration.ts';
import { METRIC_GROUPS } from './metric-list.ts';
import { CONNECTION_STATES } from './worker-metrics.ts';

const HEAD = `# Metrics

This file is written by \`npm run docs:metrics\` from \`observability/metric-list.ts\`; \`npm run check\` fails when the two differ.

A worker serves the page at \`http://<WEIR_METRICS_ADDRESS>/metrics\` (127.0.0.1:9464 unless told otherwise).

- Counters and histograms of a partition are there, at 0, from its first lease in this worker on; those of a topic from the first
  look at its windows or letters. A gauge is there as soon as it was read once, and not before: no figure is made up.
- What one lease reads (lag, age of the watermark) is on the page of the worker that holds the lease, and vanishes with it.
  What is looked at for a whole topic is on the page of the worker that looks after it, and vanishes from it a minute after
  that work has moved to another worker. So take the maximum over workers of a gauge by topic, and the sum of counters.
- Labels are bounded by what is declared: no user, session, event or message is ever one.
`;

const TAIL = `## Labels

| label | values |
|---|---|
| \`topic\`, \`partition\` | the topics that the worker works on, and their partitions |
| \`reason\` | ${codes(REJECTION_REASONS)} |
| \`cause\` | ${codes(RETRY_CAUSES)} |
| \`aggregate\` | ${codes([...AGGREGATES.map(({ name }) => name), FUNNEL, SESSIONS])} |
| \`status\` | ${codes(LETTER_STATUSES)} |
| \`state\` | ${codes(CONNECTION_STATES)} |
| \`dependency\` | ${codes(['temporal', 'postgres', 'kafka'])} |
| \`generator\` | names of the generators that the worker runs |
| \`kind\` | names of the errors of Kafka's protocol |
| \`version\`, \`node\` | versions of Weir and of Node.js |

## What else is on the page

Of the process itself: \`process_start_time_seconds\` (a change is a restart), \`process_cpu_seconds_total\`,
\`process_resident_memory_bytes\`, \`nodejs_eventloop_lag_*_seconds\`, \`nodejs_heap_*_bytes\`, \`nodejs_gc_duration_seconds\` and others
of [prom-client](https://github.com/siimon/prom-client).

Of Temporal's SDK: with \`WEIR_TEMPORAL_METRICS_ADDRESS\` set, the worker serves \`temporal_*\` at \`/metrics\` of that address, for
instance \`temporal_worker_task_slots_available\`, \`temporal_activity_schedule_to_start_latency\` and
\`temporal_workflow_task_execution_failed\`. They are declared by the SDK, not here.
`;

/** The whole text of docs/metrics.md. */
export function metricsDocument(): string {
  const groups = METRIC_GROUPS.map(({ title, metrics }) => {
    const rows = Object.values(metrics).map((of) => rowOf(of));
    return `## ${title}\n\n| metric | kind | labels | what it says |\n|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  return [HEAD, ...groups, TAIL].join('\n');
}

function rowOf({ name, kind, unit, labels, help }: MetricDeclaration): string {
  return `| \`${name}\` | ${kind}, ${unit} | ${codes(labels)} | ${help} |`;
}

function codes(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}
