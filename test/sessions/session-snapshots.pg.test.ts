// Sessions and funnels in snapshots: kept, restored, and compared as far as both sides had closed them.
import { beforeEach, describe, expect, test } from 'vitest';

import { amendWindows } from '../../postgres/amend-windows.ts';
import { ensureCheckpoint } from '../../postgres/checkpoints.ts';
import { compareSnapshot } from '../../postgres/compare-snapshot.ts';
import { countSessions, readSessions } from '../../postgres/read-sessions.ts';
import { restoreSnapshot } from '../../postgres/restore-snapshot.ts';
import { takeSnapshot } from '../../postgres/take-snapshot.ts';
import { insertEvents, storedEvent } from '../support/events.ts';
import { dropSchemasOf, rowsIn } from '../support/snapshot-schemas.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';

const SESSION_TABLES = ['sessions', 'open_sessions', 'funnel', 'pending_funnels'];
let pipeline: WindowedPipeline;

/** At 10:50: one's session has closed and its window is written, those of two and three are open. */
beforeEach(async () => {
  pipeline = await windowedPipeline();
  dropSchemasOf(pipeline);
  await ensureCheckpoint(pipeline.pool, pipeline.spec, { partition: 0, firstOffset: 0 });
  const at = (time: string, user: string) => storedEvent(`2026-11-01T${time}Z`, { user });
  const events = [at('10:00:10', 'one'), at('10:05:00', 'one'), at('10:21:00', 'two'), at('10:45:00', 'three')];
  await insertEvents(pipeline.pool, pipeline.schema, { events });
  await closeThrough(pipeline, '2026-11-01T10:50:00Z');
});

const take = (name: string) => takeSnapshot(pipeline.pool, { schema: pipeline.schema, name });

async function compared(name: string, other: string | null = null) {
  const { pool, schema } = pipeline;
  const { tables } = await compareSnapshot(pool, { schema, name, other, maxExamples: 3 });
  return Object.fromEntries(tables.map(({ table, ...counts }) => [table, counts]));
}

const NONE = { different: 0, missing: 0, added: 0, examples: [] };

describe('a snapshot', () => {
  test('holds what is closed and what is open, and is restored with both; live_sessions is there without the open ones', async () => {
    const { pool, url, schema } = pipeline;
    await take('kept');
    const to = `${schema}_r`;
    await restoreSnapshot({ url, schema, name: 'kept', to });
    expect(await rowsIn(pool, to, SESSION_TABLES)).toEqual(await rowsIn(pool, schema, SESSION_TABLES));
    expect(await countSessions(pool, to)).toEqual({ closed: 1, open: 2 });
    expect(await readSessions(pool, to, { of: 'open', sinceMs: null, limit: 9 })).toEqual([]);
    expect(await readSessions(pool, to, { of: 'closed', sinceMs: null, limit: 9 })).toEqual(
      await readSessions(pool, schema, { of: 'closed', sinceMs: null, limit: 9 }),
    );
    await pool.query(`select * from "${to}".live_funnel`);
  });
});

describe('comparing', () => {
  test('passes over sessions that were open on one side, and windows that waited for them', async () => {
    await take('kept');
    await closeThrough(pipeline, '2026-11-01T12:00:00Z');
    const { sessions, funnel } = await compared('kept');
    expect(sessions).toMatchObject({ ...NONE, same: 1, unmatched: 2 });
    // A window has a row a step of both funnels.
    expect(funnel).toMatchObject({ ...NONE, same: 7, unmatched: 14 });
    await take('later');
    expect((await compared('later')).sessions).toMatchObject({ ...NONE, same: 3, unmatched: 0 });
    expect(await compared('kept', 'later')).toMatchObject({ sessions, funnel });
  });

  test('names sessions that a late event changed, merged or made', async () => {
    await closeThrough(pipeline, '2026-11-01T12:00:00Z');
    await take('kept');
    const { pool, schema, spec } = pipeline;
    await insertEvents(pool, schema, {
      events: [
        storedEvent('2026-11-01T10:21:30Z', { user: 'two' }),
        storedEvent('2026-11-01T11:00:00Z', { user: 'four' }),
        storedEvent('2026-11-01T10:40:00Z', { user: 'three' }),
      ],
      late: { closedThrough: '2026-11-01T12:00:00Z' },
    });
    await amendWindows(pool, spec);
    const { sessions, funnel } = await compared('kept');
    expect(sessions).toMatchObject({ same: 1, different: 1, missing: 1, added: 2, unmatched: 0 });
    expect(sessions?.examples[0]).toMatch(
      /^2026-11-01T10:21:00Z two: session_end ".*" -> ".*", duration_seconds 0 -> 30, events 1 -> 2, pages 1 -> 2, bounced true -> false/,
    );
    expect(sessions?.examples.slice(1)).toEqual([
      '2026-11-01T10:40:00Z three: not there before',
      '2026-11-01T10:45:00Z three: no longer there',
    ]);
    expect(funnel).toMatchObject({ added: 7, missing: 0, unmatched: 0 });
  });

  test('counts a session that was taken away from the table, and one that came from nowhere', async () => {
    await closeThrough(pipeline, '2026-11-01T12:00:00Z');
    await take('kept');
    await pipeline.pool.query(`update "${pipeline.schema}".sessions set user_id = 'nobody' where user_id = 'one'`);
    expect((await compared('kept')).sessions).toMatchObject({ same: 2, different: 0, missing: 1, added: 1 });
  });
});
