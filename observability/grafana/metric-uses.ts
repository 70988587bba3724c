// Which metrics the dashboards use besides Weir's own, and which of Weir's own no panel shows.

/** From prom-client, Temporal's SDK and Prometheus itself. */
export const METRICS_OF_OTHERS: readonly string[] = [
  'ALERTS',
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_gc_duration_seconds',
  'nodejs_heap_size_used_bytes',
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'process_start_time_seconds',
  'temporal_activity_execution_failed',
  'temporal_activity_schedule_to_start_latency',
  'temporal_request_failure',
  'temporal_worker_task_slots_available',
  'temporal_workflow_task_execution_failed',
  'temporal_workflow_task_schedule_to_start_latency',
];

/** For whoever looks closer, by name and why no panel shows it. */
export const FOR_EXPLORATION: Readonly<Record<string, string>> = {};
