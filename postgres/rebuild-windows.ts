// Rebuilding: the panes and windows of a range are made again from `events`, and what differs from the stored ones is put
// right as a next revision. A correct range changes nothing.
//
// One pass in the order of event time, one transaction after another: each refreshes the facts of the next panes and then
// rebuilds every window that ends there. All panes of such a window have been refreshed by then, so that no window is ever
// rebuilt from facts in doubt, and none twice. Late events that wait stay out of it: they are the amendments' to take in.
import { setTimeout as wait } from 'node:timers/promises';

import type pg from 'pg';

import { AGGREGATES, LONGEST_WINDOW_MS, lastWindowEndOfAny } from '../pipeline/aggregates.ts';
import { must } from '../pipeline/ensure.ts';
import { PANE_MS } from '../pipeline/pane.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { NOTHING_REBUILT, addRebuilt, panesToGoOver, writtenRange } from '../pipeline/rebuild.ts';
import type { RebuildCounts } from '../pipeline/rebuild.ts';
import { sessionRulesOf } from '../pipeline/session.ts';
import { lastWindowEndOf, windowsEndingIn } from '../pipeline/window.ts';
import type { Span } from '../pipeline/window.ts';
import { closeSessions } from './close-sessions.ts';
import { readClock, withClockHeld } from './closed-through.ts';
import { amendSessionsSql } from './amended-sessions.ts';
import { FACT_TABLES } from './fact-tables.ts';
import { refreshFactsSql } from './facts.ts';
import { instant, msOrNull, paneOf, toMs } from './instant.ts';
import type { Queryable } from './pool.ts';
import { rebuildRowsSql } from './rebuilt-rows.ts';
import { activitySql } from './rebuilt-sessions.ts';
import type { Activity } from './rebuilt-sessions.ts';
import { runTogether, sumOf } from './run-together.ts';
import { quoteSchema } from './schema-name.ts';
import { keepSessionRulesSql } from './session-rules.ts';
import { reviewFunnelsSql, settleFunnelsSql } from './settle-funnels.ts';

/** `positionMs`: everything before it is rebuilt (epoch ms of event time), null: nothing is; `done`: so is the whole range. */
export type Rebuilt = { readonly positionMs: number | null; readonly done: boolean; readonly counts: RebuildCounts };

export type RebuildOptions = {
  /** Event time whose windows are rebuilt, every window that holds a part of it. */
  readonly range: Span;
  /** Where an earlier call ended; null: from the beginning. */
  readonly positionMs: number | null;
  /** Asked before every transaction but the first; false ends the call there. */
  readonly goOn?: () => boolean;
  /** Told after every transaction, and whenever it had to leave the turn to others. Throwing ends the call. */
  readonly onProgress?: (rebuilt: Rebuilt) => void;
  /** Events whose panes make up the first transaction; the next ones follow from the time that it takes. */
  readonly eventsPerTransaction?: number;
};

/** While a transaction holds the clock, closing waits: short ones, and a pause behind each in which others get their turn. */
const SHORT_MS = 200;
const LONG_MS = 600;
const EVENTS = { first: 4_000, least: 500, most: 32_000 };
const MOST_PANES_A_TRANSACTION = 240;
const PAUSE_SHARE = 0.25;
const BUSY_WAIT_MS = 200;

/**
 * Rebuilds from `positionMs` on. May be called again from any earlier position: what is right is not touched. Results that
 * are not written yet are none of its business. Throws what PostgreSQL throws, and what `onProgress` throws.
 */
export async function rebuildWindows(pool: pg.Pool, spec: PipelineSpec, options: RebuildOptions): Promise<Rebuilt> {
  const { goOn = () => true, onProgress = () => {} } = options;
  let events = options.eventsPerTransaction ?? EVENTS.first;
  let counts = NOTHING_REBUILT;
  let { positionMs } = options;
  for (let turn = 0; ; turn += 1) {
    if (turn > 0 && !goOn()) return { positionMs, done: false, counts };
    const began = performance.now();
    const step = await rebuildNext(pool, spec, { range: options.range, positionMs, events });
    if (step === 'nothing left') return { positionMs: options.range.endMs, done: true, counts };
    if (step !== 'busy') {
      ({ positionMs } = step);
      counts = addRebuilt(counts, step.counts);
    }
    onProgress({ positionMs, done: false, counts });
    const tookMs = performance.now() - began;
    if (options.eventsPerTransaction === undefined) events = nextShare(events, tookMs);
    await wait(step === 'busy' ? BUSY_WAIT_MS : tookMs * PAUSE_SHARE);
  }
}

function nextShare(events: number, tookMs: number): number {
  if (tookMs > LONG_MS) return Math.max(EVENTS.least, Math.floor(events / 2));
  return tookMs < SHORT_MS ? Math.min(EVENTS.most, events * 2) : events;
}

type Turn = { readonly range: Span; readonly positionMs: number | null; readonly events: number };
type Step = { readonly positionMs: number; readonly counts: RebuildCounts };

async function rebuildNext(pool: pg.Pool, spec: PipelineSpec, turn: Turn): Promise<Step | 'nothing left' | 'busy'> {
  // Where the next panes are is looked up before the clock is held: looking takes time, and only this call moves on there.
  const { writtenThroughMs } = await readClock(pool, spec);
  const range = writtenRange(turn.range, writtenThroughMs);
  if (range === null || writtenThroughMs === null) return 'nothing left';
  const whole = panesToGoOver(range, writtenThroughMs);
  const behindMs = turn.positionMs ?? whole.startMs;
  if (behindMs >= whole.endMs) return 'nothing left';
  const found = await nextSpan(pool, spec, { startMs: behindMs, limitMs: whole.endMs, ...turn });
  // Where no pane is left, the sessions that ended in the last ones still are.
  const span = found ?? { startMs: whole.endMs, endMs: whole.endMs };
  const sessions = sessionsToRebuild(spec, { range, behindMs, doneMs: span.endMs, isLast: span.endMs >= whole.endMs });
  const counts = await withClockHeld(pool, spec, async (client, position) => {
    await closeSessions(client, spec, position);
    const throughMs = must(position.panesThroughMs, 'a clock that was past a pane before');
    return await rebuildSpan(client, spec, { span, range, sessions, throughMs });
  });
  return counts === null ? 'busy' : { positionMs: span.endMs, counts };
}

type Progress = { readonly range: Span; readonly behindMs: number; readonly doneMs: number; readonly isLast: boolean };

/**
 * Where the last minute of a session lies that can be rebuilt now: its facts, and those of the gap behind it, were refreshed up
 * to `doneMs`, and it was not rebuilt before. So none is made from facts in doubt, and none twice.
 */
function sessionsToRebuild(spec: PipelineSpec, { range, behindMs, doneMs, isLast }: Progress): Activity {
  const rules = sessionRulesOf(spec);
  const gapMs = rules.gapMs + PANE_MS;
  const startMs = (isLast ? Math.min(behindMs, range.endMs) : behindMs) - gapMs;
  const endMs = isLast ? range.endMs : Math.min(doneMs - gapMs, range.endMs);
  return { span: { startMs: Math.max(startMs, range.startMs), endMs }, goesOn: isLast, rules };
}

type Work = {
  readonly span: Span;
  readonly range: Span;
  readonly sessions: Activity;
  /** written_through, under the clock. */
  readonly throughMs: number;
};

/** Refreshes the facts of `span`, and rebuilds the windows that end in it and hold a part of `range`. */
async function rebuildSpan(client: pg.PoolClient, spec: PipelineSpec, work: Work): Promise<RebuildCounts> {
  const { schema } = spec;
  const { span, sessions, throughMs } = work;
  const amending = { throughMs, rules: sessionRulesOf(spec), cause: 'reprocess' } as const;
  const answers = await runTogether(client, [
    ...FACT_TABLES.map((table) => refreshFactsSql(table, schema, span)),
    ...rebuildWindowsSql(schema, work),
    ...(sessions.span.startMs < sessions.span.endMs
      ? [
          amendSessionsSql(schema, { touched: activitySql(schema, sessions), ...amending }),
          reviewFunnelsSql(schema, sessions.span),
        ]
      : []),
    ...settleFunnelsSql(schema, throughMs, 'reprocess'),
    keepSessionRulesSql(spec, amending.rules),
  ]);
  return {
    // A pane with wrong facts in two tables is one pane.
    panes: Math.max(...answers.map(({ rows }) => rows[0]?.['panes'] ?? 0)),
    windows: sumOf(answers, 'windows'),
    listings: sumOf(answers, 'listings'),
    changedRows: sumOf(answers, 'changed_rows'),
    newRows: sumOf(answers, 'new_rows'),
    vanishedRows: sumOf(answers, 'vanished_rows'),
  };
}

function rebuildWindowsSql(schema: string, { span, range }: Pick<Work, 'span' | 'range'>): string[] {
  return AGGREGATES.flatMap((aggregate) => {
    const ends = {
      startMs: Math.max(span.startMs, range.startMs),
      endMs: Math.min(span.endMs, lastWindowEndOf(aggregate.window, range.endMs - 1)),
    };
    const windows = windowsEndingIn(aggregate.window, ends);
    const [first, last] = [windows[0], windows.at(-1)];
    if (first === undefined || last === undefined) return [];
    const starts = { startMs: first.startMs, endMs: last.startMs + aggregate.window.slideMs };
    return [rebuildRowsSql(aggregate, schema, starts)];
  });
}

/** Where a rebuild of the range would begin: stretches without events, facts and results are left out; null: there is nothing. */
export async function rebuildStart(db: Queryable, spec: PipelineSpec, range: Span): Promise<Span | null> {
  const { writtenThroughMs } = await readClock(db, spec);
  const written = writtenRange(range, writtenThroughMs);
  if (written === null || writtenThroughMs === null) return null;
  const { startMs, endMs } = panesToGoOver(written, writtenThroughMs);
  const span = await nextSpan(db, spec, { startMs, limitMs: endMs, events: 1 });
  return span && { startMs: span.startMs, endMs };
}

/**
 * The panes of the next transaction, from `startMs` on: about so many events, at least one pane. Time in which nothing is
 * and nothing should be is jumped over; null when only such time is left.
 */
async function nextSpan(
  db: Queryable,
  { schema }: PipelineSpec,
  { startMs, limitMs, events }: { startMs: number; limitMs: number; events: number },
): Promise<Span | null> {
  if (startMs >= limitMs) return null;
  const tables = quoteSchema(schema);
  const ahead = `select ${toMs(paneOf('occurred_at'))} from ${tables}.events
    where occurred_at >= ${instant(startMs)} and occurred_at < ${instant(limitMs)} order by occurred_at`;
  const { rows } = await db.query<Record<'event' | 'dense' | 'fact' | 'row' | 'earlier', number | null>>(
    `select (${ahead} limit 1) as event, (${ahead} offset ${events} limit 1) as dense,
       ${toMs(`(select min(pane) from ${tables}.pane_facts where pane >= ${instant(startMs)} and pane < ${instant(limitMs)})`)} as fact,
       ${toMs(`(select max(pane) from ${tables}.pane_facts where pane >= ${instant(startMs - LONGEST_WINDOW_MS)} and pane < ${instant(startMs)})`)} as earlier,
       ${toMs(`least(${firstEnds(schema, { startMs, endMs: limitMs })})`)} as row`,
  );
  const found = must(rows[0], 'the answer of a look ahead');
  const earlierMs = msOrNull(found.earlier);
  // Windows over panes before may end here, whether or not their rows are there yet.
  const windowsOpen = earlierMs !== null && lastWindowEndOfAny(earlierMs) > startMs;
  const rowMs = msOrNull(found.row);
  const nextMs = [found.event, found.fact, rowMs === null ? null : rowMs - PANE_MS].filter((ms) => ms !== null);
  if (!windowsOpen && nextMs.length === 0) return null;
  const fromMs = windowsOpen ? startMs : Math.max(startMs, Math.min(...nextMs));
  if (fromMs >= limitMs) return null;
  const denseMs = found.dense === null ? limitMs : Math.max(found.dense, fromMs + PANE_MS);
  return { startMs: fromMs, endMs: Math.min(limitMs, denseMs, fromMs + MOST_PANES_A_TRANSACTION * PANE_MS) };
}

/** SQL expressions: the end of the first window after `startMs` that has rows or is listed, one an aggregate and table. */
function firstEnds(schema: string, { startMs, endMs }: Span): string {
  const tables = quoteSchema(schema);
  return AGGREGATES.flatMap(({ name, window: { lengthMs } }) => {
    const length = `interval '${lengthMs / 1000} seconds'`;
    const starts = `window_start > ${instant(startMs - lengthMs)} and window_start < ${instant(endMs)}`;
    return [
      `(select min(window_start) from ${tables}.${name} where ${starts}) + ${length}`,
      `(select min(window_start) from ${tables}.windows where aggregate = '${name}' and ${starts}) + ${length}`,
    ];
  }).join(', ');
}
