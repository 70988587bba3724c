// The Pipeline dashboard: the worker processes, the servers they need, and what Temporal's SDK says of itself.
import { graph, metricTable, stat } from './panels.ts';
import { OF_WORKER, rateOf } from './queries.ts';
import { words } from './row.ts';
import type { Row } from './row.ts';

const NO_WORKER = 'No worker answers Prometheus';
const NO_TEMPORAL = 'The workers serve no metrics of Temporal: set WEIR_TEMPORAL_METRICS_ADDRESS';

export const WORKERS: Row = {
  title: 'Workers',
  panels: [
    metricTable(
      {
        title: 'Workers',
        description:
          'The worker processes, whether each can take work just now (as /readyz says), and for how long each has been running.',
        unit: 'none',
        width: 8,
        none: NO_WORKER,
        labels: ['instance', 'version', 'node'],
      },
      [
        {
          name: 'Ready',
          expr: `max by (instance, version, node) (weir_worker_ready{${OF_WORKER}} * on (job, instance) group_right () weir_build_info{${OF_WORKER}})`,
          mappings: words('no', 'yes'),
        },
        {
          name: 'Running for',
          expr: `max by (instance, version, node) ((time() - process_start_time_seconds{${OF_WORKER}}) * on (job, instance) group_right () weir_build_info{${OF_WORKER}})`,
          unit: 's',
        },
      ],
    ),
    graph(
      {
        title: 'Servers that the workers need',
        description: '1: it did what a worker needs of it when last asked. The lowest of the workers.',
        unit: 'none',
        width: 8,
        none: NO_WORKER,
      },
      [{ expr: `min by (dependency) (weir_dependency_up{${OF_WORKER}})`, legend: '{{dependency}}' }],
    ),
    graph(
      {
        title: 'Restarts',
        description: 'Processes that began anew at the same address. Roll-outs aside, there should be none.',
        unit: 'none',
        width: 4,
        none: NO_WORKER,
        steps: [[1, 'red']],
      },
      [
        {
          expr: `sum by (instance) (changes(process_start_time_seconds{${OF_WORKER}}[$__rate_interval]))`,
          legend: '{{instance}}',
        },
      ],
    ),
    stat(
      {
        title: 'Disk free',
        description: 'Share of the file system that holds WEIR_HOME.',
        unit: 'percentunit',
        width: 4,
        height: 8,
        none: NO_WORKER,
        steps: [
          [0, 'red'],
          [0.1, 'yellow'],
          [0.2, 'green'],
        ],
      },
      [
        {
          expr: `min by (instance) (weir_disk_free_bytes{${OF_WORKER}} / weir_disk_size_bytes{${OF_WORKER}})`,
          legend: '{{instance}}',
        },
      ],
    ),
    graph(
      {
        title: 'CPU',
        description: 'Cores that each worker uses. One event loop uses little more than one.',
        unit: 'short',
        width: 6,
        none: NO_WORKER,
      },
      [{ expr: rateOf('process_cpu_seconds_total', OF_WORKER, 'instance'), legend: '{{instance}}' }],
    ),
    graph(
      {
        title: 'Memory',
        description: 'Resident memory of each worker, and what of it is JavaScript heap in use.',
        unit: 'bytes',
        width: 6,
        none: NO_WORKER,
      },
      [
        { expr: `max by (instance) (process_resident_memory_bytes{${OF_WORKER}})`, legend: '{{instance}} resident' },
        { expr: `max by (instance) (nodejs_heap_size_used_bytes{${OF_WORKER}})`, legend: '{{instance}} heap' },
      ],
    ),
    graph(
      {
        title: 'Event loop',
        description:
          'How late the event loop of a worker comes to its timers (p99), and seconds of garbage collection a second.',
        unit: 's',
        width: 6,
        none: NO_WORKER,
        steps: [[1, 'red']],
      },
      [
        { expr: `max by (instance) (nodejs_eventloop_lag_p99_seconds{${OF_WORKER}})`, legend: '{{instance}} late' },
        { expr: rateOf('nodejs_gc_duration_seconds_sum', OF_WORKER, 'instance'), legend: '{{instance}} collecting' },
      ],
    ),
    graph(
      {
        title: 'PostgreSQL connections',
        description:
          'Of the pool of each worker, added up. Waiting: work that wants a connection and has none; it should be 0.',
        unit: 'none',
        width: 6,
        none: NO_WORKER,
      },
      [{ expr: `sum by (state) (weir_postgres_connections{${OF_WORKER}})`, legend: '{{state}}' }],
    ),
  ],
};

export const TEMPORAL: Row = {
  title: 'Temporal',
  panels: [
    graph(
      {
        title: 'Slots free',
        description: 'Tasks that the workers could take on beside what they do. At 0, new leases wait.',
        unit: 'none',
        width: 8,
        none: NO_TEMPORAL,
        steps: [
          [0, 'red'],
          [1, 'green'],
        ],
      },
      [
        {
          expr: `sum by (task_queue, worker_type) (temporal_worker_task_slots_available{${OF_WORKER}})`,
          legend: '{{task_queue}} {{worker_type}}',
        },
      ],
    ),
    graph(
      {
        title: 'From schedule to start',
        description: 'Time for which tasks wait for a worker (p99). Long waits mean too few workers.',
        unit: 'ms',
        width: 8,
        none: NO_TEMPORAL,
      },
      [
        {
          expr: `histogram_quantile(0.99, sum by (le, task_queue) (rate(temporal_activity_schedule_to_start_latency_bucket{${OF_WORKER}}[$__rate_interval])))`,
          legend: 'activities of {{task_queue}}',
        },
        {
          expr: `histogram_quantile(0.99, sum by (le, task_queue) (rate(temporal_workflow_task_schedule_to_start_latency_bucket{${OF_WORKER}}[$__rate_interval])))`,
          legend: 'workflow tasks of {{task_queue}}',
        },
      ],
    ),
    graph(
      {
        title: 'Failures',
        description:
          'Workflow tasks a second that failed, by reason: NonDeterminismError means that workflow code and a history do not fit (an older worker met a newer run). Activities that failed are tried again by their workflow.',
        unit: 'ops',
        width: 8,
        none: NO_TEMPORAL,
      },
      [
        {
          expr: `${rateOf('temporal_workflow_task_execution_failed', OF_WORKER, 'failure_reason')} or vector(0)`,
          legend: 'workflow tasks {{failure_reason}}',
        },
        {
          expr: `${rateOf('temporal_activity_execution_failed', OF_WORKER, 'activity_type')} or vector(0)`,
          legend: 'activities {{activity_type}}',
        },
        {
          expr: `${rateOf('temporal_request_failure', OF_WORKER, 'operation')} or vector(0)`,
          legend: 'requests {{operation}}',
        },
      ],
    ),
  ],
};
