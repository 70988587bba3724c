// Both pages of a worker, Weir's own and that of Temporal's SDK, become one instance: as Prometheus itself relabels what it finds.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';

import { findTool } from '../../local/machine.ts';
import { ROOT } from './compose-file.ts';

type Job = {
  readonly job_name: string;
  readonly dns_sd_configs?: readonly { readonly names: readonly string[]; readonly port: number }[];
  readonly relabel_configs?: readonly unknown[];
};
type Target = { readonly targets: readonly string[]; readonly labels?: Readonly<Record<string, string>> };
type Found = { readonly labels: Readonly<Record<string, string>> };

const promtool = findTool('promtool');
const JOBS_OF_A_WORKER = new Set(['weir', 'temporal-sdk']);

function jobsIn(path: string): Job[] {
  const { scrape_configs: jobs }: { scrape_configs: Job[] } = parse(readFileSync(join(ROOT, path), 'utf8'));
  return jobs.filter(({ job_name: name }) => JOBS_OF_A_WORKER.has(name));
}

/** `job/instance` of every target that is left when Prometheus has relabelled them by the rules of the job. */
function relabelled({ job_name: name, relabel_configs: rules = [] }: Job, targets: readonly Target[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'weir-scrape-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'prometheus.json');
  const job = { job_name: name, static_configs: targets, relabel_configs: rules };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ scrape_configs: [job] }));
  const args = ['check', 'service-discovery', '--timeout=2s', file, name];
  const { stdout, stderr } = spawnSync(promtool ?? '', args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  const found: readonly Found[] = JSON.parse(stdout);
  const kept = found.map(({ labels }) => labels).filter((labels) => Object.keys(labels).length > 0);
  // A target without the label gets its address.
  return kept.map(({ job: of, instance, __address__: address }) => `${of}/${instance ?? address}`);
}

const skipped = promtool === null ? ' (skipped: there is no promtool on PATH: install the package prometheus)' : '';

test.skipIf(promtool === null)(`in the Docker compose stack a worker is known by its address${skipped}`, () => {
  const pages = jobsIn('observability/prometheus/prometheus.yml').flatMap((job) => {
    const [workers] = job.dns_sd_configs ?? [];
    expect(workers?.names).toEqual(['worker']);
    return relabelled(job, [{ targets: [`10.0.0.7:${workers?.port}`, `10.0.0.8:${workers?.port}`] }]);
  });
  expect(pages.toSorted()).toEqual([
    'temporal-sdk/10.0.0.7',
    'temporal-sdk/10.0.0.8',
    'weir/10.0.0.7',
    'weir/10.0.0.8',
  ]);
});

test.skipIf(promtool === null)(
  `on Kubernetes a worker is known by its pod, and each job reads one port${skipped}`,
  () => {
    const target = (port: string, address: string): Target => ({
      targets: [address],
      labels: { __meta_kubernetes_pod_name: 'weir-worker-1', __meta_kubernetes_pod_container_port_name: port },
    });
    const both = [target('metrics', '10.0.0.7:9464'), target('temporal-metrics', '10.0.0.7:9465')];
    const pages = jobsIn('deploy/kubernetes/scrape.yaml').flatMap((job) => relabelled(job, both));
    expect(pages).toEqual(['weir/weir-worker-1', 'temporal-sdk/weir-worker-1']);
  },
);
