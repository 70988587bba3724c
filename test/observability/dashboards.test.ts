// The checked-in dashboards: they are what the code makes, name metrics that exist, and leave nobody without a unit or a word.
import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { dashboardFiles } from '../../observability/grafana/dashboards.ts';
import { FOR_EXPLORATION, METRICS_OF_OTHERS } from '../../observability/grafana/metric-uses.ts';
import { METRICS } from '../../observability/metric-list.ts';
import { partitionId } from '../../pipeline/ids.ts';
import { metricsOf, queriesOf, readDashboard } from './dashboard-queries.ts';

const FILES = dashboardFiles();
const DASHBOARDS = FILES.map(readDashboard);
const PANELS = DASHBOARDS.flatMap(({ title, panels }) =>
  panels.filter(({ type }) => type !== 'row').map((panel) => ({ ...panel, where: `${title}: ${panel.title}` })),
);
const HISTOGRAMS = new Set(METRICS.filter(({ kind }) => kind === 'histogram').map(({ name }) => name));

/** A histogram has three series; of others' metrics we only know the names. */
function metricOf(series: string): string {
  const base = series.replace(/_(bucket|sum|count)$/, '');
  return HISTOGRAMS.has(base) || METRICS_OF_OTHERS.includes(base) ? base : series;
}

const USED = new Set(
  DASHBOARDS.flatMap(queriesOf)
    .filter(({ kind }) => kind === 'promql')
    .flatMap(({ text }) => metricsOf(text).map(metricOf)),
);

describe('the checked-in dashboards', () => {
  test.each(FILES)('$path is what the code makes', ({ path, text }) => {
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  test('every metric that a panel names is declared', () => {
    const known = new Set([...METRICS.map(({ name }) => name), ...METRICS_OF_OTHERS]);
    expect([...USED].filter((name) => !known.has(name))).toEqual([]);
  });

  test('every declared metric is on a panel, or marked as for exploration', () => {
    const shown = (name: string): boolean => USED.has(name) || name in FOR_EXPLORATION;
    expect(METRICS.map(({ name }) => name).filter((name) => !shown(name))).toEqual([]);
  });

  test('no metric is marked or listed in vain', () => {
    expect(Object.keys(FOR_EXPLORATION).filter((name) => USED.has(name))).toEqual([]);
    expect(METRICS_OF_OTHERS.filter((name) => !USED.has(name))).toEqual([]);
  });

  test('every panel has a title of its own on its dashboard', () => {
    for (const { panels } of DASHBOARDS) {
      const titles = panels.map(({ type, title }) => `${type} ${title}`);
      expect(titles).toEqual([...new Set(titles)]);
    }
  });

  test.each(PANELS)(
    '$where has a description, a unit and words for no data',
    ({ description, fieldConfig, datasource }) => {
      expect(description).toMatch(/\.$/);
      expect(fieldConfig?.defaults.unit).toBeTruthy();
      expect(fieldConfig?.defaults.noValue).toBeTruthy();
      expect(datasource?.uid).toBe('${datasource}');
    },
  );

  test('a partition leads to its workflow: as a line, and as a row of the table', () => {
    const id = encodeURIComponent(partitionId('TOPIC', 7));
    const leads = (url: string): string =>
      url.replace(/\$\{[\w.]+topic\}/, 'TOPIC').replace(/\$\{[\w.]+partition\}/, '7');
    const expected = `\${temporal_ui}/namespaces/\${temporal_namespace}/workflows/${id}`;
    const lines = PANELS.filter(({ title }) => title.endsWith(', by partition'));
    expect(lines.map(({ fieldConfig }) => leads(String(fieldConfig?.defaults.links?.[0]?.url)))).toEqual(
      lines.map(() => expected),
    );
    expect(lines).toHaveLength(3);
    const table = PANELS.find(({ title }) => title === 'Partitions');
    expect(leads(JSON.stringify(table?.fieldConfig?.overrides))).toContain(expected);
  });

  test('an alert leads to its section of the runbook', () => {
    const alerts = PANELS.find(({ title }) => title === 'Alerts');
    expect(JSON.stringify(alerts?.fieldConfig?.overrides)).toContain('${runbook}#${__data.fields.runbook}');
    // The label that has the anchor; a test of the rules holds it.
    expect(alerts?.targets?.[0]?.expr).toMatch(/\bby \([^)]*\brunbook\b/);
  });
});

test('the names of metrics are found in PromQL, those of labels and functions are not', () => {
  const expr =
    'sum by (topic) (rate(a_total{job=~"x"}[$__rate_interval])) / on (topic) group_left () max(b:c) or vector(0)';
  expect(metricsOf(expr)).toEqual(['a_total', 'b:c']);
});
