// What a worker counts while it works. Activities speak to small interfaces, one a stage; prom-client stays behind them.
import { Registry, collectDefaultMetrics } from 'prom-client';

import { closeMetrics } from './close-metrics.ts';
import type { CloseMetrics } from './close-metrics.ts';
import { generatorMetrics } from './generator-metrics.ts';
import type { GeneratorMetrics } from './generator-metrics.ts';
import { ingestMetrics } from './ingest-metrics.ts';
import type { IngestMetrics } from './ingest-metrics.ts';
import { letterMetrics } from './letter-metrics.ts';
import type { LetterMetrics } from './letter-metrics.ts';
import { makersOf } from './metric-makers.ts';
import { workerMetrics } from './worker-metrics.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

export type Metrics = {
  readonly ingest: IngestMetrics;
  readonly close: CloseMetrics;
  readonly letters: LetterMetrics;
  readonly generator: GeneratorMetrics;
  readonly worker: WorkerMetrics;
  readonly contentType: string;
  /** The page that Prometheus reads. */
  page(): Promise<string>;
};

type Options = { readonly nowMs?: () => number; readonly processMetrics?: boolean };

/** Gauges of prom-client that are named like counters, which Prometheus's own check refuses; the same by type stay. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** Declares every metric in a registry of its own. `processMetrics` adds memory, CPU and event loop of this process. */
export function openMetrics({ nowMs = Date.now, processMetrics = true }: Options = {}): Metrics {
  const registry = new Registry();
  if (processMetrics) {
    collectDefaultMetrics({ register: registry });
    for (const name of MISNAMED) registry.removeSingleMetric(name);
  }
  const make = makersOf(registry);
  return {
    ingest: ingestMetrics(make, nowMs),
    close: closeMetrics(make),
    letters: letterMetrics(make),
    generator: generatorMetrics(make),
    worker: workerMetrics(make),
    contentType: registry.contentType,
    page: () => registry.metrics(),
  };
}
