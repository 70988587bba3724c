// Grafana's own linter over the checked-in dashboards, and what of its rules can be told from the JSON alone.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, test } from 'vitest';

import { dashboardFiles } from '../../observability/grafana/dashboards.ts';
import { buildOnce, fingerprint } from '../../local/build-once.ts';
import { cacheFolder, findTool } from '../../local/machine.ts';
import { runTool } from '../../local/run-tool.ts';
import { readDashboard } from './dashboard-queries.ts';

/** Pins the linter, which has no releases, and the checksums of all that it is made from. */
const MODULE = fileURLToPath(new URL('dashboard-linter/', import.meta.url));
const FILES = dashboardFiles();
const [PIPELINE, BUSINESS] = FILES.map(readDashboard);

/** The path of the program; built once a machine, which takes a minute or two on two cores and needs Go 1.23 and a network. */
async function builtLinter(): Promise<string> {
  const what = "Go builds Grafana's dashboard-linter (once, a minute or two)";
  const sources = ['go.mod', 'go.sum', 'tools.go'].map((name) => join(MODULE, name));
  const report = (line: string): void => void process.stderr.write(`${line}\n`);
  const folder = join(cacheFolder(), `dashboard-linter-${fingerprint(sources)}`);
  const built = await buildOnce({ folder, what, report }, async (unfinished) => {
    const command = findTool('go');
    if (command === null) {
      throw new Error(
        'The dashboards are checked with dashboard-linter, which Go 1.23 or newer builds, and there is no go on PATH: install Go.',
      );
    }
    await runTool({
      what,
      command,
      args: [
        'build',
        '-trimpath',
        '-ldflags',
        '-s -w',
        '-o',
        join(unfinished, 'dashboard-linter'),
        'github.com/grafana/dashboard-linter',
      ],
      folder: MODULE,
      // A workspace or a vendor flag of the user's own projects must not reach this build.
      environment: { CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-mod=readonly' },
      logFile: join(cacheFolder(), 'logs', 'dashboard-linter-build.log'),
      report,
    });
  });
  return join(built, 'dashboard-linter');
}

describe('dashboard-linter', () => {
  let linter: string;
  beforeAll(async () => {
    linter = await builtLinter();
  }, 600_000);

  test.each(FILES)('passes $path', ({ path }) => {
    const { status, stdout, stderr } = spawnSync(linter, ['lint', '--strict', path], { encoding: 'utf8' });
    expect({ status, said: status === 0 ? '' : `${stdout}${stderr}` }).toEqual({ status: 0, said: '' });
  });
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
