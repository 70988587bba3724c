// What a worker counts while it makes events: how much was sent, at what pace, and what went wrong.
import type { Makers } from './metric-makers.ts';
import { GENERATOR_METRICS } from './process-metric-list.ts';

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

export function generatorMetrics({ counter, gauge }: Pick<Makers, 'counter' | 'gauge'>): GeneratorMetrics {
  const produced = counter(GENERATOR_METRICS.produced);
  const producedBytes = counter(GENERATOR_METRICS.producedBytes);
  const errors = counter(GENERATOR_METRICS.produceErrors);
  const behind = gauge(GENERATOR_METRICS.generatorBehind);
  const target = gauge(GENERATOR_METRICS.generatorTarget);
  const actual = gauge(GENERATOR_METRICS.generatorActual);
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
