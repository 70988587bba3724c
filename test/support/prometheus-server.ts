// A real Prometheus of a test's own, on a free port, that scrapes every second what it is told to.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import getPort from 'get-port';
import { parse } from 'yaml';

import { findTool } from '../../local/machine.ts';
import { must } from '../../pipeline/ensure.ts';
import { eventually } from './eventually.ts';

const CONFIGURATION = fileURLToPath(new URL('../../observability/prometheus/prometheus.yml', import.meta.url));

type Configuration = {
  readonly scrape_configs: readonly { readonly job_name: string; readonly relabel_configs: readonly unknown[] }[];
};
export type Series = {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
};
type Range = { readonly fromMs: number; readonly toMs: number; readonly stepSeconds: number };

export type PrometheusServer = {
  /** What a query answers over a range. Throws what Prometheus finds wrong with it. */
  range(expr: string, range: Range): Promise<readonly Series[]>;
  /** The values of a label, over all series that a selector matches. */
  labelValues(label: string, selector: string): Promise<readonly string[]>;
  stop(): Promise<void>;
};

type Options = {
  /** Addresses (`host:port`) to scrape, by the name of the job; with the labels that the Docker compose stack gives such a target. */
  readonly jobs: Readonly<Record<string, string>>;
  /** Text of a file of rules. */
  readonly rules: string;
};

/** Why there is none on this machine, or null: tests skip with it. */
export function whyNoPrometheus(): string | null {
  return findTool('prometheus') === null ? 'there is no prometheus on PATH: install the package prometheus' : null;
}

export async function startPrometheus({ jobs, rules }: Options): Promise<PrometheusServer> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-prometheus-'));
  const configuration = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: [join(folder, 'rules.yml')],
    scrape_configs: Object.entries(jobs).map(([name, address]) => ({
      job_name: name,
      static_configs: [{ targets: [address] }],
      relabel_configs: relabelingOf(name),
    })),
  };
  // JSON is YAML.
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(configuration));
  writeFileSync(join(folder, 'rules.yml'), rules);
  const address = `127.0.0.1:${await getPort({ host: '127.0.0.1' })}`;
  const child = spawn(
    must(findTool('prometheus'), 'prometheus on PATH'),
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually(async () => (await fetch(`http://${address}/-/ready`)).ok, {
      deadlineMs: 30_000,
      what: 'Prometheus is ready',
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    range: async (expr, { fromMs, toMs, stepSeconds }) => {
      const parameters = { query: expr, start: fromMs / 1000, end: toMs / 1000, step: stepSeconds };
      const { result } = await ask<{ result: readonly Series[] }>(address, 'query_range', parameters);
      return result;
    },
    labelValues: async (label, selector) =>
      await ask<readonly string[]>(address, `label/${label}/values`, { 'match[]': selector }),
    stop,
  };
}

/** What the checked-in configuration does to the labels of a job's targets. */
function relabelingOf(job: string): readonly unknown[] {
  const { scrape_configs: jobs }: Configuration = parse(readFileSync(CONFIGURATION, 'utf8'));
  return must(
    jobs.find(({ job_name: name }) => name === job),
    `the job ${job} of prometheus.yml`,
  ).relabel_configs;
}

async function ask<T>(address: string, path: string, parameters: Record<string, string | number>): Promise<T> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) query.set(name, String(value));
  const response = await fetch(`http://${address}/api/v1/${path}?${query.toString()}`);
  const answer: { status: string; error?: string; data: T } = JSON.parse(await response.text());
  if (answer.status !== 'success') throw new Error(`Prometheus refuses a query (${answer.error}).`);
  return answer.data;
}
