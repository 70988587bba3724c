// What a worker counts while it makes events: how much was sent, at what pace, and what went wrong.
import type { Counter, Gauge } from 'prom-client';

import { COUNTERS, GAUGES } from './metric-list.ts';
import type { MetricDeclaration } from './metric-list.ts';

type GeneratorName = { readonly generator: string; readonly topic: string };

/** For `produceEvents`. */
export type GeneratorMetrics = {
  produced(of: GeneratorName & { messages: number; bytes: number }): void;
  /** Messages a second that are wanted and that Kafka acknowledges, and how late the next one is. */
  pace(of: GeneratorName & { targetRate: number; actualRate: number; behindMs: number }): void;
  /** One more error, of a kind that Kafka's protocol names. */
  failed(of: GeneratorName & { kind: string }): void;
  /** Gauges of the generator vanish here, since another worker may have it now. */
  leaseEnded(of: GeneratorName): void;
};

type Makers = {
  readonly counter: (of: MetricDeclaration) => Counter;
  readonly gauge: (of: MetricDeclaration) => Gauge;
};

/** Declares the metrics of generators with what the registry's owner makes counters and gauges by. */
export function generatorMetrics({ counter, gauge }: Makers): GeneratorMetrics {
  const produced = counter(COUNTERS.produced);
  const producedBytes = counter(COUNTERS.producedBytes);
  const errors = counter(COUNTERS.produceErrors);
  const behind = gauge(GAUGES.generatorBehind);
  const target = gauge(GAUGES.generatorTarget);
  const actual = gauge(GAUGES.generatorActual);
  return {
    produced({ generator, topic, messages, bytes }) {
      produced.inc({ generator, topic }, messages);
      producedBytes.inc({ generator, topic }, bytes);
    },
    pace({ generator, topic, targetRate, actualRate, behindMs }) {
      // Touched here so that they exist at 0 before the first acknowledgement.
      produced.inc({ generator, topic }, 0);
      producedBytes.inc({ generator, topic }, 0);
      behind.set({ generator, topic }, behindMs / 1000);
      target.set({ generator, topic }, targetRate);
      actual.set({ generator, topic }, actualRate);
    },
    failed: ({ generator, topic, kind }) => errors.inc({ generator, topic, kind }),
    leaseEnded({ generator, topic }) {
      for (const each of [behind, target, actual]) each.remove({ generator, topic });
    },
  };
}
