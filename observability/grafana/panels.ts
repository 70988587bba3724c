// The kinds of panels that the dashboards are made of. None goes without a unit, a description and a text for "no data".
import { PanelBuilder as BarChartBuilder } from '@grafana/grafana-foundation-sdk/barchart';
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { Panel, ValueMapping } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as GraphBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

import { metricTableTarget, metricTarget, sqlTarget } from './queries.ts';
import type { MetricQuery, SqlFormat } from './queries.ts';

/** From which value on which color holds; below the first one: green. */
type Steps = readonly (readonly [from: number, color: 'green' | 'yellow' | 'red'])[];
/** A link of a value; its URL may use the value's labels and fields. */
export type ValueLink = { readonly title: string; readonly url: string; readonly targetBlank: boolean };

/** What every panel says. `unit` by Grafana's ids; `width` of 24; `none`: what stands there when there is no data. */
export type Face = {
  readonly title: string;
  readonly description: string;
  readonly unit: string;
  readonly width: number;
  readonly none: string;
  readonly height?: number;
  readonly steps?: Steps;
  readonly mappings?: ValueMapping[];
  readonly links?: readonly ValueLink[];
};

type Asked = readonly MetricQuery[] | { readonly sql: string };
type CommonBuilder = StatBuilder | TableBuilder | GraphBuilder | BarChartBuilder;

const DATA_SOURCE = '${datasource}';
const REF_IDS = 'ABCDEFGHIJ'.split('');
const GRAPH_HEIGHT = 8;
const STAT_HEIGHT = 4;

/** Lines over time. `stacked`: they add up to something. */
export function graph(face: Face & { readonly stacked?: boolean }, asked: Asked): Builder<Panel> {
  const { stacked = false, steps } = face;
  const panel = new GraphBuilder()
    .targets(targetsOf(asked, 'time_series'))
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi))
    .axisSoftMin(0)
    .fillOpacity(stacked ? 40 : 10)
    .lineWidth(1);
  if (stacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'));
  if (steps) panel.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  return faced(panel, { height: GRAPH_HEIGHT, ...face }, asked);
}

/** The newest value, large; one for each line that the query gives. */
export function stat(face: Face, asked: Asked): Builder<Panel> {
  const panel = new StatBuilder()
    .targets(targetsOf(asked, 'table'))
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values('sql' in asked));
  return faced(panel, { height: STAT_HEIGHT, ...face }, asked);
}

/** Rows of SQL as bars, one beside the other; the first column names them. */
export function bars(face: Face, asked: { readonly sql: string }): Builder<Panel> {
  const panel = new BarChartBuilder().targets(targetsOf(asked, 'table')).orientation(VizOrientation.Horizontal);
  return faced(panel, { height: GRAPH_HEIGHT, ...face }, asked);
}

/** A column of a table: its field, and what differs from the rest of the table. */
export type Column = {
  readonly name: string;
  readonly unit?: string;
  readonly links?: readonly ValueLink[];
  readonly mappings?: ValueMapping[];
};

/** Rows of SQL as they are. */
export function sqlTable(face: Face & { readonly columns?: readonly Column[] }, sql: string): Builder<Panel> {
  const panel = new TableBuilder().targets(targetsOf({ sql }, 'table'));
  return faced(withColumns(panel, face.columns ?? []), { height: GRAPH_HEIGHT, ...face }, { sql });
}

/** One row per combination of `labels`, one column per query (`column`: its heading). */
export function metricTable(
  face: Face & { readonly labels: readonly string[]; readonly columns?: readonly Column[] },
  asked: readonly (Column & { readonly expr: string })[],
): Builder<Panel> {
  const refIds = REF_IDS.slice(0, asked.length);
  const valueOf = (refId: string): string => (asked.length === 1 ? 'Value' : `Value #${refId}`);
  const panel = new TableBuilder()
    .targets(asked.map(({ expr }, index) => metricTableTarget(expr, String(refIds[index]))))
    .datasource({ type: 'prometheus', uid: DATA_SOURCE })
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true },
        indexByName: Object.fromEntries(face.labels.map((label, index) => [label, index])),
        renameByName: Object.fromEntries(asked.map(({ name }, index) => [valueOf(String(refIds[index])), name])),
      },
    });
  return faced(withColumns(panel, [...(face.columns ?? []), ...asked]), { height: GRAPH_HEIGHT, ...face }, []);
}

function withColumns(panel: TableBuilder, columns: readonly Column[]): TableBuilder {
  for (const { name, unit, links, mappings } of columns) {
    const properties = [
      ...(unit === undefined ? [] : [{ id: 'unit', value: unit }]),
      ...(links === undefined ? [] : [{ id: 'links', value: links }]),
      ...(mappings === undefined ? [] : [{ id: 'mappings', value: mappings }]),
    ];
    if (properties.length > 0) panel.overrideByName(name, properties);
  }
  return panel;
}

function targetsOf(asked: Asked, format: SqlFormat): Builder<Dataquery>[] {
  if ('sql' in asked) return [sqlTarget(asked.sql, format, 'A')];
  return asked.map((query, index) => metricTarget(query, String(REF_IDS[index])));
}

function faced<P extends CommonBuilder>(panel: P, face: Face & { height: number }, asked: Asked): P {
  const { title, description, unit, width, height, none, steps = [], mappings, links } = face;
  panel
    .title(title)
    .description(description)
    .datasource({ type: 'sql' in asked ? 'grafana-postgresql-datasource' : 'prometheus', uid: DATA_SOURCE })
    .unit(unit)
    .span(width)
    .height(height)
    .noValue(none)
    .thresholds(
      new ThresholdsConfigBuilder()
        .mode(ThresholdsMode.Absolute)
        .steps([{ value: null, color: 'green' }, ...steps.map(([value, color]) => ({ value, color }))]),
    );
  if (mappings) panel.mappings(mappings);
  if (links) panel.dataLinks(links.map(linkOf));
  return panel;
}

/** The SDK has no type of its own for a link of a value. */
function linkOf({ title, url, targetBlank }: ValueLink): DashboardLinkBuilder {
  return new DashboardLinkBuilder(title).type(DashboardLinkType.Link).url(url).targetBlank(targetBlank);
}
