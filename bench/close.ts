// Close: what closing a pane costs, and how much of it sessions and funnels are, with many sessions open.
import type pg from 'pg';

import { AGGREGATES } from '../pipeline/aggregates.ts';
import { PANE_MS, paneStart } from '../pipeline/pane.ts';
import { sessionRulesOf } from '../pipeline/session.ts';
import { windowsEndingIn } from '../pipeline/window.ts';
import type { Span } from '../pipeline/window.ts';
import { advanceSessionsSql } from '../postgres/advance-sessions.ts';
import { closeSessionsSql } from '../postgres/close-sessions.ts';
import { closeNextPanes } from '../postgres/close-windows.ts';
import { moveClosedThrough, withClockHeld } from '../postgres/closed-through.ts';
import { FACT_TABLES } from '../postgres/fact-tables.ts';
import { writeFactsSql } from '../postgres/facts.ts';
import { instant } from '../postgres/instant.ts';
import { PANE_FACTS_OF_WINDOWS } from '../postgres/pane-facts.ts';
import { PURCHASE_FACTS } from '../postgres/purchase-facts.ts';
import { closeWindowsSql } from '../postgres/result-sql.ts';
import { runTogether, sumOf } from '../postgres/run-together.ts';
import { quoteSchema } from '../postgres/schema-name.ts';
import { BenchPipeline } from './bench-pipeline.ts';
import type { BenchOptions } from './bench-pipeline.ts';
import { round, serverParts, startCpuMeter } from './cpu-meter.ts';
import type { CpuPerEvent } from './cpu-meter.ts';
import { readCircumstances } from './outcome.ts';
import type { Circumstances } from './outcome.ts';

export type CloseOptions = BenchOptions & {
  /** Sessions that are open when measuring begins, one run each. */
  readonly open: readonly number[];
  /** Users who do something in each measured pane. */
  readonly active: number;
  readonly eventsPerUser: number;
  readonly panes: number;
};

/**
 * Medians over the panes, in milliseconds. `factsOfWindows`: the facts as they would be if there were no sessions, written
 * beside and taken back, so that `facts` less them is what sessions add. `moreForSessionsMs`: in the transaction that writes the
 * windows; `behindMs`: in the one behind it, where sessions close and funnels are counted.
 */
type CloseCost = {
  readonly openSessions: number;
  readonly closedSessionsPerPane: number;
  readonly medianMs: Readonly<Record<(typeof PARTS)[number], number>>;
  readonly withoutSessionsMs: number;
  readonly moreForSessionsMs: number;
  readonly behindMs: number;
  readonly cpuMicrosecondsPerEvent: CpuPerEvent;
};

export type CloseOutcome = Circumstances & {
  readonly bench: 'close';
  readonly activeUsers: number;
  readonly eventsPerPane: number;
  readonly panes: number;
  readonly costs: readonly CloseCost[];
};

const PARTS = ['factsOfWindows', 'facts', 'windows', 'openSessions', 'closedSessions'] as const;
type Part = (typeof PARTS)[number];

const MEASURED_FROM_MS = Date.parse('2026-03-01T00:00:00Z');
const VISIT_MINUTES = 15;
const LEAST_GAP_MINUTES = 30;
const LATENESS_MS = 20_000;
const CLOSED_AT_ONCE_MS = 30 * PANE_MS;

/** Each run in a schema of its own; the events are put in by SQL, and closed by the product's statements. */
export async function benchClose(options: CloseOptions): Promise<CloseOutcome> {
  const { active, eventsPerUser, panes } = options;
  const costs: CloseCost[] = [];
  let circumstances: Circumstances | null = null;
  for (const open of options.open) {
    const bench = await BenchPipeline.open({ ...options, partitions: 1 }, { latenessMs: LATENESS_MS });
    try {
      circumstances ??= await readCircumstances(bench, null);
      costs.push(await measure(bench, { ...options, openSessions: open }));
    } finally {
      await bench.close();
    }
  }
  if (circumstances === null) throw new Error('Name at least one number of open sessions.');
  return { bench: 'close', ...circumstances, activeUsers: active, eventsPerPane: active * eventsPerUser, panes, costs };
}

type Run = CloseOptions & { readonly openSessions: number };

async function measure(bench: BenchPipeline, run: Run): Promise<CloseCost> {
  const { active, eventsPerUser, panes, openSessions } = run;
  // So long that the sessions of those who came once each stay open; those that end are visits, as many as begin.
  const gapMs = Math.max(panes + LEAST_GAP_MINUTES, Math.ceil((openSessions / active) * VISIT_MINUTES)) * PANE_MS;
  const spec = { ...bench.spec, sessionGapMs: gapMs, sessionMaxMs: 30 * 86_400_000 };
  run.report(`${openSessions} open sessions: putting events in and closing what came before`);
  await putEvents(bench, run, gapMs);
  for (let throughMs = MEASURED_FROM_MS - 2 * gapMs; throughMs < MEASURED_FROM_MS; throughMs += CLOSED_AT_ONCE_MS) {
    const boundaryMs = Math.min(throughMs + CLOSED_AT_ONCE_MS, MEASURED_FROM_MS);
    await moveClosedThrough(bench.pool, spec, boundaryMs);
    await closeNextPanes(bench.pool, spec, { throughMs: boundaryMs });
  }
  const tables = quoteSchema(spec.schema);
  await bench.pool.query(`vacuum analyze ${tables}.open_sessions, ${tables}.pane_facts`);
  const { rows } = await bench.pool.query<{ open: number }>(
    `select count(*)::float8 as open from ${tables}.open_sessions`,
  );
  const { postgres } = serverParts({ brokers: run.addresses.kafka.brokers, postgresUrl: run.addresses.postgres.url });
  const took: Record<Part, number[]> = {
    factsOfWindows: [],
    facts: [],
    windows: [],
    openSessions: [],
    closedSessions: [],
  };
  let closedSessions = 0;
  const cpuUsed = startCpuMeter({ postgres });
  for (let pane = 0; pane < panes; pane += 1) {
    const startMs = MEASURED_FROM_MS + pane * PANE_MS;
    const span = { startMs, endMs: startMs + PANE_MS };
    await moveClosedThrough(bench.pool, spec, span.endMs);
    closedSessions +=
      (await withClockHeld(bench.pool, spec, async (client) => await closeOne(client, spec, { span, took }))) ?? 0;
  }
  const cpu = cpuUsed(active * eventsPerUser * panes);
  const medianMs = mapped(took, (all) =>
    round(all.toSorted((one, other) => one - other)[Math.floor(all.length / 2)] ?? 0),
  );
  return {
    openSessions: rows[0]?.open ?? 0,
    closedSessionsPerPane: round(closedSessions / panes),
    medianMs,
    withoutSessionsMs: round(medianMs.factsOfWindows + medianMs.windows),
    moreForSessionsMs: round(medianMs.facts - medianMs.factsOfWindows + medianMs.openSessions),
    behindMs: medianMs.closedSessions,
    cpuMicrosecondsPerEvent: cpu,
  };
}

/**
 * One event each of users whose sessions stay open; visits of a quarter of an hour in the measured panes; and the same a gap
 * earlier, which end there.
 */
async function putEvents({ pool, spec }: BenchPipeline, run: Run, gapMs: number): Promise<void> {
  const { active, eventsPerUser, panes, openSessions } = run;
  const tables = quoteSchema(spec.schema);
  const earlierMs = MEASURED_FROM_MS - gapMs - VISIT_MINUTES * PANE_MS;
  const endMs = MEASURED_FROM_MS + panes * PANE_MS;
  await pool.query(`select ${tables}.ensure_event_days(array(select d::date from generate_series(
    ${instant(paneStart(earlierMs))} - interval '1 day', ${instant(endMs)} + interval '1 day', interval '1 day') d))`);
  const staysFromMs = MEASURED_FROM_MS - gapMs + panes * PANE_MS;
  await pool.query(
    insertedEvents(tables, {
      from: `generate_series(1, ${openSessions}) n`,
      user: `'open-' || n`,
      at: `${instant(staysFromMs)} + n * interval '${(MEASURED_FROM_MS - staysFromMs) / 1000} seconds' / ${openSessions + 1}`,
    }),
  );
  const newcomers = Math.ceil(active / VISIT_MINUTES);
  const visits = (minutes: number): string => `generate_series(0, ${minutes - 1}) p
    cross join lateral generate_series(p * ${newcomers}, p * ${newcomers} + ${active - 1}) u
    cross join generate_series(1, ${eventsPerUser}) k, lateral (select u::bigint * 7919 + p * 104729 + k * 31 as n) x`;
  const during = (fromMs: number): string =>
    `${instant(fromMs)} + p * interval '1 minute' + (n % 59999) * interval '1 millisecond'`;
  // A few more than end in the measured panes: all who are there in the last minute leave together.
  const [past, present] = [visits(panes + VISIT_MINUTES + 2), visits(panes)];
  await pool.query(insertedEvents(tables, { from: past, user: `'past-' || u`, at: during(earlierMs) }));
  await pool.query(insertedEvents(tables, { from: present, user: `'user-' || u`, at: during(MEASURED_FROM_MS) }));
  await pool.query(`vacuum analyze ${tables}.events`);
}

/** INSERT of an event for each row of `from`, whose number `n` decides what it is. */
function insertedEvents(tables: string, { from, user, at }: { from: string; user: string; at: string }): string {
  return `
    insert into ${tables}.events (event_id, occurred_at, event_type, user_id, device, location, session_id, schema_version, page,
      referrer, item_id, quantity, price, items, quantities, total_amount, currency, kafka_partition, kafka_offset, kafka_timestamp)
    select gen_random_uuid(), ${at}, t, ${user}, 'mobile', 'Berlin', ${user}, 1,
      case when t = 'page_view' then 'product' end, case when t = 'page_view' then 'search' end,
      case when t in ('item_click', 'cart_add') then 'item-' || n % 500 end, case when t = 'cart_add' then 1 end,
      case when t = 'cart_add' then 9.99 end, case when t = 'purchase' then array['item-' || n % 500] end,
      case when t = 'purchase' then array[1] end, case when t = 'purchase' then 20 end,
      case when t = 'purchase' then 'EUR' end, 0, 0, now()
    from (select *, (array['user_login', 'page_view', 'page_view', 'page_view', 'item_click', 'item_click', 'user_login', 'cart_add',
      'search', 'purchase'])[1 + abs(hashint8(n)) % 10] as t from ${from}) e`;
}

type Timed = { readonly span: Span; readonly took: Record<Part, number[]> };

/** The statements of a close, part by part; returns how many sessions closed. */
async function closeOne(client: pg.PoolClient, spec: BenchPipeline['spec'], { span, took }: Timed): Promise<number> {
  const { schema, topic } = spec;
  const windows = AGGREGATES.flatMap((aggregate) => {
    const ending = windowsEndingIn(aggregate.window, span);
    return ending.length === 0 ? [] : [closeWindowsSql(aggregate, schema, ending)];
  });
  const parts: Record<Part, readonly string[]> = {
    factsOfWindows: [PANE_FACTS_OF_WINDOWS, PURCHASE_FACTS].map((table) => writeFactsSql(table, schema, span)),
    facts: FACT_TABLES.map((table) => writeFactsSql(table, schema, span)),
    windows,
    openSessions: advanceSessionsSql(schema, span, sessionRulesOf(spec)),
    closedSessions: closeSessionsSql(spec, span.endMs),
  };
  let sessions = 0;
  for (const part of PARTS) {
    if (part === 'factsOfWindows') await client.query('savepoint beside');
    const began = performance.now();
    sessions += sumOf(await runTogether(client, parts[part]), 'sessions');
    took[part].push(performance.now() - began);
    if (part === 'factsOfWindows') await client.query('rollback to savepoint beside');
  }
  await client.query(
    `update ${quoteSchema(schema)}.closed_through set written_through = ${instant(span.endMs)} where topic = $1`,
    [topic],
  );
  return sessions;
}

function mapped(from: Record<Part, number[]>, map: (all: number[]) => number): Record<Part, number> {
  const { factsOfWindows, facts, windows, openSessions, closedSessions } = from;
  return {
    factsOfWindows: map(factsOfWindows),
    facts: map(facts),
    windows: map(windows),
    openSessions: map(openSessions),
    closedSessions: map(closedSessions),
  };
}
