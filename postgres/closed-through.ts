// The table `closed_through`: the pipeline's clock of event time, and the lock under which results are written.
// closed_through: every event before it that commits from now on is late. written_through follows it: panes and windows up
// to there are in the result tables. sessions_through follows that: so are sessions and funnels. low_watermark: how far event
// time has come.
import { setTimeout as wait } from 'node:timers/promises';

import { escapeLiteral } from 'pg';
import type pg from 'pg';

import { must } from '../pipeline/ensure.ts';
import { paneStart } from '../pipeline/pane.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { instant, msOrNull, toMs } from './instant.ts';
import { withTransaction } from './pool.ts';
import type { Queryable } from './pool.ts';
import { quoteSchema } from './schema-name.ts';
import { runTogether } from './run-together.ts';
import { LOCK_NOT_AVAILABLE, isConflict, sqlState } from './sqlstate.ts';

type Where = Pick<PipelineSpec, 'schema' | 'topic'>;

/**
 * Event times are null before the first close or watermark. `panesThroughMs`: panes and windows are written; `writtenThroughMs`:
 * so is all else, sessions and funnels. `nowMs` is PostgreSQL's clock.
 */
export type Clock = {
  readonly closedThroughMs: number | null;
  readonly panesThroughMs: number | null;
  readonly writtenThroughMs: number | null;
  readonly lowWatermarkMs: number | null;
  readonly nowMs: number;
};

/** Where the results stand, read under the lock. */
export type WritePosition = Pick<Clock, 'closedThroughMs' | 'panesThroughMs' | 'writtenThroughMs'>;

type Times = { closed_ms: number | null; panes_ms: number | null; written_ms: number | null };
type ClockRow = Times & { low_ms: number | null; now_ms: number };

const POSITION = `${toMs('c.closed_through')} as closed_ms, ${toMs('c.written_through')} as panes_ms,
  ${toMs('c.sessions_through')} as written_ms`;

/** Times that a transaction is tried again after another one got in its way. */
const MOST_ATTEMPTS = 5;

/** The topic's clock; all event times null when the topic was never seen. */
export async function readClock(db: Queryable, { schema, topic }: Where): Promise<Clock> {
  const { rows } = await db.query<ClockRow>(
    `select ${POSITION}, ${toMs('c.low_watermark')} as low_ms, ${toMs('clock_timestamp()')} as now_ms
     from (select) as always left join ${quoteSchema(schema)}.closed_through c on c.topic = $1`,
    [topic],
  );
  const row = must(rows[0], 'the row of a select without a table');
  return { ...positionOf(row), lowWatermarkMs: msOrNull(row.low_ms), nowMs: row.now_ms };
}

/** Raises the low watermark; a lower one changes nothing. */
export async function raiseLowWatermark(
  db: Queryable,
  { schema, topic }: Where,
  lowWatermarkMs: number,
): Promise<void> {
  // The condition also spares the row lock, which a closer may hold, when there is nothing to raise.
  await db.query(
    `insert into ${quoteSchema(schema)}.closed_through as c (topic, low_watermark) values ($1, ${instant(Math.floor(lowWatermarkMs))})
     on conflict (topic) do update set low_watermark = excluded.low_watermark where c.low_watermark < excluded.low_watermark`,
    [topic],
  );
}

/**
 * How long one try to hold the clock alone may wait, and how long all tries together. While one waits, every batch that
 * wants to commit stands behind it: a batch that does not end (its worker froze) must not hold up those of other partitions.
 */
const FIRST_LOCK_WAIT_MS = 200;
const LONGEST_LOCK_WAIT_MS = 1_000;
const MOVE_WITHIN_MS = 8_000;

/**
 * Step (a) of a close: from its commit on, every event before the pane boundary at or below `boundaryMs` is late. Waits for
 * batches that are committing, milliseconds; where one does not end, it lets the others pass and tries again, and throws
 * what PostgreSQL said (55P03) after 8 s. Never moves back. Returns where closed_through stands. Not to be called inside a
 * transaction.
 */
export async function moveClosedThrough(db: Queryable, where: Where, boundaryMs: number): Promise<number> {
  const deadlineMs = performance.now() + MOVE_WITHIN_MS;
  for (let lockWaitMs = FIRST_LOCK_WAIT_MS; ; lockWaitMs = Math.min(LONGEST_LOCK_WAIT_MS, lockWaitMs * 2)) {
    try {
      return await moveNow(db, where, { boundaryMs, lockWaitMs });
    } catch (error) {
      if (sqlState(error) !== LOCK_NOT_AVAILABLE || performance.now() > deadlineMs) throw error;
    }
    // Batches get at least as much time as they were held up for.
    await wait(lockWaitMs * (1 + Math.random()));
  }
}

async function moveNow(
  db: Queryable,
  { schema, topic }: Where,
  { boundaryMs, lockWaitMs }: { boundaryMs: number; lockWaitMs: number },
): Promise<number> {
  const move = `${quoteSchema(schema)}.move_closed_through(${escapeLiteral(topic)}, ${instant(paneStart(boundaryMs))})`;
  // One simple query is one transaction: the exclusive lock is never held while this process has the word.
  const [, answer] = await runTogether(db, [
    `set local lock_timeout = ${lockWaitMs}`,
    `select ${toMs(move)} as closed_ms`,
  ]);
  return must(answer?.rows[0]?.['closed_ms'], 'the answer of move_closed_through');
}

/**
 * Runs `work` in a REPEATABLE READ transaction that holds the clock's row, so that only one process at a time writes results
 * and it sees one moment: every event before closed_through, and each late event together with its mark. When another
 * transaction gets in the way it is tried again; null when that happened too often, or when the topic has no clock yet.
 */
export async function withClockHeld<T>(
  pool: pg.Pool,
  where: Where,
  work: (client: pg.PoolClient, position: WritePosition) => Promise<T>,
): Promise<T | null> {
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt += 1) {
    try {
      return await withTransaction(pool, { isolation: 'repeatable read' }, async (client) => {
        const position = await holdClock(client, where);
        return position === null ? null : await work(client, position);
      });
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
  return null;
}

async function holdClock(client: pg.PoolClient, { schema, topic }: Where): Promise<WritePosition | null> {
  // An update that changes nothing, not "for update": only after an update does PostgreSQL refuse the next holder's snapshot
  // if it is older than this one's commit (40001). A mere lock would let that one write from facts it has not seen.
  // Settings for the rest of the transaction ride along: a close is one big aggregate, beside which ingestion needs the
  // other cores, and compiling its expressions takes longer than evaluating them.
  const { rows } = await client.query<Times>(
    `update ${quoteSchema(schema)}.closed_through c set written_through = written_through where topic = $1
     returning ${POSITION},
       set_config('work_mem', '64MB', true), set_config('enable_memoize', 'off', true), set_config('max_parallel_workers_per_gather', '0', true),
       set_config('jit', 'off', true)`,
    [topic],
  );
  const row = rows[0];
  return row ? positionOf(row) : null;
}

function positionOf({ closed_ms: closed, panes_ms: panes, written_ms: written }: Times): WritePosition {
  return {
    closedThroughMs: msOrNull(closed),
    panesThroughMs: msOrNull(panes),
    writtenThroughMs: msOrNull(written),
  };
}
