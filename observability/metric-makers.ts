// How declared metrics become metrics of prom-client, which stays behind this and the files beside it.
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

import type { MetricDeclaration } from './metric-declaration.ts';

type Labels = Readonly<Record<string, string>>;

/** One value of a gauge as it is now; null: nobody knows, and the page says nothing of it. */
export type Reading = readonly [labels: Labels, value: number | null];

export type Makers = {
  counter(of: MetricDeclaration): Counter;
  gauge(of: MetricDeclaration): Gauge;
  histogram(of: MetricDeclaration): Histogram;
  /** A gauge that is read when Prometheus asks: what grows while nothing happens, and what costs nothing to look up. */
  reading(of: MetricDeclaration, read: () => Iterable<Reading> | Promise<Iterable<Reading>>): void;
};

export function makersOf(registry: Registry): Makers {
  const options = (of: MetricDeclaration) => ({
    name: of.name,
    help: of.help,
    labelNames: [...of.labels],
    registers: [registry],
  });
  return {
    counter: (of) => new Counter(options(of)),
    gauge: (of) => new Gauge(options(of)),
    histogram: (of) => new Histogram({ ...options(of), buckets: [...(of.buckets ?? [])] }),
    reading(of, read) {
      const gauge: Gauge = new Gauge({
        ...options(of),
        async collect() {
          const readings = await read();
          // What nobody reads any more is gone; without labels a reset leaves a 0.
          gauge.reset();
          if (of.labels.length === 0) gauge.remove();
          for (const [labels, value] of readings) if (value !== null) gauge.set(labels, value);
        },
      });
    },
  };
}
