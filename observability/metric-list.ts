// Every metric that Weir exposes, declared once: dashboards, alerts and documents are held to this list.
import { INGEST_METRICS } from './ingest-metric-list.ts';
import type { MetricDeclaration, MetricGroup } from './metric-declaration.ts';
import { GENERATOR_METRICS, WORKER_METRICS } from './process-metric-list.ts';
import { LETTER_METRICS, WINDOW_METRICS } from './topic-metric-list.ts';

/** The list by stage, in the order of an event's way. */
export const METRIC_GROUPS: readonly { readonly title: string; readonly metrics: MetricGroup }[] = [
  { title: 'Ingestion, by partition', metrics: INGEST_METRICS },
  { title: 'Event time and windows', metrics: WINDOW_METRICS },
  { title: 'Dead letters', metrics: LETTER_METRICS },
  { title: 'Worker processes', metrics: WORKER_METRICS },
  { title: 'Generators', metrics: GENERATOR_METRICS },
];

/** The whole list. */
export const METRICS: readonly MetricDeclaration[] = METRIC_GROUPS.flatMap(({ metrics }) => Object.values(metrics));
