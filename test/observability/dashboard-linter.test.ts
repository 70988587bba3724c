// Grafana's own linter over the checked-in dashboards, where the program dashboard-linter is on PATH; and what of its rules can be
// told from the JSON alone, everywhere.
import { spawnSync } from 'node:child_process';

import { describe, expect, test } from 'vitest';

import { dashboardFiles } from '../../observability/grafana/dashboards.ts';
import { findTool } from '../../local/machine.ts';
import { must } from '../../pipeline/ensure.ts';
import { readDashboard } from './dashboard-queries.ts';

const FILES = dashboardFiles();
const [PIPELINE, BUSINESS] = FILES.map(readDashboard);
const PROGRAM = findTool('dashboard-linter');
const SKIPPED = PROGRAM === null ? ' (skipped: there is no dashboard-linter on PATH)' : '';

test.skipIf(PROGRAM === null).each(FILES)(`dashboard-linter passes $path${SKIPPED}`, ({ path }) => {
  const { status, stdout, stderr } = spawnSync(must(PROGRAM, 'dashboard-linter'), ['lint', '--strict', path], {
    encoding: 'utf8',
  });
  expect({ status, said: status === 0 ? '' : `${stdout}${stderr}` }).toEqual({ status: 0, said: '' });
});

describe('the rules of dashboard-linter that can be told from the JSON', () => {
  test.each([PIPELINE, BUSINESS])(
    'template-datasource: the data source is a variable, called as it should be',
    (dashboard) => {
      const sources = dashboard?.templating.list.filter(({ type }) => type === 'datasource');
      expect(sources?.map(({ name, label }) => [name, label])).toEqual([['datasource', 'Data source']]);
    },
  );

  test.each(['job', 'instance'])('template-%s: a query, several values, all of them by .+', (name) => {
    const variable = PIPELINE?.templating.list.find((one) => one.name === name);
    const label = `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
    expect(variable).toMatchObject({
      type: 'query',
      label,
      multi: true,
      allValue: '.+',
      datasource: { uid: '${datasource}' },
    });
  });

  test('target-job, target-instance: every selector of a panel says which job and instance', () => {
    const targets =
      PIPELINE?.panels.filter(({ title }) => title !== 'Alerts').flatMap(({ targets: all = [] }) => all) ?? [];
    const selectors = targets.flatMap(({ expr = '' }) => expr.match(/\{[^}]*\}/g) ?? []);
    expect(selectors.length).toBeGreaterThan(50);
    expect(selectors.filter((one) => !one.startsWith('{job=~"$job", instance=~"$instance"'))).toEqual([]);
  });

  test('target-rate-interval, target-counter-agg: counters are shown as rates over $__rate_interval', () => {
    const exprs = PIPELINE?.panels.flatMap(({ targets = [] }) => targets.map(({ expr = '' }) => expr)) ?? [];
    expect(
      exprs.flatMap((expr) => expr.match(/\[[^\]]*\]/g) ?? []).filter((range) => range !== '[$__rate_interval]'),
    ).toEqual([]);
    const bare = exprs.filter((expr) =>
      /_total\b/.test(expr.replaceAll(/(?:rate|increase)\(\w+_total\{[^}]*\}\[/g, '')),
    );
    expect(bare).toEqual([]);
  });
});
