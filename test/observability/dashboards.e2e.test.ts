// Every query of the dashboards on a real Prometheus and a real PostgreSQL beside a living pipeline: none fails, none is empty.
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { dashboardFiles } from '../../observability/grafana/dashboards.ts';
import { AGGREGATES } from '../../pipeline/aggregates.ts';
import { must } from '../../pipeline/ensure.ts';
import { clientConfig } from '../../postgres/pool.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { eventually } from '../support/eventually.ts';
import { whyNoPrometheus } from '../support/prometheus-server.ts';
import { filledIn, queriesOf, readDashboard } from './dashboard-queries.ts';
import type { DashboardQuery, Variable } from './dashboard-queries.ts';
import { openDashboardWorld } from './dashboard-world.ts';
import type { DashboardWorld } from './dashboard-world.ts';

const [PIPELINE, BUSINESS] = dashboardFiles().map(readDashboard);
const ANSWERED_WITHIN_MS = 300_000;
const ALL = '.+';
const SELECTION = /^label_values\((.+), (\w+)\)$/;

type Outcome = { readonly wrong: readonly string[]; readonly empty: readonly string[] };
const ALL_ANSWER: Outcome = { wrong: [], empty: [] };
type Ask = (query: DashboardQuery) => Promise<boolean>;

/** Feeds the pipeline until every query has an answer; says which have none, or what is wrong with them. */
async function untilAllAnswer(world: DashboardWorld, queries: readonly DashboardQuery[], ask: Ask): Promise<Outcome> {
  let open = [...queries];
  const wrong: string[] = [];
  const turn = async (): Promise<boolean> => {
    await world.feed();
    const empty: DashboardQuery[] = [];
    for (const query of open) {
      const isAnswered = ask(query).catch((error: unknown) => wrong.push(`${query.where}: ${String(error)}`) > 0);
      if (!(await isAnswered)) empty.push(query);
    }
    open = empty;
    return open.length === 0 || wrong.length > 0;
  };
  await eventually(turn, { deadlineMs: ANSWERED_WITHIN_MS, what: 'every query answers' }).catch(() => {});
  return { wrong, empty: open.map(({ where, text }) => `${where}: ${text}`) };
}

const named = (list: readonly Variable[]): Variable[] => list.filter(({ type }) => type === 'query');

describe.skipIf(whyNoPrometheus() !== null)(`the dashboards (${whyNoPrometheus() ?? 'on a real Prometheus'})`, () => {
  let world: DashboardWorld;
  let close = async (): Promise<void> => {};
  beforeAll(async () => {
    world = await openDashboardWorld(inject('servers'));
    close = async () => await world.close();
  }, 800_000);
  afterAll(async () => await close());

  test('every query and every variable of the Pipeline dashboard has an answer, also when one worker is chosen', async () => {
    if (!PIPELINE) throw new Error('There is no Pipeline dashboard.');
    const values = { job: ALL, instance: ALL, topic: ALL, partition: ALL, __rate_interval: '15s' };
    const choices = async (name: string): Promise<readonly string[]> => {
      const variable = PIPELINE.templating.list.find((one) => one.name === name);
      const [, selector = '', label = ''] = SELECTION.exec(filledIn(String(variable?.definition), values)) ?? [];
      return await world.prometheus.labelValues(label, selector);
    };
    const bothPages = { deadlineMs: ANSWERED_WITHIN_MS, what: 'both pages of the worker are read' };
    await eventually(async () => (await choices('job')).length === 2, bothPages);
    // The two pages of the one worker are one instance: else to choose it would leave the panels of the other page empty.
    const [instance, ...others] = await choices('instance');
    expect(others).toEqual([]);
    values.instance = must(instance, 'an instance');
    const outcome = await untilAllAnswer(world, queriesOf(PIPELINE), async ({ text }) => {
      const range = { fromMs: world.startedMs, toMs: Date.now(), stepSeconds: 2 };
      const series = await world.prometheus.range(filledIn(text, values), range);
      return series.some((one) => one.values.some(([, value]) => Number.isFinite(Number(value))));
    });
    expect(outcome).toEqual(ALL_ANSWER);
    for (const { name } of named(PIPELINE.templating.list)) expect(await choices(name), name).not.toEqual([]);
  }, 900_000);

  test('every query and every variable of the Business dashboard has an answer, for a role that reads results only', async () => {
    if (!BUSINESS) throw new Error('There is no Business dashboard.');
    const { schema } = world.database;
    const reader = await openReader(world);
    try {
      const values: Record<string, string> = { schema, from: new Date(world.historyFromMs).toISOString() };
      values.to = new Date(Date.now() + 3_600_000).toISOString();
      for (const { name, definition } of named(BUSINESS.templating.list)) {
        const found = await eventually(
          async () => await valuesOf(reader, filledIn(String(definition), values), world),
          {
            deadlineMs: ANSWERED_WITHIN_MS,
            what: `the variable ${name} has values`,
          },
        );
        values[name] ??= found.map((value) => `'${value}'`).join(',');
      }
      const outcome = await untilAllAnswer(world, queriesOf(BUSINESS), async ({ text }) => {
        const { rows, fields } = await reader.query<Record<string, unknown>>(filledIn(text, values));
        return rows.length > 0 && fields.every(({ name }) => rows.some((row) => row[name] !== null));
      });
      expect(outcome).toEqual(ALL_ANSWER);
    } finally {
      await reader.query('reset role');
      await reader.query(`drop owned by "${schema}_reader"; drop role "${schema}_reader"`);
      await reader.end();
    }
  }, 900_000);
});

/** A connection that may read what the role weir_reader may: the result tables. */
async function openReader({ database: { url, schema } }: DashboardWorld): Promise<Client> {
  const reader = new Client(clientConfig({ url }));
  await reader.connect();
  const tables = [...AGGREGATES.map(({ name }) => name), 'sessions', 'funnel', 'windows', 'amendments'];
  const qualified = tables.map((table) => `${quoteSchema(schema)}.${table}`).join(', ');
  const role = `"${schema}_reader"`;
  await reader.query(`create role ${role}; grant usage on schema ${quoteSchema(schema)} to ${role};
    grant select on ${qualified} to ${role}; set role ${role}`);
  return reader;
}

/** The values of a variable: the first column; null while there are none, then more messages come. */
async function valuesOf(reader: Client, sql: string, world: DashboardWorld): Promise<string[] | null> {
  const { rows } = await reader.query<Record<string, string>>(sql);
  if (rows.length === 0) await world.feed();
  return rows.length === 0 ? null : rows.map((row) => String(Object.values(row)[0]));
}
