// Recounts every session and funnel from `events` and compares them with the stored ones, cell by cell.
import { MAX_EXAMPLES } from '../pipeline/check.ts';
import type { Check } from '../pipeline/check.ts';
import { formatDuration } from '../pipeline/duration.ts';
import { FUNNEL_WINDOW } from '../pipeline/funnel.ts';
import type { Funnel } from '../pipeline/funnel.ts';
import { PANE_MS } from '../pipeline/pane.ts';
import type { SessionRules } from '../pipeline/session.ts';
import type { SessionClock } from './recount-sessions.ts';
import type { ComparedRows } from './compare-rows-sql.ts';
import { msOrNull } from './instant.ts';
import type { Queryable } from './pool.ts';
import { walkStretches } from './stretches.ts';
import type { Walk } from './stretches.ts';
import {
  compareFunnelSql,
  compareFunnelWindowsSql,
  compareOpenSessionsSql,
  compareSessionsSql,
  fillRecountSql,
  nextFunnelWindowSql,
  nextSessionSql,
} from './verify-sessions-sql.ts';

/** Events recounted at once: bounds the room that their sorting takes on disk to about a gigabyte. */
const EVENTS_AT_ONCE = 4_000_000;

export type SessionInput = {
  readonly rules: SessionRules;
  readonly funnels: readonly Funnel[];
  readonly clock: SessionClock;
  /** How many events there are, about: decides in how many parts they are recounted. */
  readonly events: number;
  readonly eventsAtOnce?: number;
  readonly onProgress: (step: 'sessions' | 'funnel', done: number, of: number) => void;
};

type Sums = { expected: number; found: number; differences: number; examples: string[] };

/**
 * Four checks. Runs in the caller's transaction, in which RECOUNTED_SESSIONS was made; writes to that temporary table alone.
 */
export async function checkSessions(db: Queryable, schema: string, input: SessionInput): Promise<Check[]> {
  // Nothing tells the planner how many sessions there are. A nested loop over a million of them would never end.
  await db.query('set local enable_nestloop = off');
  await recountSessions(db, schema, input);
  const sessions = await compareSessions(db, schema, input);
  const open = noSums();
  await addCompared(db, compareOpenSessionsSql(schema, { rules: input.rules, maxExamples: MAX_EXAMPLES }), open);
  const funnel = noSums();
  const windows = noSums();
  await compareFunnels(db, schema, { ...input, funnel, windows });
  await db.query('set local enable_nestloop = on');
  const { gapMs, maxMs } = input.rules;
  const rules = `(gap ${formatDuration(gapMs)}, cut at ${formatDuration(maxMs)})`;
  return [
    { name: 'sessions', claim: `sessions equal a recount of events ${rules}`, ...sessions },
    { name: 'open sessions', claim: `open sessions equal a recount of events ${rules}`, ...open },
    { name: 'funnel', claim: 'funnel equals a recount of the sessions of events', ...funnel },
    {
      name: 'funnel windows',
      claim: 'every window that sessions start in is listed with their number, or pending',
      ...windows,
    },
  ];
}

async function recountSessions(db: Queryable, schema: string, input: SessionInput): Promise<void> {
  const { rules, funnels, clock, events, eventsAtOnce = EVENTS_AT_ONCE, onProgress } = input;
  let of = 1;
  while (of * eventsAtOnce < events) of *= 2;
  for (let part = 0; part < of; part += 1) {
    onProgress('sessions', part, of);
    await db.query(fillRecountSql(schema, { rules, funnels, clock, share: { part, of } }));
  }
}

async function compareSessions(db: Queryable, schema: string, { onProgress }: SessionInput): Promise<Sums> {
  const sums = noSums();
  await walk(db, (fromMs) => nextSessionSql(schema, fromMs), {
    stepMs: PANE_MS,
    visit: (starts) => addCompared(db, compareSessionsSql(schema, starts, MAX_EXAMPLES), sums),
    onProgress: (done, of) => onProgress('sessions', done, of),
  });
  return sums;
}

async function compareFunnels(
  db: Queryable,
  schema: string,
  { funnels, clock, onProgress, funnel, windows }: SessionInput & { funnel: Sums; windows: Sums },
): Promise<void> {
  await walk(db, (fromMs) => nextFunnelWindowSql(schema, fromMs), {
    stepMs: FUNNEL_WINDOW.slideMs,
    visit: async (starts) => {
      const stretch = { funnels, starts, clock, maxExamples: MAX_EXAMPLES };
      await addCompared(db, compareFunnelSql(schema, stretch), funnel);
      await addCompared(db, compareFunnelWindowsSql(schema, stretch), windows);
    },
    onProgress: (done, of) => onProgress('funnel', done, of),
  });
}

/** Walks over all that `nextSql` finds, from the first to the last. */
async function walk(
  db: Queryable,
  nextSql: (fromMs: number | null) => string,
  { stepMs, visit, onProgress }: Pick<Walk, 'stepMs' | 'visit' | 'onProgress'>,
): Promise<void> {
  const align = (atMs: number): number => Math.floor(atMs / stepMs) * stepMs;
  const find = async (fromMs: number | null): Promise<{ firstMs: number; lastMs: number } | null> => {
    const { rows } = await db.query<{ first_ms: number | null; last_ms: number | null }>(nextSql(fromMs));
    const [firstMs, lastMs] = [msOrNull(rows[0]?.first_ms), msOrNull(rows[0]?.last_ms)];
    return firstMs === null || lastMs === null ? null : { firstMs: align(firstMs), lastMs: align(lastMs) };
  };
  const whole = await find(null);
  if (whole === null) return;
  const next: Walk['next'] = async (fromMs) => (await find(fromMs))?.firstMs ?? null;
  await walkStretches({ stepMs, stopMs: whole.lastMs + stepMs, next, visit, onProgress });
}

async function addCompared(db: Queryable, sql: string, sums: Sums): Promise<void> {
  const { rows } = await db.query<ComparedRows>(sql);
  sums.expected += Number(rows[0]?.recounted ?? 0);
  sums.found += Number(rows[0]?.stored ?? 0);
  sums.differences += Number(rows[0]?.wrong ?? 0);
  sums.examples.push(...(rows[0]?.examples ?? []).slice(0, MAX_EXAMPLES - sums.examples.length));
}

function noSums(): Sums {
  return { expected: 0, found: 0, differences: 0, examples: [] };
}
