// What alerts and dashboards read of Temporal's SDK, held against the page of a worker on which all that can fail does: a workflow
// that does not fit its history, one that cannot begin, an activity, a request.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parse } from 'yaml';

import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { ensureTopic } from '../../kafka/topics.ts';
import { dashboardFiles } from '../../observability/grafana/dashboards.ts';
import type { PipelineSpec } from '../../pipeline/pipeline-spec.ts';
import { eventually } from '../support/eventually.ts';
import { ProbedWorker } from '../workers/probed-worker.ts';
import { metricsOf, queriesOf, readDashboard } from './dashboard-queries.ts';
import type { DashboardQuery } from './dashboard-queries.ts';
import { seriesOf } from './metrics-text.ts';
import type { Series } from './metrics-text.ts';

type RuleFile = { readonly groups: readonly { readonly rules: readonly { alert: string; expr: string }[] }[] };
type CaseFile = {
  readonly tests: readonly { readonly name: string; readonly input_series: readonly { series: string }[] }[];
};

/** COMMAND_TYPE_START_TIMER of Temporal's API. */
const START_TIMER = 3;
const NAMESPACE = 'default';
const FAILED = 'temporal_workflow_task_execution_failed';

const alerts: RuleFile = parse(readFileSync('observability/prometheus/alerts.yml', 'utf8'));
const cases: CaseFile = parse(readFileSync('test/observability/rules/servers.yml', 'utf8'));
const readings: DashboardQuery[] = [
  ...alerts.groups.flatMap(({ rules }) =>
    rules.map(({ alert, expr }) => ({ where: alert, text: expr, kind: 'promql' as const })),
  ),
  ...dashboardFiles().flatMap((file) => queriesOf(readDashboard(file))),
].filter(({ text }) => text.includes('temporal_'));

const id = randomUUID();
const spec = createGeneratorSpec({ topic: `temporal-page-${id}`, name: 'shop', rate: 50 });
const misfit = `misfit-${id}`;
const unknown = `unknown-${id}`;
const cut = `cut-${id}`;
const failing = `failing-${id}`;

let worker: ProbedWorker;
let connection: Connection;
let client: Client;
let series: Series[];

beforeAll(async () => {
  const servers = inject('servers');
  worker = await ProbedWorker.open(servers);
  connection = await Connection.connect({ address: servers.temporalAddress });
  client = new Client({ connection });
  await ensureTopic({ brokers: servers.kafkaBrokers, topic: spec.topic, partitions: 1 });
  await beginAsAnotherBuildWould();
  await worker.start({ telemetryAddress: '127.0.0.1:0' });
  await client.workflow.start('noSuchWorkflow', { workflowId: unknown, taskQueue: worker.taskQueues.windows });
  const nowhere: PipelineSpec = {
    topic: spec.topic,
    schema: `nowhere-${id}`,
    latenessMs: 1_000,
    idleAfterMs: 1_000,
    maxFutureMs: 1_000,
    amendHorizonMs: 1_000,
    amendIntervalMs: 1_000,
    retentionMs: null,
  };
  await client.workflow.start('runPipeline', {
    workflowId: failing,
    taskQueue: worker.taskQueues.windows,
    args: [{ spec: nowhere, options: { taskQueues: worker.taskQueues } }],
  });
  await generate(cut);
  const whatFailed = { deadlineMs: 120_000, what: 'the page has counted each failure' };
  await eventually(async () => {
    await look();
    return found('temporal_activity_schedule_to_start_latency_count', worker.taskQueues.generator).length > 0;
  }, whatFailed);
  // Its lease hears of it by the next heartbeat, which Temporal refuses.
  await client.workflow.getHandle(cut).terminate('The request that fails is the heartbeat of its lease.');
  await eventually(async () => {
    await look();
    const names = new Set(series.map(({ name }) => name));
    const reasons = new Set(found(FAILED).map(({ labels }) => labels['failure_reason']));
    const hasBoth = reasons.has('NonDeterminismError') && reasons.has('WorkflowError');
    return hasBoth && names.has('temporal_activity_execution_failed') && names.has('temporal_request_failure');
  }, whatFailed);
}, 400_000);

afterAll(async () => {
  for (const workflowId of [misfit, unknown, failing]) {
    await client.workflow.getHandle(workflowId).terminate('The test is over.');
  }
  await connection.close();
  await worker.close();
}, 120_000);

async function generate(workflowId: string): Promise<void> {
  const { taskQueues } = worker;
  await client.workflow.start('generateEvents', {
    workflowId,
    taskQueue: taskQueues.generator,
    args: [{ spec, options: { taskQueues } }],
  });
}

/** A history that no present code would write: it begins with a timer instead of a lease. */
async function beginAsAnotherBuildWould(): Promise<void> {
  await generate(misfit);
  const { workflowService } = connection;
  const poll = { namespace: NAMESPACE, taskQueue: { name: worker.taskQueues.generator }, identity: 'another build' };
  const { taskToken } = await connection.withDeadline(
    Date.now() + 60_000,
    async () => await workflowService.pollWorkflowTaskQueue(poll),
  );
  const startTimerCommandAttributes = { timerId: 'of another build', startToFireTimeout: { nanos: 1_000_000 } };
  await workflowService.respondWorkflowTaskCompleted({
    taskToken,
    namespace: NAMESPACE,
    commands: [{ commandType: START_TIMER, startTimerCommandAttributes }],
  });
}

async function look(): Promise<void> {
  series = seriesOf(await worker.temporalPage());
}

function found(name: string, taskQueue?: string): Series[] {
  return series.filter(
    (one) => one.name === name && (taskQueue === undefined || one.labels['task_queue'] === taskQueue),
  );
}

/** The labels that an expression keeps apart. */
function labelsOf(expr: string): string[] {
  const lists = [...expr.matchAll(/\bby *\(([^)]*)\)/g)].map(([, list = '']) => list);
  return lists.flatMap((list) => list.split(',').map((label) => label.trim())).filter((label) => label !== '');
}

describe("the page of Temporal's SDK", () => {
  test('is read by the alert and by every panel of the row', () => {
    expect(readings.map(({ where }) => where)).toContain('WeirWorkflowsFailing');
    expect(new Set(readings.map(({ where }) => where.split(' / ')[0])).size).toBeGreaterThan(3);
  });

  test.each(readings)('has the series and labels that $where reads', ({ text }) => {
    const metrics = metricsOf(text).filter((name) => name !== 'vector');
    expect(metrics.length).toBeGreaterThan(0);
    for (const metric of metrics) {
      const all = found(metric);
      expect(all.length, metric).toBeGreaterThan(0);
      for (const { labels } of all) {
        for (const label of labelsOf(text)) expect(labels[label] ?? '', `${label} of ${metric}`).not.toBe('');
        // Prometheus gives these to a target; of the page's own it would make exported_job, and find nothing.
        expect(Object.keys(labels)).not.toContain('job');
        expect(Object.keys(labels)).not.toContain('instance');
      }
    }
  });

  test('says why a workflow fails in the words of the runbook, and on which queue', () => {
    const reasons = found(FAILED).map(({ labels }) => [labels['task_queue'], labels['failure_reason']]);
    expect(reasons).toContainEqual([worker.taskQueues.generator, 'NonDeterminismError']);
    expect(reasons).toContainEqual([worker.taskQueues.windows, 'WorkflowError']);
    const runbook = readFileSync('docs/runbook.md', 'utf8');
    for (const reason of ['NonDeterminismError', 'WorkflowError']) expect(runbook).toContain(`\`${reason}\``);
  });

  test('has the labels that the cases of the alert give their series', () => {
    const given = cases.tests
      .flatMap(({ input_series: all }) => all.map((one) => one.series))
      .filter((one) => one.startsWith(FAILED))
      .map((one) => [...one.matchAll(/(\w+)="/g)].map(([, label = '']) => label).toSorted());
    expect(given.length).toBeGreaterThan(1);
    const real = [...Object.keys(found(FAILED)[0]?.labels ?? {}), 'instance', 'job'].toSorted();
    for (const labels of given) expect(labels).toEqual(real);
  });
});
