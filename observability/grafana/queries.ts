// What panels ask: PromQL put together from metric names and the dashboard's variables, and SQL for the PostgreSQL data source.
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';

/** Selects the series of the chosen workers. Every query says so, or the choice of a worker would mean nothing. */
export const OF_WORKER = 'job=~"$job", instance=~"$instance"';
export const OF_TOPIC = `${OF_WORKER}, topic=~"$topic"`;
export const OF_PARTITION = `${OF_TOPIC}, partition=~"$partition"`;

/** One line, or a family of lines, of a panel. `legend` may name labels: `{{partition}}`. */
export type MetricQuery = { readonly expr: string; readonly legend: string };

/** Per second, summed up to the labels `by` (`topic, partition`; empty: one line). */
export function rateOf(metric: string, selector: string, by: string): string {
  return `sum by (${by}) (rate(${metric}{${selector}}[$__rate_interval]))`;
}

/** A share of all observations of a histogram took no longer than this. `by`: labels to keep apart. */
export function quantileOf(
  share: number,
  histogram: string,
  { selector, by }: { selector: string; by?: string },
): string {
  const labels = by === undefined ? 'le' : `le, ${by}`;
  return `histogram_quantile(${share}, sum by (${labels}) (rate(${histogram}_bucket{${selector}}[$__rate_interval])))`;
}

/** The mean of what a histogram observed. */
export function meanOf(histogram: string, selector: string): string {
  const perSecond = (part: string): string => `sum(rate(${histogram}_${part}{${selector}}[$__rate_interval]))`;
  return `${perSecond('sum')} / ${perSecond('count')}`;
}

/** Three quantiles of a histogram, as three lines. */
export function quantiles(histogram: string, selector: string): MetricQuery[] {
  return [0.5, 0.95, 0.99].map((share) => ({
    expr: quantileOf(share, histogram, { selector }),
    legend: `p${share * 100}`,
  }));
}

/** A query whose answer changes with time. */
export function metricTarget({ expr, legend }: MetricQuery, refId: string): Builder<Dataquery> {
  return new DataqueryBuilder().expr(expr).legendFormat(legend).range().refId(refId);
}

/** A query for its newest answer, as rows of a table. */
export function metricTableTarget(expr: string, refId: string): Builder<Dataquery> {
  return new DataqueryBuilder().expr(expr).instant().format(PromQueryFormat.Table).refId(refId);
}

export type SqlFormat = 'time_series' | 'table';

/** SQL with Grafana's macros. `time_series`: columns `time`, then `metric` (text) and value. The SDK has no type for it. */
export function sqlTarget(rawSql: string, format: SqlFormat, refId: string): Builder<Dataquery> {
  const query = {
    refId,
    format,
    rawQuery: true,
    editorMode: 'code',
    rawSql: rawSql.trim(),
    _implementsDataqueryVariant() {},
  };
  return { build: () => query };
}
