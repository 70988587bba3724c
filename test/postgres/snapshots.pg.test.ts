// Snapshots on a real PostgreSQL: one moment of everything, whatever commits meanwhile, and whole or not there at all.
import { beforeEach, describe, expect, test } from 'vitest';

import { AGGREGATES } from '../../pipeline/aggregates.ts';
import { FUNNEL, SESSIONS } from '../../pipeline/session.ts';
import { amendWindows } from '../../postgres/amend-windows.ts';
import { withClockHeld } from '../../postgres/closed-through.ts';
import { compareSnapshot } from '../../postgres/compare-snapshot.ts';
import { migrate } from '../../postgres/migrate.ts';
import { restoreSnapshot } from '../../postgres/restore-snapshot.ts';
import { dropSnapshot, readSnapshot, readSnapshots, snapshotHome } from '../../postgres/snapshots.ts';
import { takeSnapshot } from '../../postgres/take-snapshot.ts';
import { insertEvents, storedEvent } from '../support/events.ts';
import { messageOf, pageView } from '../support/messages.ts';
import { holdPartition } from '../support/micro-batches.ts';
import { closeThrough, windowedPipeline } from '../support/windowed-pipeline.ts';
import type { WindowedPipeline } from '../support/windowed-pipeline.ts';
import { dropSchemasOf, rowsIn } from '../support/snapshot-schemas.ts';

const MINUTE_MS = 60_000;
const FIRST_MS = Date.parse('2026-11-01T10:00:00Z');
const isoAt = (ms: number): string => new Date(ms).toISOString();

let pipeline: WindowedPipeline;

beforeEach(async () => {
  pipeline = await windowedPipeline();
  dropSchemasOf(pipeline);
});

const take = (name: string) => takeSnapshot(pipeline.pool, { schema: pipeline.schema, name });
const restore = (name: string, to: string) => restoreSnapshot({ url: pipeline.url, schema: pipeline.schema, name, to });
const compare = (name: string, other: string | null = null) =>
  compareSnapshot(pipeline.pool, { schema: pipeline.schema, name, other, maxExamples: 5 });

/** One micro-batch of three events of a minute, committed as a lease commits. */
async function commitMinute(held: Awaited<ReturnType<typeof holdPartition>>, minute: number): Promise<void> {
  const atMs = FIRST_MS + minute * MINUTE_MS;
  const messages = [0, 1, 2].map((second) => {
    const event = { ...pageView(), timestamp: isoAt(atMs + second * 1_000) };
    return { ...messageOf(minute * 3 + second, event), timestampMs: atMs };
  });
  await held.commit(messages);
}

const closeMinute = (minute: number) => closeThrough(pipeline, isoAt(FIRST_MS + (minute + 1) * MINUTE_MS));

async function closedMinutes(count: number): Promise<void> {
  const held = await holdPartition(pipeline);
  for (let minute = 0; minute < count; minute += 1) await commitMinute(held, minute);
  await closeMinute(count - 1);
}

describe('a snapshot', () => {
  test('is of one moment in every table, while batches commit and windows close', async () => {
    await closedMinutes(2);
    const enough = new AbortController();
    const held = await holdPartition(pipeline);
    const writing = (async (): Promise<number> => {
      let minute = 2;
      for (; !enough.signal.aborted; minute += 1) {
        await commitMinute(held, minute);
        await closeMinute(minute);
      }
      return minute;
    })();
    const seen: number[] = [];
    for (let taken = 0; taken < 6; taken += 1) {
      const snapshot = await take(`s${taken}`);
      const { rows } = await pipeline.pool.query<
        Record<'counts' | 'windows' | 'counted' | 'recorded' | 'through', number>
      >(
        `select (select count(*)::int from ${snapshot.home}.event_counts) as counts,
           (select count(*)::int from ${snapshot.home}.windows where aggregate = 'event_counts') as windows,
           (select sum(event_count)::int from ${snapshot.home}.event_counts) as counted,
           (select recorded::int from ${snapshot.home}.checkpoints) as recorded,
           (select (extract(epoch from written_through) * 1000)::float8 from ${snapshot.home}.closed_through) as through`,
      );
      const minutes = ((rows[0]?.through ?? 0) - FIRST_MS) / MINUTE_MS;
      expect(rows[0]).toMatchObject({ counts: minutes, windows: minutes, counted: minutes * 3 });
      // The batch of the next minute may have committed, its window not yet.
      expect([minutes * 3, minutes * 3 + 3]).toContain(rows[0]?.recorded);
      expect(snapshot).toMatchObject({ writtenThroughMs: rows[0]?.through, topic: pipeline.spec.topic });
      expect(snapshot.partitions).toEqual([
        { partition: 0, run: 1, nextOffset: String(rows[0]?.recorded), recorded: rows[0]?.recorded },
      ]);
      seen.push(minutes);
    }
    enough.abort();
    // It was indeed written meanwhile, and nobody waited for the snapshots.
    expect(await writing).toBeGreaterThan(Math.max(...seen));
    expect(new Set(seen).size).toBeGreaterThan(1);
  });

  test('waits for nobody who holds the clock, and nobody who takes it waits for a snapshot', async () => {
    await closedMinutes(3);
    const closer = await pipeline.pool.connect();
    try {
      await closer.query('begin');
      await closer.query(`update ${pipeline.schema}.closed_through set low_watermark = low_watermark`);
      expect(await take('beside')).toMatchObject({ name: 'beside' });
    } finally {
      await closer.query('rollback');
      closer.release();
    }
  });

  test('says what it holds, and is listed until it is dropped; then nothing of it is left', async () => {
    await closedMinutes(3);
    const taken = await take('monday');
    expect(taken).toMatchObject({ schema: pipeline.schema, home: `${pipeline.schema}_snapshot_monday` });
    expect(taken.tables.find(({ name }) => name === 'event_counts')).toEqual({ name: 'event_counts', rows: 3 });
    await take('tuesday');
    expect((await readSnapshots(pipeline.pool, pipeline.schema)).map(({ name }) => name)).toEqual([
      'monday',
      'tuesday',
    ]);
    await dropSnapshot(pipeline.pool, pipeline.schema, 'monday');
    expect((await readSnapshots(pipeline.pool, pipeline.schema)).map(({ name }) => name)).toEqual(['tuesday']);
    await expect(readSnapshot(pipeline.pool, pipeline.schema, 'monday')).rejects.toThrow(/has no snapshot monday/);
    const { rows } = await pipeline.pool.query('select 1 from pg_namespace where nspname = $1', [taken.home]);
    expect(rows).toEqual([]);
  });

  test('of a schema in which nothing was ingested yet is empty, and restores', async () => {
    expect(await take('empty')).toMatchObject({ topic: null, writtenThroughMs: null, partitions: [] });
    expect(await restore('empty', `${pipeline.schema}_r`)).toMatchObject({ rows: 0 });
    expect(await compare('empty')).toMatchObject({ throughMs: null });
  });

  test('of a name that is taken is refused, and the first one stays as it is', async () => {
    await closedMinutes(2);
    const first = await take('once');
    await closeMinute(5);
    await expect(take('once')).rejects.toThrow(/There is a schema .*_snapshot_once already; .*weir snapshot drop once/);
    expect(await readSnapshot(pipeline.pool, pipeline.schema, 'once')).toEqual(first);
    const both = await Promise.allSettled([take('race'), take('race')]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { name: 'SnapshotError' } });
  });

  test('leaves nothing behind when its process dies in the middle', async () => {
    await closedMinutes(2);
    const dying = takeSnapshot(pipeline.pool, {
      schema: pipeline.schema,
      name: 'dying',
      onProgress: ({ table }) => {
        if (table === 'windows') throw new Error('the process dies');
      },
    });
    await expect(dying).rejects.toThrow('the process dies');
    expect(await readSnapshots(pipeline.pool, pipeline.schema)).toEqual([]);
    expect(await take('dying')).toMatchObject({ name: 'dying' });
  });

  test('has a name of lower-case letters, digits and underscores', async () => {
    for (const name of ['', 'Upper', 'with space', 'a-b', 'a"; drop schema x', 'é', '../x', 'x'.repeat(41)]) {
      expect(() => snapshotHome('weir', name)).toThrow(/is not a name of a snapshot/);
    }
    expect(snapshotHome('weir', '2026_11_23')).toBe('weir_snapshot_2026_11_23');
    await expect(take('a"; drop schema x')).rejects.toThrow(/is not a name of a snapshot/);
  });

  test('whose schema would have a name that PostgreSQL cuts off is refused', () => {
    expect(snapshotHome('s'.repeat(13), 'x'.repeat(40))).toHaveLength(63);
    expect(() => snapshotHome('s'.repeat(40), 'x'.repeat(14))).toThrow(/a name of at most 13 characters/);
  });
});

describe('a restored schema', () => {
  test('has the rows of the snapshot in tables and views of the newest version, whatever has changed since', async () => {
    await closedMinutes(3);
    await insertEvents(pipeline.pool, pipeline.schema, {
      events: [storedEvent('2026-11-01T10:00:30Z')],
      late: { closedThrough: '2026-11-01T10:03:00Z' },
    });
    await amendWindows(pipeline.pool, pipeline.spec);
    const tables = (await take('kept')).tables.map(({ name }) => name);
    const before = await rowsIn(pipeline.pool, pipeline.schema, [...tables, 'event_counts_history']);
    await closeMinute(9);
    await pipeline.pool.query(`delete from ${pipeline.schema}.event_counts`);
    const to = `${pipeline.schema}_r`;
    const { version } = await restore('kept', to);
    expect(await rowsIn(pipeline.pool, to, [...tables, 'event_counts_history'])).toEqual(before);
    expect((await rowsIn(pipeline.pool, to, ['amendments']))['amendments']).not.toEqual([]);
    expect(await migrate({ url: pipeline.url, schema: to })).toMatchObject({ applied: [], version, promoted: [] });
    // The next amendment would get a number of its own.
    const { rows } = await pipeline.pool.query<{ next: number; last: number }>(
      `select nextval(pg_get_serial_sequence('${to}.amendments', 'id'))::int as next, max(id)::int as last from ${to}.amendments`,
    );
    expect(rows[0]?.next).toBe((rows[0]?.last ?? 0) + 1);
  });

  test('is never made over one that exists, nor under a name that is not free', async () => {
    await closedMinutes(2);
    await take('kept');
    const own = await rowsIn(pipeline.pool, pipeline.schema, ['event_counts']);
    await expect(restore('kept', pipeline.schema)).rejects.toThrow(
      /There is a schema .* already, and nothing was changed/,
    );
    await expect(restore('kept', 'public')).rejects.toThrow(/There is a schema public already/);
    await expect(restore('kept', 'pg_mine')).rejects.toThrow(/begin with pg_/);
    await expect(restore('other', `${pipeline.schema}_r`)).rejects.toThrow(/has no snapshot other/);
    expect(await rowsIn(pipeline.pool, pipeline.schema, ['event_counts'])).toEqual(own);
    const { rows } = await pipeline.pool.query('select 1 from pg_namespace where nspname = $1', [
      `${pipeline.schema}_r`,
    ]);
    expect(rows).toEqual([]);
  });

  test('leaves nothing behind when restoring dies in the middle, or the snapshot is of a newer build', async () => {
    await closedMinutes(2);
    const { home } = await take('kept');
    const to = `${pipeline.schema}_r`;
    const onProgress = (): void => {
      throw new Error('the process dies');
    };
    const dying = restoreSnapshot({ url: pipeline.url, schema: pipeline.schema, name: 'kept', to, onProgress });
    await expect(dying).rejects.toThrow('the process dies');
    await pipeline.pool.query(`update ${home}.snapshot set version = 9999`);
    await expect(restore('kept', to)).rejects.toThrow(/version 9999, and this build of Weir knows versions up to \d+;/);
    const { rows } = await pipeline.pool.query('select 1 from pg_namespace where nspname = $1', [to]);
    expect(rows).toEqual([]);
  });

  test('refuses leases, closes and whatever writes results, and says what it is', async () => {
    await closedMinutes(2);
    await take('kept');
    const to = `${pipeline.schema}_r`;
    await restore('kept', to);
    const restored = { ...pipeline, schema: to, spec: { ...pipeline.spec, schema: to } };
    const said = new RegExp(`Schema ${to} was restored from snapshot kept of schema ${pipeline.schema}, .*WEIR_SCHEMA`);
    await expect(holdPartition(restored)).rejects.toThrow(said);
    await expect(holdPartition(restored, 7)).rejects.toThrow(said);
    await expect(closeThrough(restored, '2026-11-01T11:00:00Z')).rejects.toThrow(said);
    await expect(withClockHeld(restored.pool, restored.spec, async () => {})).rejects.toThrow(said);
  });
});

describe('comparing', () => {
  test('finds no difference where windows were only closed since', async () => {
    await closedMinutes(3);
    await take('kept');
    await insertEvents(pipeline.pool, pipeline.schema, { events: [storedEvent('2026-11-01T10:07:00Z')] });
    await closeMinute(29);
    const { tables, throughMs } = await compare('kept');
    expect(throughMs).toBe(FIRST_MS + 3 * MINUTE_MS);
    expect(tables.map(({ table }) => table)).toEqual([...AGGREGATES.map(({ name }) => name), SESSIONS, FUNNEL]);
    for (const table of tables) expect(table).toMatchObject({ different: 0, missing: 0, added: 0, examples: [] });
    expect(tables[0]).toMatchObject({ table: 'event_counts', same: 3, unmatched: 1 });
  });

  test('counts rows that changed, went and came, and names them; a new revision alone is none of these', async () => {
    await closedMinutes(3);
    await take('kept');
    const { pool, schema } = pipeline;
    await pool.query(`update ${schema}.event_counts set event_count = 7 where window_start = $1`, [isoAt(FIRST_MS)]);
    await pool.query(`update ${schema}.event_counts set revision = 2 where window_start > $1`, [isoAt(FIRST_MS)]);
    await pool.query(`update ${schema}.event_counts set event_type = 'search' where window_start = $1`, [
      isoAt(FIRST_MS + MINUTE_MS),
    ]);
    const { tables } = await compare('kept');
    expect(tables[0]).toMatchObject({
      table: 'event_counts',
      same: 1,
      different: 1,
      missing: 1,
      added: 1,
      unmatched: 0,
      examples: [
        '2026-11-01T10:00:00Z page_view: event_count 3 -> 7',
        '2026-11-01T10:01:00Z page_view: no longer there',
        '2026-11-01T10:01:00Z search: not there before',
      ],
    });
    await take('later');
    expect((await compare('kept', 'later')).tables).toEqual(tables);
    for (const table of (await compare('later')).tables)
      expect(table).toMatchObject({ different: 0, missing: 0, added: 0 });
  });
});
