// A run of a pipeline's closer over seeded events that come in disorder: what it wrote is held to the reference and the recount.
import { expect } from 'vitest';

import { FUNNELS } from '../../pipeline/funnel.ts';
import { sessionRulesOf } from '../../pipeline/session.ts';
import { amendWindows } from '../../postgres/amend-windows.ts';
import { closeNextPanes } from '../../postgres/close-windows.ts';
import { moveClosedThrough, readClock } from '../../postgres/closed-through.ts';
import { quoteSchema } from '../../postgres/schema-name.ts';
import { SeededRandom } from '../fuzz/seeded-random.ts';
import { resultDifferences } from '../support/verified-results.ts';
import { windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';
import { insertReferenceEvents, isoMicros } from './random-events.ts';
import { referenceFunnel, referenceSessions, windowOf } from './session-reference.ts';
import type { ReferenceEvent, ReferenceRules } from './session-reference.ts';
import {
  closedWindows,
  plainFunnel,
  plainOpen,
  plainSessions,
  readFunnelRows,
  readOpenRows,
  readSessionRows,
} from './session-rows.ts';

const MINUTE_MS = 60_000;

export type SessionRun = WindowedPipeline & { readonly stored: ReferenceEvent[] };

/** An empty pipeline with these rules. */
export async function sessionRun(rules: ReferenceRules): Promise<SessionRun> {
  const pipeline = await windowedPipeline();
  return { ...pipeline, spec: { ...pipeline.spec, sessionGapMs: rules.gapMs, sessionMaxMs: rules.maxMs }, stored: [] };
}

/** Stores events as ingestion does: those before closed_through are marked late, and one in `beyond` of them too late. */
export async function ingest(
  run: SessionRun,
  events: readonly ReferenceEvent[],
  beyond: SeededRandom | null = null,
): Promise<void> {
  const { closedThroughMs } = await readClock(run.pool, run.spec);
  const closed = closedThroughMs === null ? null : BigInt(closedThroughMs) * 1000n;
  const isLate = ({ at }: ReferenceEvent): boolean => closed !== null && at < closed;
  const tooLate = new Set(beyond === null ? [] : events.filter((event) => isLate(event) && beyond.oneIn(12)));
  const closedThrough = isoMicros(closed ?? 0n);
  for (const [list, late] of [
    [events.filter((event) => !isLate(event)), null],
    [events.filter((event) => isLate(event) && !tooLate.has(event)), { closedThrough }],
    [[...tooLate], { closedThrough, beyondHorizon: true }],
  ] as const) {
    if (list.length > 0) await insertReferenceEvents(run.pool, run.schema, { events: list, ...(late && { late }) });
  }
  run.stored.push(...events);
}

export async function closeTo({ pool, spec }: SessionRun, throughMs: number): Promise<void> {
  await moveClosedThrough(pool, spec, throughMs);
  await closeNextPanes(pool, spec, { throughMs });
}

/** Closes up to here, but ends before the sessions do: panes and windows are written, sessions and funnels are not. */
export async function closeBeforeSessions({ pool, spec }: SessionRun, throughMs: number): Promise<void> {
  await moveClosedThrough(pool, spec, throughMs);
  const ended = new Error('ended behind the panes');
  const onPane = (): void => {
    throw ended;
  };
  await closeNextPanes(pool, spec, { throughMs, onPane }).catch((error: unknown) => {
    if (error !== ended) throw error;
  });
}

/** What the pipeline holds now must be what the reference makes of the events that its results hold. */
export async function expectReference(run: SessionRun): Promise<{ closed: number; open: number; funnel: number }> {
  const { pool, spec, stored } = run;
  const tables = quoteSchema(run.schema);
  const clock = await readClock(pool, spec);
  const instantOf = (ms: number | null): bigint => BigInt(ms ?? -1e14) * 1000n;
  const [through, closedThrough] = [instantOf(clock.panesThroughMs), instantOf(clock.writtenThroughMs)];
  const { rows: left } = await pool.query<{ event_id: string }>(
    `select event_id from ${tables}.late_events where applied_at is null`,
  );
  const leftOut = new Set(left.map(({ event_id: id }) => id));
  const events = stored.filter(({ id }) => !leftOut.has(id));
  const reference = { rules: sessionRulesOf(spec), funnels: FUNNELS, through, closedThrough };
  const sessions = referenceSessions(events, reference);
  const closed = sessions.filter(({ open }) => !open);
  expect(await readSessionRows(pool, `${tables}.sessions`)).toEqual(plainSessions(closed));
  expect(await readOpenRows(pool, `${tables}.open_sessions`)).toEqual(plainOpen(sessions.filter(({ open }) => open)));
  const windows = closedWindows(sessions, reference);
  const written = referenceFunnel(
    closed.filter((session) => windows.has(windowOf(session))),
    FUNNELS,
  );
  const pending = `select window_start from ${tables}.pending_funnels`;
  expect(await readFunnelRows(pool, `(select * from ${tables}.funnel where window_start not in (${pending}))`)).toEqual(
    plainFunnel(written),
  );
  return { closed: closed.length, open: sessions.length - closed.length, funnel: written.length };
}

/** Each revision of a session or funnel row follows the one before: none is skipped in `amendments`, none comes twice. */
export async function expectHistory({ pool, schema }: SessionRun): Promise<void> {
  const tables = quoteSchema(schema);
  for (const [table, key] of [
    ['sessions', ['user_id', 'session_start']],
    ['funnel', ['window_start', 'funnel', 'device', 'location', 'step']],
  ] as const) {
    const { rows } = await pool.query(
      `select ${key.join(', ')}, array_agg(revision order by revision) as revisions from ${tables}.${table}_history
       group by ${key.join(', ')} having count(*) <> count(distinct revision)`,
    );
    expect(rows, `revisions of ${table} that come twice`).toEqual([]);
  }
  const { rows } = await pool.query(
    `select id, before, after, superseded_by from ${tables}.amendments
     where aggregate = 'sessions' and cause = 'late event' and (superseded_by is null) <> (after is not null)`,
  );
  expect(rows, 'sessions that vanished into none').toEqual([]);
}

/** Runs through `events` in the order given, from their first minute on, closing and amending as chance has it. */
export async function driveRun(run: SessionRun, events: readonly ReferenceEvent[], seed: number): Promise<void> {
  const random = new SeededRandom(seed, 2);
  const { pool, spec } = run;
  const queue = [...events];
  const minutes = events.map(({ at }) => Number(at / 60_000_000n) * MINUTE_MS);
  let boundaryMs = Math.min(...minutes);
  while (queue.length > 0) {
    await ingest(run, queue.splice(0, 1 + random.below(events.length / 8)), random);
    boundaryMs += MINUTE_MS * random.pick([0, 1, 1, 2, 3, 5, 11, 40]);
    if (!random.oneIn(5)) await (random.oneIn(3) ? closeBeforeSessions : closeTo)(run, boundaryMs);
    if (random.oneIn(2)) {
      const eventsPerTransaction = random.pick([1, 2, 10, 500]);
      await amendWindows(pool, spec, {
        panesPerTransaction: random.pick([1, 3, 50]),
        eventsPerTransaction,
        eventsTogether: 1,
      });
    }
    await expectReference(run);
    // Whatever a step left open or pending, verify must find nothing wrong in it.
    if (random.oneIn(2)) expect(await resultDifferences(run)).toEqual([]);
  }
  await closeTo(run, Math.max(...minutes, boundaryMs) + 300 * MINUTE_MS);
  await amendWindows(pool, spec);
  const { open } = await expectReference(run);
  expect(open).toBe(0);
  await expectHistory(run);
  expect(await resultDifferences(run)).toEqual([]);
}
